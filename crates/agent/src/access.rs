//! Who may ask an agent over HTTP, and how.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::cli::HttpArgs;
use crate::endpoint::Place;
use crate::exit::Failure;
use crate::output;

/// What lets a request in.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) reach: Reach,
    /// Names that may stand in `Host`, beside those of the reach.
    pub(crate) hosts: Vec<String>,
    /// Connections that were closed at once, because their machine had its share already.
    pub(crate) turned_away: AtomicU64,
    secrets: RwLock<Secrets>,
}

/// From where requests can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// From programs on this machine.
    Loopback,
    /// From other machines too.
    Network,
    /// From who may open a file.
    Socket,
}

/// What files say, which may change while an agent runs.
#[derive(Clone, Debug, Default)]
struct Secrets {
    token: Option<Token>,
    identity: Option<Identity>,
}

/// What an agent shows to those who ask it by TLS.
#[derive(Clone, Debug)]
struct Identity {
    config: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
    expires: SystemTime,
}

/// A secret that a request must have.
#[derive(Clone)]
pub(crate) struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// From when on an operator should know that a certificate expires.
const SOON: Duration = Duration::from_secs(7 * 24 * 3600);

impl Access {
    /// For programs on this machine, whoever they are.
    pub(crate) fn loopback() -> Self {
        Self::of(Reach::Loopback, Vec::new(), Secrets::default())
    }

    /// Reads the files, and refuses to be open to other machines without a secret.
    pub(crate) fn new(args: &HttpArgs, place: &Place) -> Result<Self, Failure> {
        let reach = match place {
            Place::Socket(_) => Reach::Socket,
            Place::Address(_) if place.is_local() => Reach::Loopback,
            Place::Address(_) => Reach::Network,
        };
        let token = args.http_token_file.as_deref().map(Token::read).transpose()?;
        let identity = match (&args.http_tls_cert, &args.http_tls_key) {
            (Some(cert), Some(key)) => Some(identity(cert, key)?),
            (None, None) => None,
            (Some(_), None) => return Err(input("--http-tls-cert needs --http-tls-key, its key")),
            (None, Some(_)) => return Err(input("--http-tls-key needs --http-tls-cert")),
        };
        if reach == Reach::Socket && identity.is_some() {
            return Err(input(
                "a unix socket needs no TLS; drop --http-tls-cert and --http-tls-key",
            ));
        }
        if reach == Reach::Network && token.is_none() {
            return Err(Failure::Input(format!(
                "HTTP on {place} can be reached from other machines; give it --http-token-file, or \
                 use --http {}",
                place.on_loopback()
            )));
        }
        if reach == Reach::Network && identity.is_none() && !args.http_insecure {
            return Err(Failure::Input(format!(
                "HTTP on {place} can be reached from other machines; give it --http-tls-cert and \
                 --http-tls-key, or --http-insecure in a network that is trusted"
            )));
        }
        Ok(Self::of(reach, args.http_allowed_host.clone(), Secrets { token, identity }))
    }

    fn of(reach: Reach, hosts: Vec<String>, secrets: Secrets) -> Self {
        Self { reach, hosts, turned_away: AtomicU64::new(0), secrets: RwLock::new(secrets) }
    }

    /// Which secrets are others, by name.
    pub(crate) fn differences(&self, new: &Self) -> Vec<&'static str> {
        let held = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        let new = new.secrets.read().unwrap_or_else(PoisonError::into_inner);
        let token = |secrets: &Secrets| secrets.token.as_ref().map(|token| token.0.clone());
        let shown = |secrets: &Secrets| {
            secrets.identity.as_ref().map(|identity| identity.certificate.clone())
        };
        let token = (token(&held) != token(&new)).then_some("http_token");
        let certificate = (shown(&held) != shown(&new)).then_some("http_certificate");
        token.into_iter().chain(certificate).collect()
    }

    /// Goes by what the files say now.
    pub(crate) fn take_over(&self, new: &Self) {
        let secrets = new.secrets.read().unwrap_or_else(PoisonError::into_inner).clone();
        *self.secrets.write().unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    /// Whether what a request says of itself in `Authorization` is enough.
    pub(crate) fn admits(&self, authorization: Option<&str>) -> bool {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        match (&secrets.token, authorization) {
            (None, _) => true,
            (Some(token), Some(given)) => token.is_in(given),
            (Some(_), None) => false,
        }
    }

    /// How to speak TLS, for those who shall.
    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.identity.as_ref().map(|identity| Arc::clone(&identity.config))
    }

    /// What an operator should change.
    pub(crate) fn warning(&self, now: SystemTime) -> Option<String> {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        let expires = secrets.identity.as_ref()?.expires;
        match expires.duration_since(now) {
            Ok(left) if left > SOON => None,
            Ok(left) => Some(format!(
                "the certificate of --http-tls-cert expires in {} hours: renew it, and reload",
                left.as_secs() / 3600
            )),
            Err(_) => Some(
                "the certificate of --http-tls-cert has expired, so nobody who checks it gets in: \
                 renew it, and reload"
                    .to_owned(),
            ),
        }
    }
}

