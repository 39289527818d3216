use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mingle::State;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Text, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, Wrap};
use ratatui::{DefaultTerminal, Frame};

use super::stage::{Kind, Line, Scene, Stage};
use crate::exit::Failure;

/// Draws the stage on the terminal, in a thread of its own.
pub(super) struct Screen {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// How long a picture stands.
const PICTURE: Duration = Duration::from_millis(100);

impl Screen {
    pub(super) fn open(stage: Arc<Stage>) -> Result<Self, Failure> {
        let terminal = ratatui::try_init().map_err(|error| {
            Failure::No(format!("can't draw on this terminal: {error}; pipe into cat for lines"))
        })?;
        let over = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&over);
        let thread = std::thread::spawn(move || draw_until_over(terminal, &stage, &watched));
        Ok(Self { over, thread })
    }

    /// Gives the terminal back as it was.
    pub(super) fn close(self) {
        self.over.store(true, Ordering::Relaxed);
        // A panic in it was shown by itself.
        let _ = self.thread.join();
        ratatui::restore();
    }
}

fn draw_until_over(mut terminal: DefaultTerminal, stage: &Stage, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let scene = stage.scene().clone();
        let elapsed = stage.elapsed();
        if terminal.draw(|frame| draw(frame, &scene, elapsed)).is_err() || is_enough() {
            stage.quit().notify_one();
            return;
        }
    }
}

/// Waits until the next picture is due; whether the audience wants to go.
fn is_enough() -> bool {
    match event::poll(PICTURE) {
        Ok(false) => false,
        Ok(true) => match event::read() {
            Ok(Event::Key(key)) => {
                let is_interrupt =
                    key.code == KeyCode::Char('c') && key.modifiers == KeyModifiers::CONTROL;
                is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
            }
            Ok(_) | Err(_) => false,
        },
        Err(_) => true,
    }
}

fn draw(frame: &mut Frame<'_>, scene: &Scene, elapsed: Duration) {
    let rows = u16::try_from(scene.names.len() + 3).unwrap_or(u16::MAX);
    let height = rows.min(frame.area().height / 2);
    let [above, below, last] =
        Layout::vertical([Constraint::Length(height), Constraint::Fill(1), Constraint::Length(1)])
            .areas(frame.area());
    let seconds = elapsed.as_secs();
    let title =
        format!(" mingle demo, {seconds} s: what the agents (across) believe of each (down) ");
    frame.render_widget(beliefs(scene, above).block(Block::bordered().title(title)), above);
    let room = usize::from(below.height.saturating_sub(2));
    frame.render_widget(story(scene, room, usize::from(below.width)), below);
    frame.render_widget(Paragraph::new(legend()), last);
}

/// Where not all fit there are letters in place of words, and the last rows: it is they to whom something
/// happens.
fn beliefs(scene: &Scene, area: Rect) -> Table<'_> {
    let columns = u16::try_from(scene.names.len() + 1).unwrap_or(u16::MAX);
    let is_wide = columns.saturating_mul(9) < area.width;
    let room = usize::from(area.height.saturating_sub(3));
    let hidden = scene.names.len().saturating_sub(room);
    let header = scene.names.iter().map(|name| Cell::from(name.as_str()));
    let header = Row::new(std::iter::once(Cell::from("")).chain(header)).style(Modifier::BOLD);
    let rows = scene.names.iter().enumerate().skip(hidden).map(|(member, name)| {
        let cells = scene.beliefs.iter().map(|held| {
            let held = held.as_ref().map(|held| held.get(member).copied().flatten());
            let symbol = symbol(held);
            Cell::from(if is_wide { symbol } else { letter(&symbol) })
        });
        Row::new(std::iter::once(Cell::from(name.as_str())).chain(cells))
    });
    let width = Constraint::Length(if is_wide { 8 } else { 2 });
    let widths = std::iter::repeat_n(width, scene.names.len() + 1);
    Table::new(rows, widths).header(header)
}

/// A word beside the colour, for those who do not see it.
fn symbol(held: Option<Option<State>>) -> Span<'static> {
    match held {
        None => Span::raw(""),
        Some(None) => Span::styled("-", Color::DarkGray),
        Some(Some(State::Alive)) => Span::styled("alive", Color::Green),
        Some(Some(State::Suspect)) => Span::styled("suspect", Color::Yellow),
        Some(Some(State::Dead)) => Span::styled("dead", Color::Red),
        Some(Some(State::Left)) => Span::styled("left", Color::DarkGray),
    }
}

/// The first letter of a word, in its colour.
fn letter(symbol: &Span<'_>) -> Span<'static> {
    Span::styled(symbol.content.chars().take(1).collect::<String>(), symbol.style)
}

/// The last lines that there is room for.
fn story(scene: &Scene, room: usize, width: usize) -> Paragraph<'_> {
    let rows = |line: &Line| (line.text.len() + 12).div_ceil(width.saturating_sub(2).max(20));
    let mut used = 0;
    let fits = |line: &&Line| {
        used += rows(line);
        used <= room
    };
    let mut last: Vec<_> = scene.lines.iter().rev().take_while(fits).collect();
    last.reverse();
    let lines: Vec<_> = last.into_iter().map(spell).collect();
    Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .block(Block::bordered().title(" what happens "))
}

fn spell(line: &Line) -> Text<'_> {
    match line.kind {
        Kind::Act => {
            let at = format!("{:7.2} s  ", line.at.as_secs_f64());
            let text = Span::styled(line.text.as_str(), Style::new().add_modifier(Modifier::BOLD));
            Text::from(vec![Span::styled(at, Color::DarkGray), text])
        }
        Kind::Fact => Text::from(vec![Span::raw("           "), Span::raw(line.text.as_str())]),
    }
}

fn legend() -> Text<'static> {
    Text::from(Span::styled(" q ends", Color::DarkGray))
}
