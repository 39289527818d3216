use std::fmt::Write;
use std::time::Duration;

use crate::api::{DecisionView, EvidenceView, MemberView, SelfView, WhyView};
use crate::cli::WhyArgs;
use crate::client::Client;
use crate::commands::AT_ONCE;
use crate::exit::Failure;
use crate::members::words;
use crate::output::{self, escape, printable};

/// `mingle why`
pub(crate) fn why(args: &WhyArgs) -> Result<(), Failure> {
    let client = Client::new(&args.agent, AT_ONCE)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => client.get::<SelfView>("/v1/self")?.name,
    };
    let view: WhyView = client.get(&format!("/v1/members/{}/why", in_path(&name)))?;
    output::print(&if args.json { output::json(&view) } else { text(&view) })
}

/// A name as one segment of a path.
fn in_path(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                segment.push(char::from(byte));
            }
            _ => {
                let _ = write!(segment, "%{byte:02X}");
            }
        }
    }
    segment
}

/// An answer for people, who may read it in a terminal.
pub(crate) fn text(view: &WhyView) -> String {
    let clock = Clock { today: view.now.get(..DATE).unwrap_or_default() };
    let mut text = headline(view, &clock);
    text.push('\n');
    if view.timeline.is_empty() {
        text.push_str("Nothing was decided of it since this agent started.\n");
    }
    for decision in &view.timeline {
        add_decision(&mut text, decision, &clock);
    }
    if !view.ourselves.is_empty() {
        text.push_str("\nThis agent itself at that time:\n");
    }
    for decision in &view.ourselves {
        add_decision(&mut text, decision, &clock);
    }
    if !view.hints.is_empty() {
        text.push_str("\nHints:\n");
    }
    for hint in &view.hints {
        let _ = writeln!(text, "- {}", printable(hint));
    }
    if let Some(dropped) = &view.dropped {
        let (count, until) = (dropped.count, clock.time(&dropped.until));
        let _ = writeln!(
            text,
            "\nUntil {until} some may be missing: {count} older decisions of this agent, of whatever \
             member, were dropped."
        );
    }
    text
}

/// What is so now, and since when.
fn headline(view: &WhyView, clock: &Clock<'_>) -> String {
    let name = escape(&view.name);
    let Some(member) = &view.member else {
        return format!(
            "{name} is not known any more: it was gone for so long that it was forgotten\n"
        );
    };
    let MemberView { address, incarnation, .. } = member;
    let since = clock.time(&member.since);
    let ago = ago(view.state_seconds.unwrap_or_default());
    let state = match member.state.as_str() {
        "left" => "has left the cluster".to_owned(),
        state => format!("is {}", escape(state)),
    };
    let who = if view.itself { ", this agent," } else { "" };
    let rtt = member.rtt_ms.map(|rtt| format!(", last round trip {rtt:.3} ms")).unwrap_or_default();
    let link = member.degraded.as_ref().map(|link| {
        let (since, how) = (clock.time(&link.since), words(&link.kind));
        format!("link degraded since {since} UTC ({how}): packets to it or back get lost\n")
    });
    format!(
        "{name}{who} {state} since {since} UTC ({ago} ago)\n\
         address {address}, incarnation {incarnation}{rtt}\n{}",
        link.unwrap_or_default()
    )
}

fn add_decision(text: &mut String, decision: &DecisionView, clock: &Clock<'_>) {
    let time = clock.time(&decision.at);
    let _ = write!(text, "{time}  {}", printable(&decision.text));
    if decision.times > 1 {
        let _ = write!(text, " ({} times since {})", decision.times, clock.time(&decision.first));
    }
    text.push('\n');
    let width = time.chars().count();
    if let Some(link) = decision.link_degraded.as_ref().or(decision.link_restored.as_ref()) {
        let _ = writeln!(text, "{:width$}  it began at {}", "", clock.time(&link.since));
    }
    let evidence = match (&decision.member, &decision.refuted) {
        (Some(change), _) => Some((&change.evidence, change.change.as_str())),
        (None, Some(refuted)) => Some((&refuted.evidence, "refuted")),
        (None, None) => None,
    };
    if let Some(grounds) = evidence.and_then(|(evidence, change)| grounds(evidence, change)) {
        let _ = writeln!(text, "{:width$}  {grounds}", "");
    }
}

