use std::iter::once;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Table, Wrap};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::state::{Rates, State};
use crate::api::{MemberView, StatusEvent};
use crate::members;
use crate::output::{escape, printable};

/// After so long without a word the picture is of the past: the agent tells each second how it is.
const SILENT: Duration = Duration::from_secs(3);

/// What is known, which was last added to so long ago.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, silent: Duration) {
    let decisions = (frame.area().height / 3).min(12);
    let [head, table, log, last] = Layout::vertical([
        Constraint::Length(5),
        Constraint::Fill(1),
        Constraint::Length(decisions),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(header(state, silent), head);
    draw_members(frame, state, table);
    frame.render_widget(log_of(state, usize::from(log.height)), log);
    let keys = " q quit   n name   s state   r round trip   t latest change   arrows scroll";
    frame.render_widget(Paragraph::new(Span::styled(keys, Color::DarkGray)), last);
}

fn header(state: &State, silent: Duration) -> Paragraph<'_> {
    let mut first = vec![Span::styled(format!(" {}", state.agent), Modifier::BOLD)];
    if silent >= SILENT {
        let text = format!("   no word from it for {} s", silent.as_secs());
        first.push(Span::styled(text, Color::Red));
    }
    let mut lines = vec![Line::from(first)];
    match &state.status {
        None => lines.push(Line::from(" waiting for the agent to say how it is ...")),
        Some((status, rates)) => lines.extend(summary(status, *rates)),
    }
    Paragraph::new(lines)
}

fn summary(status: &StatusEvent, rates: Rates) -> Vec<Line<'_>> {
    let count = |number: u64, word: &'static str, colour: Color| {
        let colour = if number == 0 { Color::DarkGray } else { colour };
        Span::styled(format!("{number} {word}   "), colour)
    };
    let counts = status.members;
    let alive = Line::from(vec![
        Span::raw(" "),
        count(counts.alive, "alive", Color::Green),
        count(counts.suspect, "suspect", Color::Yellow),
        count(counts.dead, "dead", Color::Red),
        count(counts.left, "left", Color::Reset),
        count(status.degraded, "degraded links", Color::Yellow),
    ]);
    let view = &status.view;
    let health = if status.health == 0 {
        "healthy".to_owned()
    } else {
        format!("health score {}", status.health)
    };
    let agreement = format!(
        " agreed by {} of {}   {health}   lag {:.1} ms   {} claims queued",
        view.agreeing, view.told, status.lag_ms, status.queued
    );
    let traffic = format!(
        " in {} packets/s, {} B/s   out {} packets/s, {} B/s",
        rates.packets_in, rates.bytes_in, rates.packets_out, rates.bytes_out
    );
    let warning = status.warnings.first().map_or(Line::default(), |warning| {
        Line::from(Span::styled(format!(" {}", printable(warning)), Color::Yellow))
    });
    vec![alive, Line::from(agreement), Line::from(traffic), warning]
}

fn draw_members(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let members = state.members();
    let room = usize::from(area.height.saturating_sub(3));
    let first = state.scroll.min(members.len().saturating_sub(room));
    let shown = members.iter().skip(first).take(room);
    let columns = if area.width < WIDE { &COLUMNS[..4] } else { &COLUMNS[..] };
    let header = columns.iter().map(|(title, _)| Span::raw(*title));
    let header = Row::new(header).style(Modifier::BOLD);
    let widths = columns.iter().map(|(_, width)| *width);
    let title = match shown.len() {
        0 => format!(" {} members ", members.len()),
        rows => format!(" members {} to {} of {} ", first + 1, first + rows, members.len()),
    };
    // Of long names the beginning is often the same on all.
    let longest = members.iter().map(|member| escape(&member.name).width()).max().unwrap_or(0);
    let longest = longest.clamp(4, usize::from(area.width / 3).max(4));
    let widths =
        once(Constraint::Min(u16::try_from(longest).unwrap_or(u16::MAX))).chain(widths.skip(1));
    let rows = shown.map(|member| row(member, columns.len(), longest));
    let table = Table::new(rows, widths).header(header);
    frame.render_widget(table.block(Block::bordered().title(title)), area);
}

