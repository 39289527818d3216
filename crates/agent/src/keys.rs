use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mingle::{Key, Keyring};
use serde_json::Value;
use tempfile::NamedTempFile;
use tracing::info;

use crate::access;
use crate::agent::Running;
use crate::api::{KeyView, KeysRequest, KeysView};
use crate::cli::KeygenArgs;
use crate::exit::Failure;
use crate::output;

/// Where to get a key that works, for the end of sentences.
const REMEDY: &str = "make one with \"mingle keygen\"";

/// Reads the key of `--encrypt`. What is wrong with it is said without showing it.
pub(crate) fn parse(text: &str) -> Result<Keyring, Failure> {
    let key = key(text).map_err(|reason| Failure::Input(format!("the key {reason}; {REMEDY}")))?;
    Ok(Keyring::new(vec![key]))
}

/// Reads a keyring file as Serf writes them: a JSON array of keys, the first of which encrypts.
pub(crate) fn read(path: &Path) -> Result<Keyring, Failure> {
    let name = output::escape(&path.display().to_string());
    let refuse = |reason: String| Failure::Input(format!("the keyring file {name} {reason}"));
    keyring(&access::secret("keyring", path)?).map_err(refuse)
}

fn keyring(text: &[u8]) -> Result<Keyring, String> {
    let entries: Vec<Value> = serde_json::from_slice(text).map_err(|_| {
        "is no JSON array; write one of base64 keys, the first of which encrypts".to_owned()
    })?;
    let mut keys = Keyring::default();
    for (index, entry) in entries.iter().enumerate() {
        let number = index + 1;
        let refuse =
            |reason: String| format!("has an entry {number} that {reason}; {REMEDY} or remove it");
        let text = entry.as_str().ok_or_else(|| refuse("is no text".to_owned()))?;
        keys.add(key(text).map_err(refuse)?)
            .map_err(|_| format!("has more than {} keys; remove old ones", Keyring::MAX_KEYS))?;
    }
    if keys.is_empty() {
        return Err(format!("has no key; {REMEDY}"));
    }
    Ok(keys)
}

/// Shows the keys of an agent.
pub(crate) async fn view(running: &Running) -> KeysView {
    let changing = running.changing.lock().await;
    let file = changing.keyring_file.as_ref().map(|path| path.display().to_string());
    drop(changing);
    let stats = running.cluster.stats().await;
    let keys = running.cluster.list_keys();
    KeysView {
        keys: keys
            .iter()
            .map(|key| KeyView { fingerprint: fingerprint(key), bits: key.as_bytes().len() * 8 })
            .collect(),
        file,
        sealed: stats.get("messages_sealed_under_key").unwrap_or_default(),
    }
}

/// Changes the keys of an agent, its keyring file first. When that can't be written, nothing has changed. It
/// goes on to its end when nobody waits for it any more.
pub(crate) async fn change(running: &Arc<Running>, request: KeysRequest) -> Result<(), Failure> {
    let running = Arc::clone(running);
    tokio::spawn(async move { apply(&running, &request).await }).await.expect("it does not panic")
}

async fn apply(running: &Running, request: &KeysRequest) -> Result<(), Failure> {
    let changing = running.changing.lock().await;
    let held = Keyring::new(running.cluster.list_keys());
    let mut ring = held.clone();
    if ring.is_empty() {
        return Err(Failure::No(
            "the agent does not encrypt; start it with --encrypt or --keyring-file".to_owned(),
        ));
    }
    let result = match request {
        KeysRequest::Install(text) => {
            let key =
                key(text).map_err(|why| Failure::Input(format!("the key {why}; {REMEDY}")))?;
            ring.add(key)
        }
        KeysRequest::Use(text) => ring.use_key(&find(&ring, text)?),
        KeysRequest::Remove(text) => ring.remove(&find(&ring, text)?),
    };
    result.map_err(|error| Failure::No(error.to_string()))?;
    if let Some(path) = changing.keyring_file.clone() {
        let text = spell(&ring);
        let writing = tokio::task::spawn_blocking(move || replace(&path, &held, &text));
        writing.await.expect("it does not panic")?;
    }
    info!(keys = fingerprints(&ring), "the keys have changed");
    running.cluster.set_keyring(ring).map_err(|error| Failure::No(error.to_string()))
}

/// The key of a ring that a text stands for.
fn find(ring: &Keyring, text: &str) -> Result<Key, Failure> {
    let same: Vec<_> = ring.iter().filter(|key| fingerprint(key) == text.trim()).collect();
    match same.as_slice() {
        [key] => Ok((*key).clone()),
        [] => {
            let key = key(text).ok().filter(|key| ring.iter().any(|held| held == key));
            key.ok_or_else(|| {
                Failure::No(
                    "the agent has no such key; see the fingerprints in \"mingle keys list\", or \
                     install it first"
                        .to_owned(),
                )
            })
        }
        _ => Err(Failure::No("several keys have this fingerprint; give the key".to_owned())),
    }
}

