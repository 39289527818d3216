//! `mingle demo`: real agents in one process, to whom things happen.

mod crew;
mod link;
mod play;
mod screen;
mod stage;

use std::io::{self, IsTerminal};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use self::crew::Crew;
use self::screen::Screen;
use self::stage::{Show, Stage};
use crate::cli::DemoArgs;
use crate::exit::Failure;
use crate::signals::Signals;

/// Runs the demonstration to its end.
pub(crate) fn run(args: &DemoArgs) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::No(format!("the runtime does not start: {error}")))?;
    let result = runtime.block_on(show(args));
    runtime.shutdown_background();
    result.map(|()| ExitCode::SUCCESS)
}

async fn show(args: &DemoArgs) -> Result<(), Failure> {
    let show = match (args.json, io::stdout().is_terminal()) {
        (true, _) => Show::Json,
        (false, true) => Show::Screen,
        (false, false) => Show::Lines,
    };
    let stage = Arc::new(Stage::new(show));
    let mut signals = Signals::listen()?;
    let mut crew = Crew::new(args.nodes);
    let screen = match show {
        Show::Screen => Some(Screen::open(Arc::clone(&stage))?),
        Show::Json | Show::Lines => None,
    };
    let quit = stage.quit();
    let result = tokio::select! {
        result = play(args, &mut crew, &stage) => result,
        _ = signals.next() => Ok(()),
        () = quit.notified() => Ok(()),
    };
    if let Some(screen) = screen {
        screen.close();
        // What has been on the screen stays in the terminal.
        stage.print_all()?;
    }
    crew.end().await;
    result
}

async fn play(args: &DemoArgs, crew: &mut Crew, stage: &Stage) -> Result<(), Failure> {
    play::form(crew, stage).await?;
    if args.open {
        open(crew, stage)?;
    }
    play::acts(crew, stage).await?;
    play::costs(crew, stage).await?;
    if args.keep {
        play::places(crew, stage)?;
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Shows the page of the first agent in a browser.
fn open(crew: &Crew, stage: &Stage) -> Result<(), Failure> {
    let Some(live) = crew.live().next() else { return Ok(()) };
    let url = format!("http://{}/", live.http);
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened = Command::new(program)
        .arg(&url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    stage.say(&match opened {
        Ok(_) => format!("the page of {}: {url}", live.cluster.name()),
        Err(_) => format!("no {program} here to open a browser; the page is at {url}"),
    })
}
