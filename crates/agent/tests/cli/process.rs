//! Processes of the program, and what they print.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

/// The program, in an environment without its variables and with traces on.
pub(crate) fn mingle(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingle"));
    command.args(args).env("RUST_BACKTRACE", "1").stdin(Stdio::null());
    let is_ours =
        |name: &str| name.starts_with("MINGLE_") || name.eq_ignore_ascii_case("HTTP_PROXY");
    for (variable, _) in std::env::vars().filter(|(name, _)| is_ours(name)) {
        command.env_remove(variable);
    }
    command
}

/// Writes a file that only its owner may read.
pub(crate) fn write_secret(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    set_mode(path, 0o600);
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
pub(crate) fn set_mode(_path: &Path, _mode: u32) {}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    mingle(args).output().unwrap()
}

/// What it printed, when it ended with 0.
pub(crate) fn run_fine(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs it to a failure with this exit code, and gives the one sentence that it says.
pub(crate) fn run_refused(args: &[&str], code: i32) -> String {
    sentence(args, &run(args), code)
}

/// The one sentence of a failed run.
pub(crate) fn sentence(args: &[&str], output: &Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{args:?}: {stderr}");
    stderr.strip_prefix("error: ").expect("it starts like all errors").trim_end().to_owned()
}

/// An agent that runs. Killed when dropped.
pub(crate) struct Agent {
    child: Child,
    stderr: Receiver<String>,
    pub(crate) ready: Value,
    pub(crate) http: String,
}

impl Agent {
    /// Starts an agent of this name on free ports, and waits until it is ready.
    pub(crate) fn start(name: &str, args: &[&str]) -> Self {
        Self::start_as(name, "local", args)
    }

    pub(crate) fn start_as(name: &str, profile: &str, args: &[&str]) -> Self {
        let mut command = mingle(&["agent", "--name", name]);
        command.args(["--profile", profile, "--json"]).args(args);
        for place in ["--bind", "--http"] {
            if !args.contains(&place) {
                command.args([place, "127.0.0.1:0"]);
            }
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        let Ok(ready) = stdout.recv_timeout(DEADLINE) else {
            let _ = child.kill();
            panic!("{name} is not ready: {:?}", stderr.iter().collect::<Vec<_>>());
        };
        let ready: Value = serde_json::from_str(&ready).unwrap();
        let http = ready["http"].as_str().unwrap().to_owned();
        Self { child, stderr, ready, http }
    }

    /// Where its gossip is.
    pub(crate) fn gossip(&self) -> String {
        self.ready["gossip"].as_str().unwrap().to_owned()
    }

    /// What a command of the program prints about it.
    pub(crate) fn ask(&self, args: &[&str]) -> String {
        run_fine(&[args, &["--http", &self.http]].concat())
    }

    /// One member's state in its view.
    pub(crate) fn state_of(&self, name: &str) -> Option<String> {
        let members: Value = serde_json::from_str(&self.ask(&["members", "--json"])).unwrap();
        let members = members.as_array().unwrap();
        let member = members.iter().find(|member| member["name"] == name)?;
        Some(member["state"].as_str().unwrap().to_owned())
    }

    pub(crate) fn wait_for_state(&self, name: &str, state: &str) {
        wait(&format!("{} sees {name} {state}", self.ready["name"]), || {
            self.state_of(name).as_deref() == Some(state)
        });
    }

    /// Waits for a line of its log.
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let left = DEADLINE.saturating_sub(start.elapsed());
            let line = self.stderr.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("no line with {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits for its end, and gives the exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        wait("the agent ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }

    /// Sends a request as it is, and gives the whole response.
    pub(crate) fn request(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let length = body.len();
        let request =
            format!("{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two addresses that nobody has, and that no agent of another test takes where there are more
/// loopback addresses than one.
pub(crate) fn free() -> [SocketAddr; 2] {
    let ip = if cfg!(target_os = "linux") { "127.0.0.77" } else { "127.0.0.1" };
    let listeners = [(); 2].map(|()| TcpListener::bind((ip, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

/// Polls until it holds.
pub(crate) fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stream).lines();
        lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}
