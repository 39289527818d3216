//! `mingle top`: what an agent knows and does, on a live screen.

mod picture;
mod state;

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};

use self::state::State;
use crate::api::{RecorderView, SelfView};
use crate::cli::{SortBy, TopArgs};
use crate::client::{Client, Happening};
use crate::commands::AT_ONCE;
use crate::exit::Failure;

/// Draws until the agent ends or the user has seen enough.
pub(crate) fn top(args: &TopArgs) -> Result<(), Failure> {
    if !io::stdout().is_terminal() {
        let detail = "top draws on a terminal; for a pipe there is \"mingle members --watch\"";
        return Err(Failure::Input(detail.to_owned()));
    }
    let client = Client::new(&args.agent, AT_ONCE)?;
    let itself: SelfView = client.get("/v1/self")?;
    let past: RecorderView = client.get("/v1/recorder")?;
    let happenings = client.watch()?;
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for happening in happenings {
            if tell.send(happening).is_err() {
                return;
            }
        }
    });
    let mut terminal = ratatui::try_init()
        .map_err(|error| Failure::No(format!("can't draw on this terminal: {error}")))?;
    let end = run(&mut terminal, &told, State::new(args.sort, &itself, past));
    ratatui::restore();
    match end? {
        End::Enough => Ok(()),
        End::AgentEnded => crate::output::print("the agent has ended\n"),
        End::AgentLost => Err(client.lost()),
    }
}

/// Why the screen is left.
enum End {
    Enough,
    AgentEnded,
    AgentLost,
}

/// How long a picture stands.
const PICTURE: Duration = Duration::from_millis(200);

fn run(
    terminal: &mut DefaultTerminal,
    told: &Receiver<Result<Happening, Failure>>,
    mut state: State,
) -> Result<End, Failure> {
    let mut heard = Instant::now();
    loop {
        loop {
            match told.try_recv() {
                Ok(happening) => match happening? {
                    Happening::End => return Ok(End::AgentEnded),
                    happening => {
                        heard = Instant::now();
                        state.take(happening);
                    }
                },
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Ok(End::AgentLost),
            }
        }
        let broken = |error: io::Error| Failure::No(format!("can't draw any more: {error}"));
        terminal.draw(|frame| picture::draw(frame, &state, heard.elapsed())).map_err(broken)?;
        if event::poll(PICTURE).map_err(broken)?
            && let Event::Key(key) = event::read().map_err(broken)?
            && obey(&mut state, key) == Wish::Go
        {
            return Ok(End::Enough);
        }
    }
}

#[derive(PartialEq, Eq)]
enum Wish {
    Stay,
    Go,
}

fn obey(state: &mut State, key: KeyEvent) -> Wish {
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return Wish::Go,
        KeyCode::Char('c') if key.modifiers == KeyModifiers::CONTROL => return Wish::Go,
        KeyCode::Char('n') => state.sort = SortBy::Name,
        KeyCode::Char('s') => state.sort = SortBy::State,
        KeyCode::Char('r') => state.sort = SortBy::Rtt,
        KeyCode::Char('t') => state.sort = SortBy::Since,
        KeyCode::Up => state.scroll = state.scroll.saturating_sub(1),
        KeyCode::Down => state.scroll = state.scroll.saturating_add(1),
        KeyCode::PageUp => state.scroll = state.scroll.saturating_sub(20),
        KeyCode::PageDown => state.scroll = state.scroll.saturating_add(20),
        KeyCode::Home => state.scroll = 0,
        _ => {}
    }
    Wish::Stay
}
