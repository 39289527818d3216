use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::process::ExitCode;

use crate::api::MemberView;
use crate::cli::{MembersArgs, SortBy};
use crate::client::{Client, Happening};
use crate::commands::AT_ONCE;
use crate::exit::Failure;
use crate::output::{self, Reader, escape};
use crate::selection::Selection;

/// `mingle members`
pub(crate) fn members(args: &MembersArgs) -> Result<ExitCode, Failure> {
    let pairs = pairs(args);
    let selection = Selection::new(pairs.iter().copied()).map_err(Failure::Input)?;
    let client = Client::new(&args.agent, AT_ONCE)?;
    if args.watch {
        return watch(&client, args, &selection).map(|()| ExitCode::SUCCESS);
    }
    let text = client.members(&pairs)?;
    if args.json && args.sort == SortBy::Name && output::is_plain(&text) {
        return output::print(&text).map(|()| ExitCode::SUCCESS);
    }
    let stranger = |_| client.stranger();
    let mut members: Vec<MemberView> = serde_json::from_str(&text).map_err(stranger)?;
    if args.quiet {
        return Ok(ExitCode::from(u8::from(members.is_empty())));
    }
    members.sort_by(|one, other| compare(args.sort, one, other));
    output::print(&if args.json {
        output::json(&members)
    } else {
        table(&members, args, &columns(&members, args))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What is asked for, as the interface takes it.
fn pairs(args: &MembersArgs) -> Vec<(&'static str, &str)> {
    let states = args.state.iter().map(|state| ("state", state.as_str()));
    let tags = args.tag.iter().map(|tag| ("tag", tag.as_str()));
    let name = args.name.iter().map(|name| ("name", name.as_str()));
    states.chain(tags).chain(name).collect()
}

/// First all members, then a line for each change, until the agent ends or nobody reads any more.
fn watch(client: &Client, args: &MembersArgs, selection: &Selection) -> Result<(), Failure> {
    let mut widths = None;
    for happening in client.watch()? {
        // The agent says each second how it is, if nothing else.
        if output::reader() == Reader::Gone {
            return Ok(());
        }
        let lines = match happening? {
            Happening::Snapshot(mut snapshot) => {
                snapshot.members.retain(|member| selection.has(member));
                snapshot.members.sort_by(|one, other| compare(args.sort, one, other));
                if args.json {
                    output::json_line(&serde_json::json!({ "snapshot": snapshot }))
                } else {
                    let columns = columns(&snapshot.members, args);
                    let text = table(&snapshot.members, args, &columns);
                    widths = Some(columns);
                    text
                }
            }
            Happening::Change(change) if selection.has(&change.member) => {
                if args.json {
                    output::json_line(&serde_json::json!({ "change": change }))
                } else {
                    let row = output::row(
                        &row(&change.member, args),
                        widths.as_deref().unwrap_or_default(),
                    );
                    with_reason(&row, &output::printable(&change.decision.text), output::columns())
                }
            }
            Happening::Gap(gap) => {
                let missed = gap.missed;
                if args.json {
                    output::json_line(&serde_json::json!({ "gap": gap }))
                } else {
                    format!("({missed} events went by; all members again)\n")
                }
            }
            Happening::Change(_)
            | Happening::Decision(_)
            | Happening::Status(_)
            | Happening::Rtts(_)
            | Happening::Log(_)
            | Happening::Other => continue,
            Happening::End => return Ok(()),
        };
        if output::write(&lines)? == Reader::Gone {
            return Ok(());
        }
    }
    Err(client.lost())
}

/// A change and why: beside it, or below it where that takes more columns than the terminal has.
fn with_reason(row: &str, reason: &str, columns: Option<usize>) -> String {
    let line = format!("{row}  {reason}\n");
    let is_short = columns.is_none_or(|columns| output::width(line.trim_end()) <= columns);
    if is_short { line } else { format!("{row}\n    {reason}\n") }
}

/// How two members stand to each other when they are sorted.
pub(crate) fn compare(by: SortBy, one: &MemberView, other: &MemberView) -> Ordering {
    let first = match by {
        SortBy::Name => Ordering::Equal,
        SortBy::State => rank(one).cmp(&rank(other)),
        SortBy::Address => one.address.cmp(&other.address),
        // The latest change first.
        SortBy::Since => other.since.cmp(&one.since),
        // The slowest first; who has none, last.
        SortBy::Rtt => other.rtt_ms.unwrap_or(-1.0).total_cmp(&one.rtt_ms.unwrap_or(-1.0)),
    };
    first.then_with(|| one.name.cmp(&other.name))
}

/// What needs attention comes first.
fn rank(member: &MemberView) -> u8 {
    match member.state.as_str() {
        "suspect" => 0,
        "dead" => 1,
        "alive" => 2,
        _ => 3,
    }
}

const HEADER: [&str; 6] = ["NAME", "ADDRESS", "STATE", "TAGS", "SINCE", "RTT"];
const WIDE: [&str; 2] = ["INCARNATION", "DEGRADED SINCE"];
/// What stands beside changes.
const REASON: &str = "WHY";

fn header(args: &MembersArgs) -> Vec<String> {
    let wide = WIDE.iter().take(if args.wide { WIDE.len() } else { 0 });
    let reason = args.watch.then_some(&REASON);
    HEADER.iter().chain(wide).chain(reason).map(|title| (*title).to_owned()).collect()
}

fn row(member: &MemberView, args: &MembersArgs) -> Vec<String> {
    let mut row = vec![
        escape(&member.name),
        member.address.to_string(),
        escape(&member.state),
        tags(&member.tags),
        escape(&member.since),
        link(member),
    ];
    if args.wide {
        let since =
            member.degraded.as_ref().map_or_else(|| "-".to_owned(), |link| escape(&link.since));
        row.extend([member.incarnation.to_string(), since]);
    }
    row
}

/// The last round trip, and how the member is heard when packets get lost.
pub(crate) fn link(member: &MemberView) -> String {
    let rtt = member.rtt_ms.map_or_else(|| "-".to_owned(), |rtt| format!("{rtt:.3} ms"));
    match &member.degraded {
        None => rtt,
        Some(link) => format!("{rtt}, {}", words(&link.kind)),
    }
}

/// How wide the columns are, also when a member is suspected later.
fn columns(members: &[MemberView], args: &MembersArgs) -> Vec<usize> {
    let rows: Vec<_> = members.iter().map(|member| row(member, args)).collect();
    let mut widths = output::widths(&header(args), &rows);
    if args.watch {
        widths[HEADER.iter().position(|title| *title == "STATE").expect("a column")] =
            "suspect".len();
    }
    widths
}

fn table(members: &[MemberView], args: &MembersArgs, widths: &[usize]) -> String {
    let rows = members.iter().map(|member| row(member, args));
    let lines = std::iter::once(header(args)).chain(rows);
    let text: String = lines.map(|cells| output::row(&cells, widths) + "\n").collect();
    let shows_colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if shows_colours { coloured(&text, members) } else { text }
}

/// Lines of those who are not alive in the colour of their state.
fn coloured(text: &str, members: &[MemberView]) -> String {
    let mut lines = text.lines();
    let mut coloured = lines.next().map(|header| format!("\u{1b}[1m{header}\u{1b}[0m\n"));
    for (line, member) in lines.zip(members) {
        let colour = match member.state.as_str() {
            "alive" => None,
            "suspect" => Some(33),
            "dead" => Some(31),
            _ => Some(2),
        };
        let line = match colour {
            Some(colour) => format!("\u{1b}[{colour}m{line}\u{1b}[0m\n"),
            None => format!("{line}\n"),
        };
        coloured.get_or_insert_default().push_str(&line);
    }
    coloured.unwrap_or_default()
}

/// `streams_only` as it is shown.
pub(crate) fn words(kind: &str) -> String {
    escape(&kind.replace('_', " "))
}

/// Tags on one line.
pub(crate) fn tags(tags: &BTreeMap<String, String>) -> String {
    if tags.is_empty() {
        return "-".to_owned();
    }
    let pairs: Vec<_> =
        tags.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
    pairs.join(",")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::api::DegradedView;
    use crate::cli::{Cli, Command};

    fn args(line: &str) -> MembersArgs {
        let Command::Members(args) = Cli::parse_from(line.split(' ')).command else {
            panic!("{line:?} asks for members");
        };
        args
    }

    fn shown(members: &[MemberView], line: &str) -> String {
        let args = args(line);
        table(members, &args, &columns(members, &args))
    }

    fn hostile() -> MemberView {
        MemberView {
            name: "evil\u{1b}[2J".to_owned(),
            address: "127.0.0.1:7946".parse().unwrap(),
            state: "alive".to_owned(),
            tags: BTreeMap::from([("ro\nle".to_owned(), "w\u{202e}eb".to_owned())]),
            incarnation: 7,
            since: "2025-01-01T00:00:00Z".to_owned(),
            rtt_ms: Some(0.25),
            degraded: Some(DegradedView {
                kind: "streams_only\u{1b}".to_owned(),
                since: String::new(),
            }),
        }
    }

    #[test]
    fn a_hostile_member_takes_one_printable_line() {
        let text = shown(&[hostile()], "mingle members");
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(text.contains("evil\\u{1b}[2J"), "{text}");
        assert!(text.contains("ro\\nle=w\\u{202e}eb"), "{text}");
        assert!(text.ends_with("  0.250 ms, streams only\\u{1b}\n"), "{text}");
        let wide = shown(&[hostile()], "mingle members --wide");
        assert!(wide.lines().next().unwrap().ends_with("INCARNATION  DEGRADED SINCE"), "{wide}");
    }

    #[test]
    fn a_member_whose_packets_pass_has_its_round_trip_alone() {
        let member = MemberView { degraded: None, ..hostile() };
        assert_eq!(link(&member), "0.250 ms");
        assert_eq!(link(&MemberView { rtt_ms: None, ..member }), "-");
    }

    #[test]
    fn a_reason_that_is_too_long_for_the_terminal_stands_below() {
        assert_eq!(with_reason("a  alive", "joined", None), "a  alive  joined\n");
        assert_eq!(with_reason("a  alive", "joined", Some(16)), "a  alive  joined\n");
        assert_eq!(with_reason("a  alive", "joined", Some(15)), "a  alive\n    joined\n");
        let watched = shown(&[hostile()], "mingle members --watch");
        assert!(watched.lines().next().unwrap().ends_with("  WHY"), "{watched}");
    }

    #[test]
    fn members_stand_in_the_order_that_is_asked_for() {
        let of = |name: &str, state: &str, rtt_ms, second| MemberView {
            name: name.to_owned(),
            state: state.to_owned(),
            since: format!("2025-01-01T00:00:0{second}Z"),
            rtt_ms,
            ..hostile()
        };
        let members = [
            of("a", "alive", None, 1),
            of("b", "left", Some(2.0), 2),
            of("c", "suspect", Some(9.0), 3),
            of("d", "dead", Some(2.0), 1),
        ];
        let table = [
            (SortBy::Name, "abcd"),
            (SortBy::State, "cdab"),
            (SortBy::Rtt, "cbda"),
            (SortBy::Since, "cbad"),
            (SortBy::Address, "abcd"),
        ];
        for (by, expected) in table {
            let mut sorted = members.to_vec();
            sorted.sort_by(|one, other| compare(by, one, other));
            let names: String = sorted.iter().map(|member| member.name.as_str()).collect();
            assert_eq!(names, expected, "{by:?}");
        }
    }

    #[test]
    fn colours_are_around_lines_and_in_none() {
        let dead = MemberView { state: "dead".to_owned(), ..hostile() };
        let text = coloured("NAME\nx\ny\n", &[dead, hostile()]);
        assert_eq!(text, "\u{1b}[1mNAME\u{1b}[0m\n\u{1b}[31mx\u{1b}[0m\ny\n");
    }
}
