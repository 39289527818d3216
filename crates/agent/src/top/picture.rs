use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Table};

use super::state::{Rates, State};
use crate::api::{MemberView, StatusEvent};
use crate::members;
use crate::output::{escape, printable};

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let decisions = (frame.area().height / 3).min(12);
    let [head, table, log, last] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Fill(1),
        Constraint::Length(decisions),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(header(state), head);
    draw_members(frame, state, table);
    frame.render_widget(log_of(state, usize::from(log.height)), log);
    let keys = " q quit   n name   s state   r round trip   t latest change   arrows scroll";
    frame.render_widget(Paragraph::new(Span::styled(keys, Color::DarkGray)), last);
}

fn header(state: &State) -> Paragraph<'_> {
    let lines = match &state.status {
        None => vec![Line::from("waiting for the agent to say how it is ...")],
        Some((status, rates)) => summary(status, *rates),
    };
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
    let room = usize::from(area.height.saturating_sub(2));
    let first = state.scroll.min(members.len().saturating_sub(room));
    let shown = members.iter().skip(first).take(room);
    let columns = if area.width < WIDE { &COLUMNS[..4] } else { &COLUMNS[..] };
    let header = columns.iter().map(|(title, _)| Span::raw(*title));
    let header = Row::new(header).style(Modifier::BOLD);
    let widths = columns.iter().map(|(_, width)| *width);
    let title = format!(" members {} to {} of {} ", first + 1, first + shown.len(), members.len());
    let rows = shown.map(|member| row(member, columns.len()));
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

fn row(member: &MemberView, columns: usize) -> Row<'static> {
    let colour = match member.state.as_str() {
        "alive" => Color::Reset,
        "suspect" => Color::Yellow,
        "dead" => Color::Red,
        _ => Color::DarkGray,
    };
    let cells = [
        escape(&member.name),
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
    Paragraph::new(lines.collect::<Vec<_>>()).block(block)
}
