//! What an agent says to the supervisor that has started it.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};

use crate::process::{DEADLINE, wait};

/// Killed when dropped, whatever became of the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_supervisor_hears_when_it_is_ready_that_it_lives_and_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    // As systemd does, with the process that is meant.
    let exec = "WATCHDOG_PID=$$ exec \"$0\" agent --name a --bind 127.0.0.1:0 --http 127.0.0.1:0";
    let mut agent = Command::new("sh");
    agent.args(["-c", exec, env!("CARGO_BIN_EXE_mingle")]);
    agent.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let agent = agent.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut agent = Killed(agent);
    let mut heard = Vec::new();
    let mut hear = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        heard.push(String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned());
        heard.clone()
    };
    while hear().iter().filter(|text| *text == "WATCHDOG=1").count() < 3 {}
    assert!(hear().contains(&"READY=1".to_owned()));
    let pid = agent.0.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    while !hear().contains(&"STOPPING=1".to_owned()) {}
    wait("the agent ends", || agent.0.try_wait().unwrap().is_some());
}
