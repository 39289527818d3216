//! What the commands print.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::process::{Agent, free, mingle, run, run_fine, run_refused, wait};

#[test]
fn a_closed_stdout_is_no_failure() {
    let a = Agent::start("a", &[]);
    let http = a.http.clone();
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
    assert_eq!(names(&b.ask(&["members", "--name", "z.*"])), ["NAME", "zebra"]);
    assert!(b.ask(&["members", "--wide"]).contains("INCARNATION"));
    for wrong in [["--name", "("], ["--tag", "role"]] {
        run_refused(&["members", wrong[0], wrong[1]], 2);
    }
}

#[test]
fn tags_change_while_the_agent_runs() {
    let a = Agent::start("a", &["--tag", "role=web", "--tag", "dc=eu"]);
    let b = Agent::start("b", &["--join", &a.gossip()]);
    assert_eq!(a.ask(&["tags"]), "dc=eu\nrole=web\n");
    let change = ["tags", "--set", "role=db", "--set", "rack=7", "--delete", "dc"];
    assert_eq!(a.ask(&change), "rack=7\nrole=db\n");
    wait("b sees the new tags", || {
        b.ask(&["members", "--tag", "role=db", "--tag", "rack=[0-9]"]).lines().count() == 2
    });
    let http = a.http.clone();
    let huge = format!("x={}", "y".repeat(600));
    let sentence = run_refused(&["tags", "--set", &huge, "--http", &http], 1);
    assert!(sentence.contains("512"), "{sentence}");
    run_refused(&["tags", "--set", "role", "--http", &http], 2);
    assert_eq!(a.ask(&["tags"]), "rack=7\nrole=db\n");
    let bare = Agent::start("bare", &["--delegate", "none"]);
    run_refused(&["tags", "--set", "a=b", "--http", &bare.http], 1);
}

#[test]
fn the_program_describes_itself() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(run_fine(&["completions", shell]).contains("keygen"), "{shell}");
    }
    assert!(run_fine(&["man"]).contains(".TH mingle 1"));
    assert!(run_fine(&["man", "members"]).contains("KEY=REGEX"));
    assert!(run_fine(&["version"]).starts_with(concat!(
        "mingle ",
        env!("CARGO_PKG_VERSION"),
        "\n"
    )));
    run_refused(&["man", "nothing"], 2);
    assert!(run_refused(&["top"], 2).contains("members --watch"));
}

/// Runs a command that goes on until the agent leaves, and gives what it has printed.
fn follow(agent: &Agent, args: &[&str], meanwhile: impl FnOnce()) -> String {
    let http = agent.http.clone();
    let command = [args, &["--http", &http]].concat();
    let mut child = mingle(&command).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // It has begun when it has said how things are.
    let first = lines.next().unwrap().unwrap();
    meanwhile();
    agent.ask(&["leave"]);
    let rest: Vec<_> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}");
    format!("{first}\n{}", rest.join("\n"))
}

#[test]
fn members_are_watched_until_the_agent_ends() {
    for (args, expected) in [
        (&["members", "--watch"][..], ["NAME", "joined", "left"]),
        (&["members", "--watch", "--json"], ["\"snapshot\"", "\"joined\"", "\"left\""]),
        (&["monitor"], ["1 alive", "\"b\" joined: ", "\"b\" left: "]),
    ] {
        let a = Agent::start("a", &[]);
        let text = follow(&a, args, || {
            let b = Agent::start("b", &["--join", &a.gossip()]);
            a.wait_for_state("b", "alive");
            b.ask(&["leave"]);
            a.wait_for_state("b", "left");
        });
        for word in expected {
            assert!(text.contains(word), "{args:?}: {text}");
        }
    }
}

#[test]
fn a_watch_ends_when_nobody_reads_it_and_fails_when_the_agent_is_killed() {
    let mut a = Agent::start("a", &[]);
    let http = a.http.clone();
    let watch = || mingle(&["members", "--watch", "--http", &http]);
    let mut unread = watch().stdout(Stdio::piped()).spawn().unwrap();
    let mut read = watch().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(unread.stdout.take().unwrap()).read_line(&mut line).unwrap();
    BufReader::new(read.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let b = Agent::start("b", &["--join", &a.gossip()]);
    assert_eq!(unread.wait().unwrap().code(), Some(0));
    a.kill();
    let output = read.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    drop(b);
}

#[test]
fn the_variable_finds_the_agent() {
    let a = Agent::start("a", &[]);
    let output = mingle(&["info"]).env("MINGLE_HTTP", a.http.clone()).output().unwrap();
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

#[test]
fn whether_a_member_is_there_is_said_by_the_exit_code() {
    let a = Agent::start("a", &[]);
    for (args, code) in [(["--state", "alive"], 0), (["--name", "b"], 1)] {
        let command = [&["members", "--quiet", "--http", &a.http][..], &args].concat();
        let output = run(&command);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    }
}
