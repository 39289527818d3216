//! The container file, followed without an engine: its last stage makes a folder, in which its entry point runs.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::agent::Agent;
use super::room::{Room, in_network_of};
use super::{BUILD, container_file, fixed, fresh, manifests};
use crate::notices;
use crate::shell::{output, root, run as shell};

/// Makes the folder and runs what is in it, as the file says.
///
/// # Errors
///
/// When the file says something that can't be followed, or what it makes does not do its work.
pub(super) fn check() -> Result<()> {
    let text = fs::read_to_string(container_file())?;
    let image = Image::parse(&text)?;
    ensure!(text.contains(&format!("cargo {} ", BUILD.join(" "))), "it compiles another program");
    ensure!(text.contains("cargo run --locked -p xtask -- notices /out "), "it makes no notices");
    let (folder, binary) = (fresh("image")?, fixed::built()?);
    image.lay_out(&folder, &binary)?;
    let size = output(Command::new("du").args(["--summarize", "--bytes"]).arg(&folder))?;
    println!("the image has {} bytes", size.split_whitespace().next().unwrap_or_default());
    let state = image.command.last().context("CMD is empty")?;
    let room = Room::locked(&folder, &image.user, state);
    let words = image.entry.iter().chain(&image.command).map(String::as_str).chain(["--json"]);
    let agent = Agent::start(room.command(words))?;
    shell(&mut room.beside(agent.id(), image.health.iter().map(String::as_str)))
        .context("HEALTHCHECK")?;
    let open = open_ports(&agent)?;
    ensure!(open == image.ports, "it listens on {open:?}, and EXPOSE says {:?}", image.ports);
    agent.leave(image.signal.trim_start_matches("SIG")).context("STOPSIGNAL")?;
    let files = fs::read_dir(folder.join(&state[1..]))?.collect::<Result<Vec<_>, _>>()?;
    let is_state = |file: &fs::DirEntry| file.path().extension().is_some_and(|e| e == "state");
    ensure!(files.iter().any(is_state), "it left no state in {state}");
    takes_settings_of_the_cluster(&image, &binary)?;
    println!("the image's entry point runs as {}, listens on {open:?} and leaves", image.user);
    Ok(())
}

/// The agent starts with the settings of the manifests.
fn takes_settings_of_the_cluster(image: &Image, binary: &Path) -> Result<()> {
    let program = image.entry.first().context("ENTRYPOINT is empty")?;
    let folder = fresh("pod")?;
    image.lay_out(&folder, binary)?;
    let settings = folder.join("etc/mingle");
    fs::create_dir_all(&settings)?;
    if !manifests::settings().is_file() {
        manifests::check()?;
    }
    fs::copy(manifests::settings(), settings.join("mingle.toml"))?;
    fs::write(folder.join("etc/hosts"), "10.66.77.1 mingle\n")?;
    let room = Room::locked(&folder, &image.user, "/var/lib/mingle");
    let room = room.variable("MINGLE_NAME", "mingle-0").variable("MINGLE_ADVERTISE", "10.66.77.1");
    let key = output(&mut room.command([program, "keygen"]))?;
    mount_secret(&settings.join("keys.json"), &format!("[\"{}\"]\n", key.trim()))?;
    let words = [program, "agent", "--config", "/etc/mingle/mingle.toml", "--json"];
    let agent = Agent::start(room.command(words)).context("the settings of the ConfigMap")?;
    agent.check(&room, program)?;
    let ready = &agent.ready;
    ensure!(ready["encrypted"] == true && ready["name"] == "mingle-0", "it says {ready}");
    agent.leave("TERM")?;
    println!("it starts encrypted with the settings of the manifests, and leaves");
    answers_other_pods(room, program, &settings)
}

/// With the patches of the folder http, the agent answers those who have the token, and the probes.
fn answers_other_pods(mut room: Room, program: &str, settings: &Path) -> Result<()> {
    for line in fs::read_to_string(manifests::settings().with_extension("env"))?.lines() {
        let (name, value) = line.split_once('=').context("a variable without a value")?;
        room = room.variable(name, value);
    }
    let token = output(&mut room.command([program, "keygen"]))?;
    mount_secret(&settings.join("token"), &token)?;
    let words = [program, "agent", "--config", "/etc/mingle/mingle.toml", "--json"];
    let agent = Agent::start(room.command(words)).context("the patches of the folder http")?;
    agent.check(&room, program)?;
    let metrics = |more: &[&str]| {
        let curl = ["curl", "--silent", "--fail", "http://10.66.77.1:7374/metrics"];
        output(&mut in_network_of(agent.id(), [&curl, more].concat()))
    };
    ensure!(metrics(&[]).is_err(), "it answers those who have no token");
    let answer = metrics(&["--oauth2-bearer", token.trim()])?;
    ensure!(answer.contains("mingle_members"), "/metrics has no members: {answer}");
    agent.leave("TERM")?;
    println!("with the patches of the folder http it answers other pods that have its token");
    Ok(())
}

/// A file as the volume of a Secret has it for `fsGroup`.
fn mount_secret(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text)?;
    chown(file, Some(0), Some(65532))?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o440))?)
}