/// How it came to be known, and how good a witness this agent is.
fn grounds(evidence: &EvidenceView, change: &str) -> Option<String> {
    let mut grounds = Vec::new();
    if let Some(peer) = evidence.peer {
        grounds.push(match evidence.via.as_str() {
            "stream" => format!("heard on a stream with {peer}"),
            _ => format!("heard in a packet from {peer}"),
        });
    }
    if matches!(change, "suspected" | "failed") {
        grounds.push(match evidence.last_ack_ms {
            Some(before) => format!("it last answered this agent {} before", duration(before)),
            None => "it has never answered this agent".to_owned(),
        });
    }
    if matches!(change, "suspected" | "failed" | "refuted") {
        grounds.push(match evidence.lag_ms {
            lag if lag > 0.0 => format!("our own timers were up to {} late", duration(lag)),
            _ => "our own timers were on time".to_owned(),
        });
    }
    (!grounds.is_empty()).then(|| grounds.join("; "))
}

fn duration(milliseconds: f64) -> String {
    let duration = Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default();
    format!("{duration:.1?}")
}

/// The length of `2026-11-21`.
const DATE: usize = 10;

/// Spells moments for whoever reads them today.
struct Clock<'a> {
    today: &'a str,
}

impl Clock<'_> {
    /// The time of an RFC 3339 moment in UTC, after its date unless that is today's.
    fn time(&self, moment: &str) -> String {
        let moment = moment.trim_end_matches('Z');
        escape(&match moment.split_once('T') {
            Some((date, time)) if date == self.today => time.to_owned(),
            Some((date, time)) => format!("{date} {time}"),
            None => moment.to_owned(),
        })
    }
}

/// A span of time in its two largest units.
fn ago(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::DroppedView;

    #[test]
    fn every_name_is_one_segment_of_a_path() {
        let table = [
            ("db-3.example_org~", "db-3.example_org~"),
            ("a/b?c#d%", "a%2Fb%3Fc%23d%25"),
            ("z\u{fc} \u{1b}", "z%C3%BC%20%1B"),
        ];
        for (name, expected) in table {
            assert_eq!(in_path(name), expected);
        }
    }

    #[test]
    fn spans_of_time_have_two_units() {
        let table =
            [(0, "0s"), (59, "59s"), (250, "4m 10s"), (11_530, "3h 12m"), (446_400, "5d 4h")];
        for (seconds, expected) in table {
            assert_eq!(ago(seconds), expected);
        }
    }

    #[test]
    fn nothing_of_an_answer_can_do_anything_to_a_terminal() {
        let hostile = "\u{1b}[2J\u{202e}".to_owned();
        let decision = DecisionView {
            at: hostile.clone(),
            first: hostile.clone(),
            times: 2,
            text: hostile.clone(),
            ..DecisionView::default()
        };
        let view = WhyView {
            name: hostile.clone(),
            itself: false,
            now: hostile.clone(),
            member: None,
            state_seconds: None,
            timeline: vec![decision.clone()],
            ourselves: vec![decision],
            hints: vec![hostile.clone()],
            dropped: Some(DroppedView { count: 1, until: hostile }),
        };
        let text = text(&view);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }

    #[test]
    fn the_date_is_left_out_today() {
        let clock = Clock { today: "2026-11-21" };
        assert_eq!(clock.time("2026-11-21T03:12:44.007Z"), "03:12:44.007");
        assert_eq!(clock.time("2026-11-20T03:12:44Z"), "2026-11-20 03:12:44");
    }
}
