//! What configures an agent, as its operators give it.

use crate::process::{Agent, mingle, run_fine, run_refused, sentence};

fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_agent_starts_with_what_a_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "mingle.toml", "label = \"blue\"\n[tags]\nrole = \"web\"\n");
    assert_eq!(
        run_fine(&["config", "check", &file]),
        "an agent can start with this, where no variable says otherwise\n"
    );
    let agent = Agent::start("a", &["--config", &file]);
    assert_eq!(agent.ask(&["tags"]), "role=web\n");
    assert!(agent.ask(&["info"]).contains("label       blue\n"));
}

#[test]
fn each_value_is_shown_with_where_it_is_from() {
    let folder = tempfile::tempdir().unwrap();
    let keys = write(&folder, "keys.json", "[]");
    let text = format!("name = \"file\"\nprofile = \"wan\"\nkeyring_file = {keys:?}\n");
    let file = write(&folder, "mingle.toml", &text);
    let mut print = mingle(&["config", "print", "--config", &file, "--name", "flag"]);
    let key = "AAAAAAAAAAAAAAAAAAAAAA==";
    let output = print.env("MINGLE_LABEL", "green").env("MINGLE_ENCRYPT", key).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let from = |setting: &str| {
        let line = text.lines().find(|line| line.split(' ').next() == Some(setting));
        line.unwrap().split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(from("name"), "flag command line");
    assert_eq!(from("label"), "green MINGLE_LABEL");
    assert_eq!(from("profile"), format!("wan {file}"));
    assert_eq!(from("compress"), "false default");
    assert!(!text.contains(key) && from("encrypt").ends_with("MINGLE_ENCRYPT"), "{text}");
}

#[test]
fn a_file_with_two_mistakes_is_told_of_both_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "mingle.toml", "nmae = \"a\"\nlog_level = \"loud\"\n");
    for args in [&["config", "check", &file][..], &["agent", "--config", &file]] {
        let output = mingle(args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        for mistake in
            ["nmae: there is no such setting; name is the nearest", "log_level: \"loud\""]
        {
            assert!(stderr.lines().any(|line| line.contains(mistake)), "{args:?}: {stderr}");
        }
    }
}

#[test]
fn a_misspelled_variable_is_told() {
    // A second problem ends the agent at once.
    for (args, code) in [(&["config", "print"][..], 0), (&["agent", "--join", "127.0.0.1:1"], 1)] {
        let places = [("MINGLE_BIND", "127.0.0.1:0"), ("MINGLE_HTTP", "127.0.0.1:0")];
        let output = mingle(args).env("MINGLE_PROFLE", "wan").envs(places).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let told = String::from_utf8(output.stderr).unwrap();
        let expected =
            "the variable MINGLE_PROFLE configures nothing; MINGLE_PROFILE is the nearest";
        assert!(told.contains(expected), "{args:?}: {told}");
    }
}

#[test]
fn a_file_is_not_blamed_for_a_wrong_variable() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "mingle.toml", "label = \"blue\"\nlog_level = \"loud\"\n");
    let args = ["config", "check", &file];
    let output = mingle(&args).env("MINGLE_PROFILE", "moon").output().unwrap();
    let told = sentence(&args, &output, 2);
    assert!(told.contains("log_level: \"loud\"") && !told.contains("label"), "{told}");
}

#[test]
fn what_no_agent_could_start_with_is_told_by_key_whatever_the_variables_say() {
    let folder = tempfile::tempdir().unwrap();
    let long = "l".repeat(300);
    let text =
        format!("name = \"\"\nlabel = \"{long}\"\nbind = \"nonsense\"\njoin = [\"a:b:c\"]\n");
    let file = write(&folder, "wrong.toml", &text);
    let args = ["config", "check", &file];
    let output = mingle(&args).env("MINGLE_BIND", "127.0.0.1:1").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for key in ["name: ", "label: ", "bind: ", "join: "] {
        assert!(stderr.lines().any(|line| line.contains(key)), "{key:?}: {stderr}");
    }
    let tags = format!("[tags]\nrole = \"{}\"\n", "x".repeat(600));
    let file = write(&folder, "tags.toml", &tags);
    assert!(run_refused(&["config", "check", &file], 2).contains("at most 512 fit"));
    let file = write(&folder, "fine.toml", "label = \"blue\"\n");
    let output =
        mingle(&["config", "check", &file]).env("MINGLE_BIND", "nonsense").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let told = run_fine(&["config", "print", "--json", "--config", &file]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let of = |name: &str| told.as_array().unwrap().iter().find(|one| one["setting"] == name);
    assert_eq!(of("label").unwrap()["value"], "blue");
    assert_eq!(of("bind").unwrap()["value"], "127.0.0.1:7946");
}

#[test]
fn what_init_writes_is_a_fine_configuration_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.toml");
    let path = path.to_str().unwrap();
    run_fine(&["config", "init", path]);
    run_fine(&["config", "check", path]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), run_fine(&["config", "init"]));
    assert!(run_refused(&["config", "init", path], 2).contains("is there already"));
}

#[cfg(unix)]
#[test]
fn an_agent_that_is_told_so_ends_without_a_goodbye() {
    let a = Agent::start("a", &[]);
    let mut b = Agent::start("b", &["--join", &a.gossip(), "--leave-on-terminate=false"]);
    a.wait_for_state("b", "alive");
    b.signal("-TERM");
    assert_eq!(b.exit_code(), Some(0));
    a.wait_for_state("b", "dead");
}
