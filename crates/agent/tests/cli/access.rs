//! Who may ask an agent over HTTP, and from where.

use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair};

use crate::process::{Agent, run_fine, run_refused, set_mode, wait, write_secret};

/// Files of an agent that other machines may ask.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.certify(2050);
        files.write("token", "0123456789abcdef\n");
        files
    }

    /// Makes a certificate that is good until that year.
    fn certify(&self, year: i32) {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        self.write("cert.pem", &params.self_signed(&key).unwrap().pem());
        self.write("key.pem", &key.serialize_pem());
    }

    /// A file that nobody else may read.
    fn write(&self, name: &str, text: &str) {
        write_secret(&self.path(name), text);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn flags(&self) -> Vec<String> {
        let [token, cert, key] = ["token", "cert.pem", "key.pem"].map(|name| self.text(name));
        ["--http-token-file", &token, "--http-tls-cert", &cert, "--http-tls-key", &key]
            .map(str::to_owned)
            .to_vec()
    }
}

fn as_str(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[test]
fn other_machines_get_in_with_the_token_and_by_tls() {
    let files = Files::new();
    let flags = files.flags();
    let flags = [vec!["--http", "0.0.0.0:0"], as_str(&flags)].concat();
    let agent = Agent::start("a", &flags);
    let port = agent.http.rsplit(':').next().unwrap();
    let place = format!("https://127.0.0.1:{port}");
    let (token, ca) = (files.text("token"), files.text("cert.pem"));
    let all = ["--http-token-file", &token, "--http-ca", &ca];
    let ask = |more: &[&str]| {
        let mut all = vec!["members".to_owned(), "--http".to_owned(), place.clone()];
        all.extend(more.iter().map(|&text| text.to_owned()));
        all
    };
    assert!(run_fine(&as_str(&ask(&all))).contains("alive"));
    assert!(run_fine(&[&["info", "--http", &place], &all[..]].concat()).contains("https://"));

    assert!(run_refused(&as_str(&ask(&all[2..])), 1).contains("the token is missing"));
    assert!(run_refused(&as_str(&ask(&all[..2])), 2).contains("give --http-ca"));
    run_refused(&["members", "--http", &place.replace("https", "http")], 3);
    let other = Files::new();
    let strange = other.text("cert.pem");
    let sentence =
        run_refused(&as_str(&ask(&["--http-token-file", &token, "--http-ca", &strange])), 3);
    assert!(sentence.contains("vouches"), "{sentence}");
    other.write("token", "0123456789abcdeF");
    let wrong = other.text("token");
    let sentence = run_refused(&as_str(&ask(&["--http-token-file", &wrong, "--http-ca", &ca])), 1);
    assert!(sentence.contains("another one"), "{sentence}");
}

#[test]
fn a_certificate_and_a_token_are_renewed_by_a_reload() {
    let files = Files::new();
    let agent = Agent::start("a", &as_str(&files.flags()));
    let place = format!("https://{}", agent.http);
    let old = Files::new();
    for name in ["token", "cert.pem"] {
        std::fs::copy(files.path(name), old.path(name)).unwrap();
        set_mode(&old.path(name), 0o600);
    }
    files.certify(2051);
    files.write("token", "fedcba9876543210");
    let args = |command: &str, files: &Files| {
        let (token, ca) = (files.text("token"), files.text("cert.pem"));
        [command, "--http", &place, "--http-token-file", &token, "--http-ca", &ca]
            .map(str::to_owned)
            .to_vec()
    };
    run_refused(&as_str(&args("members", &files)), 3);
    let told = run_fine(&as_str(&args("reload", &old)));
    for secret in ["http_token: ", "http_certificate: "] {
        assert!(told.contains(secret), "{told}");
    }
    run_fine(&as_str(&args("members", &files)));
    run_refused(&as_str(&args("members", &old)), 3);
    // What has expired does not take the place of what is good.
    files.certify(2020);
    let fresh = args("reload", &files);
    run_refused(&as_str(&fresh), 3);
    agent.signal("-HUP");
    assert!(agent.wait_for_log("not taken over").contains("has expired"));
}

#[test]
fn an_open_door_is_refused_before_anything_starts() {
    let files = Files::new();
    let refused_with = |code: i32, args: &[&str], expected: &str| {
        let base = ["agent", "--bind", "127.0.0.1:0", "--log-level", "error"];
        let sentence = run_refused(&[&base, args].concat(), code);
        assert!(sentence.contains(expected), "{args:?}: {sentence}");
    };
    let refused = |args: &[&str], expected: &str| refused_with(2, args, expected);
    let open = ["--http", "0.0.0.0:0"];
    let [token, cert, key] = ["token", "cert.pem", "key.pem"].map(|name| files.text(name));
    let with_token = ["--http", "0.0.0.0:0", "--http-token-file", &token];
    refused(&open, "give it --http-token-file");
    refused(&[&open[..], &["--http-insecure"]].concat(), "give it --http-token-file");
    refused(&with_token, "--http-tls-cert and --http-tls-key, or --http-insecure");
    refused(&["--http-tls-cert", &cert], "needs --http-tls-key");
    refused(&["--http-tls-key", &key], "needs --http-tls-cert");
    refused(&["--http-tls-cert", &key, "--http-tls-key", &key], "holds no PEM certificates");
    refused(&["--http-tls-cert", &cert, "--http-tls-key", &cert], "holds no PEM private key");
    refused(&["--http-token-file", "/nowhere"], "can't be read");
    refused(&["--http", "example.org:1"], "is no HTTP address");

    files.write("short", "0123456789");
    refused(&["--http-token-file", &files.text("short")], "one line of 16 to 256");
    set_mode(&files.path("token"), 0o644);
    set_mode(&files.path("key.pem"), 0o604);
    refused(&["--http-token-file", &token], "can be read by everybody");
    refused(&["--http-tls-cert", &cert, "--http-tls-key", &key], "can be read by everybody");
    let other = Files::new();
    let strange = other.text("key.pem");
    refused(&["--http-tls-cert", &cert, "--http-tls-key", &strange], "can't be used together");
    other.certify(2020);
    let expired = other.text("cert.pem");
    // It may be renewed at any time.
    refused_with(
        1,
        &["--http-tls-cert", &expired, "--http-tls-key", &strange],
        "has expired on 2020-",
    );
    let insecure = [&with_token[..], &["--http-insecure"]].concat();
    set_mode(&files.path("token"), 0o640);
    let agent = Agent::start("a", &insecure);
    assert!(agent.http.starts_with("0.0.0.0:"));
}

#[test]
fn what_supervisors_ask_needs_no_token_and_all_else_does() {
    let files = Files::new();
    let agent = Agent::start("a", &["--http-token-file", &files.text("token")]);
    let status = |path: &str, more: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost{more}");
        let response = agent.request(&head, "");
        let asks = response.contains("www-authenticate: Basic realm=\"mingle\"");
        format!("{}{}", response.split(' ').nth(1).unwrap(), if asks { " asks" } else { "" })
    };
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(path, ""), "200", "{path}");
    }
    for path in ["/", "/v1/members", "/v1/watch", "/metrics", "/nowhere", "/page/app.js"] {
        assert_eq!(status(path, ""), "401 asks", "{path}");
    }
    assert_eq!(status("/v1/members", "\r\nAuthorization: Bearer 0123456789abcdef"), "200");
    // As a browser asks, for somebody who typed the token as a password: ":0123456789abcdef".
    assert_eq!(status("/", "\r\nAuthorization: Basic OjAxMjM0NTY3ODlhYmNkZWY="), "200");
    assert_eq!(status("/v1/members", "\r\nAuthorization: Bearer 0123456789abcde"), "401 asks");
}

