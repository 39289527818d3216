//! What changes of agents while they run: keys, settings, and who is given up.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::process::{Agent, mingle, run_refused, wait, write_secret};

fn refused(agent: &Agent, args: &[&str]) -> String {
    run_refused(&[args, &["--http", &agent.http]].concat(), 1)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_dead_are_said_to_have_left_and_the_living_are_not() {
    let a = Agent::start("a", &[]);
    let b = Agent::start("b", &["--join", &a.gossip()]);
    let mut c = Agent::start("c", &["--join", &a.gossip()]);
    b.wait_for_state("c", "alive");
    assert!(refused(&a, &["force-leave", "c"]).contains("\"c\" is alive"));
    assert!(refused(&a, &["force-leave", "d"]).contains("nothing is known of \"d\""));
    c.kill();
    a.wait_for_state("c", "dead");
    b.wait_for_state("c", "dead");
    assert!(a.ask(&["force-leave", "c"]).starts_with("c counts as left"));
    b.wait_for_state("c", "left");
    assert!(a.ask(&["why", "c"]).contains("said here by an operator"));
    assert!(b.ask(&["why", "c"]).contains("it was dead before it left"));
    a.ask(&["force-leave", "c"]);
    // It was stopped for good, they thought.
    let _again = Agent::start("c", &["--join", &a.gossip()]);
    b.wait_for_state("c", "alive");
}

fn fingerprints(agent: &Agent) -> Vec<String> {
    let first = |line: &str| line.split(' ').next().unwrap().to_owned();
    agent.ask(&["keys", "list"]).lines().map(first).collect()
}

#[test]
fn a_key_changes_while_agents_run_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let keys = mingle(&["keygen"]).output().unwrap().stdout;
    let [one, other] = ["a.json", "b.json"].map(|name| folder.path().join(name));
    for path in [&one, &other] {
        let key = String::from_utf8(keys.clone()).unwrap();
        write_secret(path, &format!("[\"{}\"]", key.trim()));
    }
    let a = Agent::start("a", &["--keyring-file", text(&one)]);
    let b = Agent::start("b", &["--keyring-file", text(&other), "--join", &a.gossip()]);
    let new = String::from_utf8(mingle(&["keygen", "--bytes", "16"]).output().unwrap().stdout);
    let new = new.unwrap();
    for agent in [&a, &b] {
        let http = agent.http.clone();
        let mut install = mingle(&["keys", "install", "-", "--http", &http]);
        let mut child = install.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(new.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
    let [old, fresh] = &fingerprints(&a)[..] else { panic!("two keys") };
    for agent in [&a, &b] {
        agent.ask(&["keys", "use", fresh]);
        assert!(refused(agent, &["keys", "remove", fresh]).contains("use another key first"));
    }
    for agent in [&a, &b] {
        agent.ask(&["keys", "remove", old]);
        assert_eq!(fingerprints(agent), [fresh.as_str()]);
        assert!(refused(agent, &["keys", "use", old]).contains("has no such key"));
    }
    let kept = std::fs::read_to_string(&other).unwrap();
    assert_eq!(serde_json::from_str::<Vec<String>>(&kept).unwrap(), [new.trim()]);
    let _c = Agent::start("c", &["--keyring-file", text(&one), "--join", &b.gossip()]);
    a.wait_for_state("c", "alive");
}

#[test]
fn a_change_of_keys_that_can_not_be_kept_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    write_secret(&path, "[\"AAAAAAAAAAAAAAAAAAAAAA==\"]");
    let agent = Agent::start("a", &["--keyring-file", text(&path)]);
    let before = fingerprints(&agent);
    folder.close().unwrap();
    let sentence = refused(&agent, &["keys", "install", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]);
    assert!(sentence.contains("can't be written"), "{sentence}");
    assert_eq!(fingerprints(&agent), before);
    assert!(refused(&agent, &["keys", "install", "AAAA"]).contains("has 3 bytes"));

    let key = ["--encrypt", "AAAAAAAAAAAAAAAAAAAAAA=="];
    let unkept = Agent::start("b", &key);
    let told = unkept.ask(&["keys", "install", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]);
    assert!(told.ends_with("lasts until the agent ends\n"), "{told}");
    let plain = Agent::start("c", &[]);
    assert_eq!(plain.ask(&["keys", "list"]), "the agent does not encrypt\n");
    assert!(refused(&plain, &["keys", "install", key[1]]).contains("start it with --encrypt"));
}

#[cfg(unix)]
#[test]
fn a_keyring_file_that_others_changed_is_not_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let [path, link] = ["keys.json", "link.json"].map(|name| folder.path().join(name));
    let [one, other] = ["AAAAAAAAAAAAAAAAAAAAAA==", "AQAAAAAAAAAAAAAAAAAAAA=="];
    std::fs::write(&path, format!("[\"{one}\"]")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let agent = Agent::start("a", &["--keyring-file", text(&link)]);
    std::fs::write(&path, format!("[\"{one}\", \"{other}\"]")).unwrap();
    let third = "AgAAAAAAAAAAAAAAAAAAAA==";
    let sentence = refused(&agent, &["keys", "install", third]);
    assert!(sentence.contains("has other keys than the agent"), "{sentence}");
    assert!(agent.ask(&["reload"]).starts_with("keys: "));
    agent.ask(&["keys", "install", third]);
    let kept: Vec<String> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(kept, [one, other, third]);
    assert!(link.is_symlink());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_reload_does_not_bring_back_a_key_that_was_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mingle.toml");
    let [old, new] = ["AAAAAAAAAAAAAAAAAAAAAA==", "AQAAAAAAAAAAAAAAAAAAAA=="];
    std::fs::write(&file, format!("encrypt = \"{old}\"\n")).unwrap();
    let agent = Agent::start("a", &["--config", text(&file)]);
    let first = fingerprints(&agent);
    agent.ask(&["keys", "install", new]);
    agent.ask(&["keys", "use", new]);
    agent.ask(&["keys", "remove", old]);
    assert_eq!(agent.ask(&["reload"]), "nothing has changed\n");
    assert_ne!(fingerprints(&agent), first);
    std::fs::write(&file, format!("encrypt = \"{new}\"\n")).unwrap();
    assert_eq!(agent.ask(&["reload"]), "encrypt: (a key) -> (a key)\n");
}

#[test]
fn settings_are_read_again_and_say_what_needs_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let [file, keys] = ["mingle.toml", "keys.json"].map(|name| folder.path().join(name));
    let write = |text: &str, ring: &str| {
        std::fs::write(&file, format!("keyring_file = {keys:?}\n{text}")).unwrap();
        write_secret(&keys, ring);
    };
    let old = "AAAAAAAAAAAAAAAAAAAAAA==";
    let new = "AQAAAAAAAAAAAAAAAAAAAA==";
    write("label = \"x\"\n[tags]\nrole = \"web\"\n", &format!("[\"{old}\"]"));
    let seed = Agent::start("seed", &["--label", "x", "--encrypt", new]);
    let agent = Agent::start("a", &["--config", text(&file)]);
    assert_eq!(agent.ask(&["reload"]), "nothing has changed\n");

    let changed = format!(
        "label = \"y\"\nlog_level = \"debug\"\nretry_join = [\"{}\"]\n[tags]\nrole = \"db\"\n",
        seed.gossip()
    );
    write(&changed, &format!("[\"{new}\", \"{old}\"]"));
    let told = agent.ask(&["reload"]);
    for line in [
        "label: x -> y, after a restart",
        "log_level: info -> debug",
        "keys: ",
        "retry_join: - -> ",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(told.contains("tag: role=web -> role=db\n") && !told.contains(new), "{told}");
    assert_eq!(agent.ask(&["tags"]), "role=db\n");
    // By the new key, and the new seed.
    seed.wait_for_state("a", "alive");
    assert_eq!(agent.ask(&["reload"]), "label: x -> y, after a restart\n");

    write("tags = 7\nprofile = \"moon\"\n", "[]");
    let sentence = refused(&agent, &["reload"]);
    assert!(sentence.contains("tags") && sentence.contains("\"moon\""), "{sentence}");
    write(&changed, "[]");
    assert!(refused(&agent, &["reload"]).contains("has no key"));
    assert_eq!(agent.ask(&["tags"]), "role=db\n");
    assert_eq!(fingerprints(&agent).len(), 2);
}

#[cfg(unix)]
#[test]
fn a_hangup_reads_the_settings_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mingle.toml");
    std::fs::write(&file, "tags = { role = \"web\" }\n").unwrap();
    let agent = Agent::start("a", &["--config", text(&file)]);
    std::fs::write(&file, "tags = { role = \"db\" }\n").unwrap();
    agent.signal("-HUP");
    agent.wait_for_log("a setting has changed");
    assert_eq!(agent.ask(&["tags"]), "role=db\n");
    std::fs::write(&file, "tags = 7\n").unwrap();
    agent.signal("-HUP");
    let line = agent.wait_for_log("the settings were not taken over");
    assert!(line.contains("tags: a table of texts"), "{line}");
    wait("it goes on", || agent.ask(&["tags"]) == "role=db\n");
}
