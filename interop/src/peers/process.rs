//! Processes with a log file and a certain end.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::poll::{Attempt, wait_until};

/// A running program whose output goes to a file, and which is killed when this value goes away.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Mutex<Child>,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with no input, and with both of its outputs appended to `NAME.log` in `log_dir`.
    ///
    /// # Errors
    ///
    /// When the log cannot be opened or the program cannot be started.
    pub fn spawn(name: &str, command: &mut Command, log_dir: &Path) -> Result<Self> {
        let (log, file) = open_log(name, log_dir)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(Self { name: name.to_owned(), child: Mutex::new(start(command)?), log })
    }

    /// Starts `command` with pipes to its input and from its output; only its errors are appended to `NAME.log` in `log_dir`.
    ///
    /// # Errors
    ///
    /// When the log cannot be opened or the program cannot be started.
    pub fn spawn_piped(
        name: &str,
        command: &mut Command,
        log_dir: &Path,
    ) -> Result<(Self, ChildStdin, ChildStdout)> {
        let (log, file) = open_log(name, log_dir)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut child = start(command)?;
        let input = child.stdin.take().context("the child has no input")?;
        let output = child.stdout.take().context("the child has no output")?;
        Ok((Self { name: name.to_owned(), child: Mutex::new(child), log }, input, output))
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    /// Kills the program as a power cut would, and waits for its end.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn kill(&self) -> Result<()> {
        let mut child = self.child();
        child.kill().with_context(|| format!("killing {}", self.name))?;
        child.wait().with_context(|| format!("waiting for the end of {}", self.name))?;
        Ok(())
    }

    /// Freezes the program (SIGSTOP).
    ///
    /// # Errors
    ///
    /// When it has ended or the system refuses.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen program go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// When it has ended or the system refuses.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Asks the program to end, as a terminal's Ctrl-C does (SIGINT).
    ///
    /// # Errors
    ///
    /// When it has ended or the system refuses.
    pub fn interrupt(&self) -> Result<()> {
        self.signal(Signal::INT)
    }

    /// Asks the program to end, as service managers do (SIGTERM).
    ///
    /// # Errors
    ///
    /// When it has ended or the system refuses.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Makes sure that the program has not ended.
    ///
    /// # Errors
    ///
    /// When it has; the error has its exit status.
    pub fn ensure_running(&self) -> Result<()> {
        let ended =
            self.child().try_wait().with_context(|| format!("asking after {}", self.name))?;
        ensure!(
            ended.is_none(),
            "{} has ended ({})",
            self.name,
            ended.map(|e| e.to_string()).unwrap_or_default()
        );
        Ok(())
    }

    /// Waits until the program has ended by itself.
    ///
    /// # Errors
    ///
    /// When it has not after `timeout`.
    pub fn wait_for_exit(&self, timeout: Duration) -> Result<ExitStatus> {
        wait_until(&format!("{} to end", self.name), timeout, || {
            let ended = self.child().try_wait()?;
            Ok(ended.map_or_else(|| Attempt::NotYet("it is running".into()), Attempt::Done))
        })
    }

    /// The file with what the program has written.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// What the program has written so far.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn log(&self) -> Result<String> {
        let bytes =
            fs::read(&self.log).with_context(|| format!("reading {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The pid cannot belong to somebody else yet: the child is reaped under the same lock, and then reported as ended.
    fn signal(&self, signal: Signal) -> Result<()> {
        let mut child = self.child();
        if let Some(status) = child.try_wait()? {
            bail!("{} has ended ({status}) and cannot be sent a signal", self.name);
        }
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("a pid is a positive i32")?;
        kill_process(pid, signal).with_context(|| format!("sending {signal:?} to {}", self.name))
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("{error:#}");
        }
    }
}

/// Runs `command` to its end and gives what it wrote.
///
/// # Errors
///
/// When it cannot be started, does not end within `timeout` (it is killed then), or ends without success.
pub(crate) fn run_to_end(command: &mut Command, timeout: Duration) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = start(command)?;
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .context("a pid is a positive i32")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(timeout) {
        Ok(output) => {
            text_of(&program, &output.with_context(|| format!("reading the output of {program}"))?)
        }
        Err(RecvTimeoutError::Timeout) => {
            let _ = kill_process(pid, Signal::KILL);
            bail!("{program} did not end within {} s", timeout.as_secs_f32())
        }
        Err(RecvTimeoutError::Disconnected) => bail!("nobody waited for {program}"),
    }
}

fn text_of(program: &str, output: &Output) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{program} failed ({}): {}", output.status, format!("{errors}{text}").trim());
    }
    Ok(text)
}

fn start(command: &mut Command) -> Result<Child> {
    let _alone = super::ports::alone();
    command.spawn().with_context(|| format!("starting {}", command.get_program().to_string_lossy()))
}

fn open_log(name: &str, log_dir: &Path) -> Result<(PathBuf, File)> {
    let path = log_dir.join(format!("{name}.log"));
    let file = OpenOptions::new().create(true).append(true).open(&path);
    Ok((path.clone(), file.with_context(|| format!("opening {}", path.display()))?))
}