/// All ports that somebody listens on in an agent's network, as `7946/tcp`.
fn open_ports(agent: &Agent) -> Result<BTreeSet<String>> {
    let sockets = ["ss", "--no-header", "--listening", "--numeric", "--tcp", "--udp"];
    let text = output(&mut in_network_of(agent.id(), sockets))?;
    let port = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (_, port) = words.get(4)?.rsplit_once(':')?;
        Some(format!("{port}/{}", words[0]))
    };
    Ok(text.lines().filter_map(port).collect())
}

/// The last stage of a container file, as far as we use its language.
#[derive(Debug, Default)]
struct Image {
    copies: Vec<Copied>,
    user: String,
    ports: BTreeSet<String>,
    signal: String,
    health: Vec<String>,
    entry: Vec<String>,
    command: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Copied {
    is_built: bool,
    owner: Option<(u32, u32)>,
    sources: Vec<String>,
    to: String,
}

impl Image {
    fn parse(text: &str) -> Result<Self> {
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let text = lines.join("\n").replace("\\\n", " ");
        let (_, stage) =
            text.rsplit_once("FROM scratch\n").context("no last stage from scratch")?;
        let mut image = Self::default();
        for line in stage.lines().filter(|line| !line.is_empty()) {
            let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
            match instruction {
                "LABEL" => {}
                "COPY" => image.copies.push(Copied::parse(rest)?),
                "USER" => rest.clone_into(&mut image.user),
                "EXPOSE" => image.ports = rest.split_whitespace().map(str::to_owned).collect(),
                "STOPSIGNAL" => rest.clone_into(&mut image.signal),
                "HEALTHCHECK" => {
                    let (_, command) =
                        rest.split_once("CMD ").context("HEALTHCHECK without CMD")?;
                    image.health = serde_json::from_str(command)?;
                }
                "ENTRYPOINT" => image.entry = serde_json::from_str(rest)?,
                "CMD" => image.command = serde_json::from_str(rest)?,
                _ => bail!("{line:?} can't be followed without an engine"),
            }
        }
        let (user, group) = image.user.split_once(':').context("USER has no group")?;
        let (user, group): (u32, u32) = (user.parse()?, group.parse()?);
        ensure!(user > 0 && group > 0, "USER is root");
        Ok(image)
    }

    /// Puts everything that is copied into a folder.
    fn lay_out(&self, folder: &Path, binary: &Path) -> Result<()> {
        for copied in &self.copies {
            for source in &copied.sources {
                let to = copied.place_of(source, folder);
                fs::create_dir_all(to.parent().unwrap_or(folder))?;
                match (copied.is_built, source.as_str()) {
                    (true, "/out/mingle") => drop(fs::copy(binary, &to)?),
                    (true, "/out/state") => fs::create_dir(&to)?,
                    (true, file) => {
                        let name =
                            file.strip_prefix("/out/").filter(|n| notices::FILES.contains(n));
                        let name =
                            name.with_context(|| format!("the first stage makes no {file}"))?;
                        fs::copy(super::folder().join(name), &to)?;
                    }
                    (false, _) => drop(fs::copy(root().join(source), &to)?),
                }
                let (user, group) = copied.owner.unwrap_or((0, 0));
                chown(&to, Some(user), Some(group))?;
                ensure!(fs::metadata(&to)?.uid() == user, "{} has another owner", to.display());
            }
        }
        Ok(())
    }
}

impl Copied {
    fn parse(rest: &str) -> Result<Self> {
        let (options, words): (Vec<_>, Vec<_>) =
            rest.split_whitespace().partition(|word| word.starts_with("--"));
        let (to, sources) = words.split_last().context("COPY without words")?;
        let mut copied = Self {
            is_built: false,
            owner: None,
            sources: sources.iter().map(|&source| source.to_owned()).collect(),
            to: (*to).to_owned(),
        };
        for option in options {
            match option.split_once('=').context("an option without a value")? {
                ("--from", "build") => copied.is_built = true,
                ("--chown", owner) => {
                    let (user, group) = owner.split_once(':').context("--chown has no group")?;
                    copied.owner = Some((user.parse()?, group.parse()?));
                }
                _ => bail!("{option} can't be followed without an engine"),
            }
        }
        Ok(copied)
    }

    fn place_of(&self, source: &str, folder: &Path) -> PathBuf {
        let to = folder.join(self.to.trim_start_matches('/'));
        let name = Path::new(source).file_name().filter(|_| self.to.ends_with('/'));
        name.map_or(to.clone(), |name| to.join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "USER 5:6\nEXPOSE 1/tcp 2/udp\nCMD [\"a\", \\\n \"b\"]\n";

    #[test]
    fn the_last_stage_is_read() {
        let text = format!(
            "FROM x AS build\nRUN y\nFROM scratch\n# why\nCOPY --from=build --chown=5:6 /out/a /b/\n{REST}"
        );
        let image = Image::parse(&text).unwrap();
        let [copied] = &image.copies[..] else { panic!("{image:?}") };
        assert!(copied.is_built && copied.owner == Some((5, 6)));
        assert_eq!(copied.place_of("/out/a", Path::new("x")), Path::new("x/b/a"));
        assert_eq!((image.user.as_str(), image.ports.len()), ("5:6", 2));
        assert_eq!(image.command, ["a", "b"]);
    }

    #[test]
    fn what_needs_an_engine_is_refused() {
        for line in ["RUN x", "COPY --from=other a b", "USER 0:0", "USER name", "ADD a b"] {
            let text = format!("FROM scratch\n{REST}{line}\n");
            assert!(Image::parse(&text).is_err(), "{line}");
        }
    }
}
