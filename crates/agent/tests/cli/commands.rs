//! What the commands print.

use std::process::Stdio;

use crate::process::{Agent, free, mingle, run, run_fine, run_refused};

#[test]
fn a_closed_stdout_is_no_failure() {
    let a = Agent::start("a", &[]);
    let http = a.http.to_string();
    let commands: [&[&str]; 6] = [
        &["why", "--http", &http],
        &["members", "--http", &http],
        &["info", "--http", &http],
        &["keygen"],
        &["--help"],
        &["-V"],
    ];
    for args in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = mingle(args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
    }
}

#[test]
fn what_peers_choose_can_do_nothing_to_a_terminal() {
    let a = Agent::start("a", &[]);
    let tags = ["--tag", "ro\u{1b}[2Jle=w\u{202e}eb\u{9b}\n", "--tag", "plain=zürich"];
    let b = Agent::start("b", &[&["--join", &a.gossip()], &tags[..]].concat());
    b.wait_for_state("a", "alive");
    for args in [&["members"][..], &["members", "--json"], &["info"], &["info", "--json"]] {
        let text = b.ask(args);
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(bad), "{args:?}: {text:?}");
        assert!(text.contains("zürich"), "{args:?}: {text:?}");
    }
    assert_eq!(a.ask(&["members"]).lines().count(), 3);
}

#[test]
fn members_are_sorted_and_filtered() {
    let a = Agent::start("zebra", &[]);
    let b = Agent::start("ant", &["--join", &a.gossip()]);
    let names = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&b.ask(&["members"])), ["NAME", "ant", "zebra"]);
    assert_eq!(names(&b.ask(&["members", "--state", "alive"])), ["NAME", "ant", "zebra"]);
    assert_eq!(names(&b.ask(&["members", "--state", "left"])), ["NAME"]);
    assert_eq!(b.ask(&["members", "--state", "dead", "--json"]), "[]\n");
}

#[test]
fn the_variable_finds_the_agent() {
    let a = Agent::start("a", &[]);
    let output = mingle(&["info"]).env("MINGLE_HTTP", a.http.to_string()).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("name        a\n"));
}

#[test]
fn keys_are_of_the_length_that_was_asked_for() {
    for (bytes, digits) in [("16", 24), ("24", 32), ("32", 44)] {
        assert_eq!(run_fine(&["keygen", "--bytes", bytes]).trim_end().len(), digits);
    }
    assert_eq!(run(&["keygen", "--bytes", "20"]).status.code(), Some(2));
}

#[test]
fn help_and_version_are_answers() {
    assert!(run_fine(&["--version"]).starts_with("mingle "));
    let help = run_fine(&["--help"]);
    assert!(help.contains("Exit codes:") && help.contains("mingle agent --name b"), "{help}");
    for command in ["agent", "members", "join", "leave", "info", "why", "keygen"] {
        assert!(help.contains(command), "{help}");
        assert!(run_fine(&[command, "--help"]).contains("Example"), "{command}");
    }
}

#[test]
fn without_an_agent_commands_end_with_3_and_the_remedy() {
    let [address, _] = free();
    let http = address.to_string();
    for command in
        [&["members"][..], &["info"], &["why"], &["why", "a"], &["leave"], &["join", "10.0.0.1"]]
    {
        let sentence = run_refused(&[command, &["--http", &http]].concat(), 3);
        assert_eq!(
            sentence,
            format!(
                "no agent answers at http://{http}: start one with \"mingle agent\", \
                 or name it with --http or MINGLE_HTTP"
            )
        );
    }
}