impl Token {
    /// The shortest that can't be guessed.
    const LEAST: usize = 16;
    /// Above any that is of use.
    const MOST: usize = 256;

    /// Reads the one line of a file that not everybody may read.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = String::from_utf8(secret("token", path)?).unwrap_or_default();
        let token = text.trim_end();
        let fits = (Self::LEAST..=Self::MOST).contains(&token.len());
        if !fits || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::Input(format!(
                "the token file {} does not hold one line of {} to {} printable characters; make one \
                 with \"mingle keygen\"",
                shown(path),
                Self::LEAST,
                Self::MOST
            )));
        }
        Ok(Self(token.to_owned()))
    }

    /// As a request gives it.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Browsers ask for a name and a password; the token is the password, of whatever name.
    fn is_in(&self, authorization: &str) -> bool {
        let Some((scheme, rest)) = authorization.split_once(' ') else { return false };
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is(rest.as_bytes());
        }
        let pair = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(rest).ok());
        let Some(pair) = pair.flatten() else { return false };
        let colon = pair.iter().position(|&byte| byte == b':');
        colon.is_some_and(|colon| self.is(&pair[colon + 1..]))
    }

    fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }
}

fn input(sentence: &str) -> Failure {
    Failure::Input(sentence.to_owned())
}

fn shown(path: &Path) -> String {
    output::escape(&path.display().to_string())
}

/// The content of a file that others must not be able to read.
pub(crate) fn secret(what: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| {
        let (name, reason) = (shown(path), output::reason(&error));
        Failure::Input(format!("the {what} file {name} can't be read: {reason}; check its path"))
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if is_open_to_all(&file.metadata().map_err(unreadable)?) {
        return Err(Failure::Input(format!(
            "the {what} file {} can be read by everybody; take that away with \"chmod o= FILE\"",
            shown(path)
        )));
    }
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_FILE), &mut content)
        .map_err(unreadable)?;
    Ok(content)
}

/// Far above any token, key and chain of certificates.
const MAX_FILE: u64 = 1 << 20;

#[cfg(unix)]
fn is_open_to_all(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o007 != 0
}

#[cfg(not(unix))]
const fn is_open_to_all(_metadata: &std::fs::Metadata) -> bool {
    false
}

/// The certificates of a PEM file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let refuse = || {
        Failure::Input(format!(
            "the certificate file {} is not there or holds no PEM certificates; check its path",
            shown(path)
        ))
    };
    let found = CertificateDer::pem_file_iter(path).map_err(|_| refuse())?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|_| refuse())?;
    if found.is_empty() { Err(refuse()) } else { Ok(found) }
}

fn identity(cert: &Path, key: &Path) -> Result<Identity, Failure> {
    let certificates = certificates(cert)?;
    let sentence = |what: &str| format!("the certificate file {} {what}", shown(cert));
    let first = certificates.first().and_then(|first| Certificate::from_der(first).ok());
    let validity = first.map(|first| first.tbs_certificate.validity);
    let validity = validity
        .ok_or_else(|| Failure::Input(sentence("holds no certificate that can be read")))?;
    let now = SystemTime::now();
    // Those who renew it, and the clock, need not know of this agent.
    if validity.not_after.to_system_time() <= now {
        let on = validity.not_after;
        return Err(Failure::No(sentence(&format!("has expired on {on}; renew it"))));
    }
    if validity.not_before.to_system_time() > now {
        let from = validity.not_before;
        let until = format!("is valid only from {from} on; check it and the clock");
        return Err(Failure::No(sentence(&until)));
    }
    let certificate = certificates[0].clone();
    let key_text = secret("key", key)?;
    let private = PrivateKeyDer::from_pem_slice(&key_text).map_err(|_| {
        Failure::Input(format!("the key file {} holds no PEM private key", shown(key)))
    })?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth());
    let config = config.and_then(|builder| builder.with_single_cert(certificates, private));
    let mut config = config.map_err(|error: rustls::Error| {
        Failure::Input(format!(
            "the certificate {} and the key {} can't be used together: {error}",
            shown(cert),
            shown(key)
        ))
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let expires = validity.not_after.to_system_time();
    Ok(Identity { config: Arc::new(config), certificate, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_as_bearer_or_as_the_password_of_anybody() {
        let token = Token("0123456789abcdef".to_owned());
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let table = [
            (token.header(), true),
            ("bearer 0123456789abcdef".to_owned(), true),
            (basic("anybody:0123456789abcdef"), true),
            (basic(":0123456789abcdef"), true),
            (basic("0123456789abcdef:"), false),
            (basic("0123456789abcdef"), false),
            ("Bearer 0123456789abcdeg".to_owned(), false),
            ("Bearer 0123456789abcde".to_owned(), false),
            ("0123456789abcdef".to_owned(), false),
            ("Basic ?".to_owned(), false),
            (String::new(), false),
        ];
        for (given, expected) in table {
            assert_eq!(token.is_in(&given), expected, "{given:?}");
        }
    }
}