#[test]
fn an_agent_is_asked_by_the_names_that_are_allowed() {
    let agent = Agent::start("a", &["--http-allowed-host", "agent.example.org"]);
    let status = |host: &str| {
        let response = agent.request(&format!("GET /v1/self HTTP/1.1\r\nHost: {host}"), "");
        response.split(' ').nth(1).unwrap().to_owned()
    };
    for (host, expected) in [
        ("agent.example.org", "200"),
        ("AGENT.example.org:7374", "200"),
        ("localhost", "200"),
        ("example.org", "403"),
        ("10.0.0.7", "403"),
    ] {
        assert_eq!(status(host), expected, "{host}");
    }
}

#[cfg(unix)]
#[test]
fn a_socket_is_for_its_user_and_comes_and_goes_with_the_agent() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mingle.sock");
    let place = format!("unix:{}", path.display());
    let mut agent = Agent::start("a", &["--http", &place]);
    assert_eq!(agent.http, place);
    assert!(run_fine(&["members", "--http", &place]).contains("alive"));
    assert!(agent.ask(&["info"]).contains(&place));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let base = ["agent", "--bind", "127.0.0.1:0", "--http", &place];
    assert!(run_refused(&base, 1).contains("another agent answers at unix:"));

    agent.kill();
    assert!(path.exists());
    assert!(run_refused(&["members", "--http", &place], 3).contains("no agent answers"));
    let mut again = Agent::start("a", &["--http", &place]);
    again.ask(&["leave"]);
    assert_eq!(again.exit_code(), Some(0));
    wait("the file is gone", || !path.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // What is another's by now stays.
    let mut first = Agent::start("a", &["--http", &place]);
    std::fs::remove_file(&path).unwrap();
    let second = Agent::start("b", &["--http", &place]);
    first.signal("-TERM");
    assert_eq!(first.exit_code(), Some(0));
    assert!(second.ask(&["members"]).contains("alive"));
    drop(second);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "something of value").unwrap();
    assert!(run_refused(&base, 2).contains("can't listen"));
    assert!(path.exists());
}