/// Writes other keys, unless the file has other ones by now than the agent.
fn replace(path: &Path, held: &Keyring, text: &str) -> Result<(), Failure> {
    // A link stays one.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = output::escape(&path.display().to_string());
    if path.exists() && read(&path)? != *held {
        return Err(Failure::No(format!(
            "the keyring file {name} has other keys than the agent; take them over with \"mingle \
             reload\" first"
        )));
    }
    write(&path, text).map_err(|error| {
        Failure::No(format!(
            "the keyring file {name} can't be written: {}; let the agent write in its folder",
            output::reason(&error)
        ))
    })
}

/// Brings a text to the disk whole, beside the old file and then in its place.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let file = beside(path, text)?;
    if let Ok(old) = std::fs::metadata(path) {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.persist(path)?;
    #[cfg(unix)]
    std::fs::File::open(folder(path))?.sync_all()?;
    Ok(())
}

/// A file with a text that only its owner may read, in the folder of another one.
fn beside(path: &Path, text: &str) -> std::io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder(path))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// As a keyring file has them.
fn spell(ring: &Keyring) -> String {
    let keys: Vec<_> = ring.iter().map(|key| STANDARD.encode(key.as_bytes())).collect();
    output::json(&keys)
}

/// The name of a key that is safe to show.
pub(crate) fn fingerprint(key: &Key) -> String {
    format!("{:08x}", key.fingerprint())
}

/// What is safe to show of keys, the one that encrypts first.
pub(crate) fn fingerprints(ring: &Keyring) -> String {
    ring.iter().map(fingerprint).collect::<Vec<_>>().join(", ")
}

/// A key from its spelling, or what is wrong with it.
fn key(text: &str) -> Result<Key, String> {
    let bytes = STANDARD.decode(text.trim()).map_err(|_| "is not base64".to_owned())?;
    Key::from_bytes(&bytes)
        .map_err(|_| format!("has {} bytes instead of 16, 24 or 32", bytes.len()))
}

/// Prints a fresh key.
pub(crate) fn generate(args: &KeygenArgs) -> Result<(), Failure> {
    let mut bytes = [0; 32];
    let bytes = bytes.get_mut(..args.bytes.into()).expect("no key is longer than 32 bytes");
    getrandom::fill(bytes).map_err(|_| {
        Failure::No("the operating system gives no random numbers, which a key needs".to_owned())
    })?;
    let key = STANDARD.encode(bytes);
    if let Some(path) = &args.keyring_file {
        return make(path, &key);
    }
    if args.json {
        return output::print(&output::json_line(&serde_json::json!({ "key": key })));
    }
    output::print(&(key + "\n"))
}

/// Makes a keyring file that only its owner may read.
fn make(path: &Path, key: &str) -> Result<(), Failure> {
    let name = output::escape(&path.display().to_string());
    let made = beside(path, &output::json(&[key]))
        .and_then(|file| Ok(file.persist_noclobber(path).map(|_| ())?));
    made.map_err(|error| output::not_made(&name, &error))?;
    output::print(&format!("{name} has one new key: give it to all members\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_one_of_three_lengths() {
        for length in 0..40 {
            let text = STANDARD.encode(vec![7; length]);
            match parse(&text) {
                Ok(ring) => {
                    assert!([16, 24, 32].contains(&length));
                    assert_eq!(ring.iter().len(), 1);
                }
                Err(Failure::Input(sentence)) => {
                    assert!(![16, 24, 32].contains(&length));
                    assert!(sentence.contains(&format!("has {length} bytes")), "{sentence}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_wrong_key_is_not_repeated() {
        let Err(Failure::Input(sentence)) = parse("hunter2!") else { panic!("it is refused") };
        assert_eq!(sentence, "the key is not base64; make one with \"mingle keygen\"");
    }

    #[test]
    fn the_first_key_of_a_file_encrypts() {
        let (first, second) = (STANDARD.encode([1; 16]), STANDARD.encode([2; 32]));
        let ring = keyring(format!("[\"{first}\",\n\"{second}\"]").as_bytes()).unwrap();
        assert_eq!(ring.iter().len(), 2);
        assert_eq!(ring.primary().map(Key::as_bytes), Some([1; 16].as_slice()));
    }

    #[test]
    fn wrong_keyring_files_are_refused_with_the_entry() {
        let good = STANDARD.encode([1; 16]);
        let many: Vec<_> = (0..65).map(|byte| STANDARD.encode([byte; 16])).collect();
        let table = [
            (String::new(), "is no JSON array"),
            ("{}".to_owned(), "is no JSON array"),
            (good.clone(), "is no JSON array"),
            ("[]".to_owned(), "has no key"),
            (format!("[\"{good}\", 7]"), "entry 2 that is no text"),
            (format!("[\"{good}\", [\"{good}\"]]"), "entry 2 that is no text"),
            ("[\"?\"]".to_owned(), "entry 1 that is not base64"),
            (format!("[\"{good}\", \"AAAA\"]"), "entry 2 that has 3 bytes"),
            (serde_json::to_string(&many).unwrap(), "more than 64 keys"),
        ];
        for (text, expected) in table {
            let reason = keyring(text.as_bytes()).unwrap_err();
            assert!(reason.contains(expected), "{text:?}: {reason}");
        }
    }
}
