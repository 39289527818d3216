//! Scripts: what is done to a few nodes, and below each command what came of it.
//!
//! A script is text. Lines that begin with a space were recorded; comments begin with `#`; every
//! other line is a command. [`replay`] carries the commands out in a new world and gives the script
//! back with what comes of them now. A change of the protocol is then a difference between texts,
//! and [`difference`] shows it.
//!
//! In what is recorded stand the milliseconds since the beginning, who acts, how, towards whom, and
//! what: `->` is a packet, `=>` a message on a stream, `-x` and `=x` are those that do not arrive, and
//! `*` is what a node tells of itself.
//!
//! First come `config FIELD=VALUE` lines, then `nodes COUNT`, then what is done: `start`, `join`, `leave`,
//! `crash`, `restart`, `freeze`, `block`, `slow`, `go`, `leap`, `cut`, `heal`, `forge`, `meta`. `run` and
//! `until` let time pass. `view` and `count` print what nodes see and count; `show`, `hide` and `about`
//! pick what is recorded. A command that is wrong is answered with how it is written.
//!
//! ```
//! let script = "# Two nodes meet.\nnodes 2 latency=1ms\nstart all\njoin n1 n0\nrun 1s\nview all\n";
//! let recorded = mingle_sim::script::replay("meet", script)?;
//! assert!(recorded.contains("n1 joined at 1: it said so itself (stream with n1)"));
//! assert_eq!(mingle_sim::script::replay("meet", &recorded)?, recorded);
//! # Ok::<(), mingle_sim::script::ScriptError>(())
//! ```

mod command;
mod difference;
mod forgery;
mod runner;
mod table;
mod words;

pub use difference::difference;

use command::Command;
use runner::{Problem, Runner};

/// Why a script can't be carried out to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The line is no command, or can't be done.
    #[error("{name}:{line}: {what}")]
    Wrong {
        /// What the script is called.
        name: String,
        /// The line, from 1 on.
        line: usize,
        /// What is wrong, and what is possible.
        what: String,
    },
    /// What the line waits for did not come, or a checker found something.
    #[error("{name}:{line}: {what}")]
    Unmet {
        /// What the script is called.
        name: String,
        /// The line, from 1 on.
        line: usize,
        /// What is so instead.
        what: String,
    },
}

/// Carries out the script `text`, and gives it back with what came of each command. `name` is what
/// errors call it.
///
/// # Errors
///
/// The first line that is no command or can't be done, or after which something was not as it said.
pub fn replay(name: &str, text: &str) -> Result<String, ScriptError> {
    let mut runner = Runner::new();
    let mut replayed = String::new();
    let mut write = |line: &str| {
        replayed.push_str(line);
        replayed.push('\n');
    };
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with(' ')) {
        write(line);
        let error = |problem| {
            let (name, line) = (name.to_owned(), number);
            match problem {
                Problem::Wrong(what) => ScriptError::Wrong { name, line, what },
                Problem::Unmet(what) => ScriptError::Unmet { name, line, what },
            }
        };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let command = Command::parse(line).map_err(Problem::Wrong).map_err(error)?;
        for line in runner.carry_out(command).map_err(error)? {
            write(format!("    {line}").trim_end());
        }
    }
    Ok(replayed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        replay("story", text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_what_is_possible() {
        for (text, expected) in [
            ("# x\njump n0", "story:2: there is no command jump; there are about, block, "),
            ("nodes 3 speed=1", "story:1: \"speed=1\" does not belong here; write: nodes COUNT"),
            ("nodes 3 latency=fast", "\"fast\" is no duration"),
            ("nodes 0", "story:1: nodes is 0; set it from 1 to "),
            ("start n0", "story:1: nothing is there yet; begin with nodes COUNT"),
            ("nodes 2\nstart n2", "story:2: there is no n2; the last one is n1"),
            ("nodes 2\nstart x", "\"x\" names no nodes"),
            ("nodes 2\nrun", "write: run TIME"),
            ("nodes 2\nshow everything", "there are idle, probes, "),
            ("nodes 2\nstart n0\nstart n0", "story:3: n0 runs already"),
            ("config probe_intervall=1s\nnodes 2", "there is no field probe_intervall"),
            (
                "nodes 2\nstart all\nuntil n0 sees n1 alive within 1s",
                "story:3: after 1s n0 does not see n1 alive; it sees nothing of it",
            ),
        ] {
            let told = error(text);
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn what_was_recorded_before_is_replaced() {
        let script = "nodes 1\nstart n0\n    something else\n\n# end\n";
        let expected = "nodes 1\nstart n0\n         0.0  n0 *      starts at 10.0.0.1:7946, incarnation 1\n\n# end\n";
        assert_eq!(replay("story", script).unwrap(), expected);
    }
}