/// What stands above the columns, and their widths; on a narrow terminal the last two are left out.
const COLUMNS: [(&str, Constraint); 6] = [
    ("NAME", Constraint::Fill(1)),
    ("STATE", Constraint::Length(8)),
    ("ADDRESS", Constraint::Length(21)),
    ("RTT", Constraint::Length(24)),
    ("SINCE", Constraint::Length(20)),
    ("TAGS", Constraint::Fill(2)),
];
const WIDE: u16 = 110;

/// A name in so many columns. Where it is too long its middle is left out: the end tells names of a kind apart.
fn name(name: &str, columns: usize) -> String {
    let name = escape(name);
    if name.width() <= columns {
        return name;
    }
    let take = |characters: &mut dyn Iterator<Item = char>, room: usize| {
        let mut used = 0;
        let fits = |character: &char| {
            used += character.width().unwrap_or(0);
            used <= room
        };
        characters.take_while(fits).collect::<Vec<_>>()
    };
    let begin = take(&mut name.chars(), columns / 2);
    let end = take(&mut name.chars().rev(), (columns - 1).saturating_sub(columns / 2));
    begin.into_iter().chain(once('…')).chain(end.into_iter().rev()).collect()
}

fn row(member: &MemberView, columns: usize, longest: usize) -> Row<'static> {
    let colour = match member.state.as_str() {
        "alive" => Color::Reset,
        "suspect" => Color::Yellow,
        "dead" => Color::Red,
        _ => Color::DarkGray,
    };
    let cells = [
        name(&member.name, longest),
        escape(&member.state),
        member.address.to_string(),
        members::link(member),
        escape(&member.since),
        members::tags(&member.tags),
    ];
    Row::new(cells.into_iter().take(columns)).style(colour)
}

fn log_of(state: &State, height: usize) -> Paragraph<'_> {
    let lines = state.decisions.iter().take(height.saturating_sub(2)).map(|decision| {
        let at = decision.at.get(11..19).unwrap_or_default();
        Line::from(format!(" {}  {}", escape(at), decision.sentence()))
    });
    let block = Block::bordered().title(" what the agent decides, the latest first ");
    Paragraph::new(lines.collect::<Vec<_>>()).wrap(Wrap { trim: false }).block(block)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::api::SnapshotEvent;
    use crate::cli::SortBy;
    use crate::client::Happening;

    /// What stands on a screen of this size, line by line.
    fn screen(width: u16, height: u16, silent: Duration) -> Vec<String> {
        let member = |name: &str| {
            serde_json::from_value(serde_json::json!({
                "name": name, "address": "127.0.0.1:1", "state": "alive", "tags": {},
                "incarnation": 1, "since": "", "rtt_ms": null, "degraded": null,
            }))
            .unwrap()
        };
        let long = format!("{}-1", "rack".repeat(15));
        let members = vec![member("a"), member(&long), member("名前")];
        let mut state = State::of("a", SortBy::Name);
        state.take(Happening::Snapshot(SnapshotEvent { version: 1, now: String::new(), members }));
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &state, silent)).unwrap();
        let cells = terminal.backend().buffer().content().chunks(usize::from(width));
        cells.map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
    }

    #[test]
    fn a_picture_of_the_past_says_so() {
        let fresh = screen(80, 24, Duration::from_secs(1));
        assert_eq!(fresh[0].trim(), "a at 127.0.0.1:7946");
        let stale = screen(80, 24, Duration::from_secs(7));
        assert!(stale[0].contains("no word from it for 7 s"), "{stale:?}");
    }

    #[test]
    fn long_names_are_whole_where_there_is_room_and_cut_visibly_where_not() {
        let has = |lines: &[String], text: &str| lines.iter().any(|line| line.contains(text));
        let wide = screen(200, 60, Duration::ZERO);
        assert!(has(&wide, &format!("{}-1 ", "rack".repeat(15))), "{wide:?}");
        let narrow = screen(80, 24, Duration::ZERO);
        assert!(
            has(&narrow, "…") && has(&narrow, "-1 alive") && has(&narrow, "members 1 to 3 of 3"),
            "{narrow:?}"
        );
        assert!(has(&screen(40, 10, Duration::ZERO), "3 members"));
        screen(8, 10, Duration::ZERO);
        // 5 lines above, 1 below, and a third of all for what was decided: a table of one row.
        let low = screen(80, 15, Duration::ZERO);
        assert!(has(&low, "members 1 to 1 of 3") && has(&low, "│a "), "{low:?}");
    }
}
