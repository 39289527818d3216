use std::fmt::Write;
use std::io::Read;
use std::time::Duration;

use crate::api::{
    Attempt, ForceLeaveAnswer, ForceLeaveRequest, JoinAnswer, JoinRequest, KeyView, KeysRequest,
    KeysView, LeaveAnswer, Listening, MissingView, ReloadAnswer, SelfView, SettingChange,
    StateFileView, TagsAnswer, TagsRequest, ViewSummary,
};
use crate::cli::{
    ForceLeaveArgs, InfoArgs, JoinArgs, KeyArgs, KeysCommand, LeaveArgs, ReloadArgs, TagsArgs,
};
use crate::client::Client;
use crate::exit::Failure;
use crate::members;
use crate::output::{self, escape};
use crate::plan;

/// How long to wait for an answer that needs no network.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(10);
/// How long to wait for a join or a goodbye; above what the agent allows itself.
const AFTER_TALKS: Duration = Duration::from_secs(65);

/// `mingle join`
pub(crate) fn join(args: JoinArgs) -> Result<(), Failure> {
    let client = Client::new(&args.agent, AFTER_TALKS)?;
    let answer: JoinAnswer = client.post("/v1/join", JoinRequest { addresses: args.addresses })?;
    output::print(&if args.json { output::json(&answer) } else { attempts(&answer.attempts) })?;
    if answer.joined {
        return Ok(());
    }
    Err(Failure::No("nobody could be joined; see the reason at each address".to_owned()))
}

/// One line per address.
pub(crate) fn attempts(attempts: &[Attempt]) -> String {
    let line = |attempt: &Attempt| {
        let mut line = escape(&attempt.given);
        if let Some(address) = attempt.address
            && address.to_string() != attempt.given
        {
            let _ = write!(line, " ({address})");
        }
        match (attempt.members, &attempt.error) {
            (Some(1), _) => format!("{line}: joined, 1 live member there\n"),
            (Some(members), _) => format!("{line}: joined, {members} live members there\n"),
            (None, Some(error)) => format!("{line}: {}\n", escape(error)),
            (None, None) => format!("{line}: not tried\n"),
        }
    };
    attempts.iter().map(line).collect()
}

/// `mingle leave`
pub(crate) fn leave(args: &LeaveArgs) -> Result<(), Failure> {
    let client = Client::new(&args.agent, AFTER_TALKS)?;
    let answer: LeaveAnswer = client.post("/v1/leave", serde_json::json!({}))?;
    if args.json {
        output::print(&output::json(&answer))?;
    }
    if !answer.left {
        let reason = answer.error.unwrap_or_default();
        return Err(Failure::No(format!(
            "the agent ends, but {}; others may see it as dead instead of left",
            escape(&reason)
        )));
    }
    if args.json {
        return Ok(());
    }
    output::print(&match answer.confirmed.as_slice() {
        [] => "left; nobody else was there\n".to_owned(),
        names => {
            let names: Vec<_> = names.iter().map(|name| escape(name)).collect();
            format!("left, as {} confirmed\n", names.join(", "))
        }
    })
}

/// `mingle force-leave`
pub(crate) fn force_leave(args: ForceLeaveArgs) -> Result<(), Failure> {
    let client = Client::new(&args.agent, AT_ONCE)?;
    let request = ForceLeaveRequest { name: args.name };
    let answer: ForceLeaveAnswer = client.post("/v1/force-leave", request)?;
    output::print(&if args.json {
        output::json(&answer)
    } else {
        format!("{} counts as left, and the others are being told\n", escape(&answer.name))
    })
}

/// `mingle keys`
pub(crate) fn keys(command: KeysCommand) -> Result<(), Failure> {
    let (request, args) = match command {
        KeysCommand::List(args) => (None, args),
        KeysCommand::Install(KeyArgs { key, keys }) => {
            (Some(KeysRequest::Install(given(key)?)), keys)
        }
        KeysCommand::Use(KeyArgs { key, keys }) => (Some(KeysRequest::Use(given(key)?)), keys),
        KeysCommand::Remove(KeyArgs { key, keys }) => {
            (Some(KeysRequest::Remove(given(key)?)), keys)
        }
    };
    let client = Client::new(&args.agent, AT_ONCE)?;
    let view: KeysView = match &request {
        None => client.get("/v1/keys")?,
        Some(request) => client.post("/v1/keys", request)?,
    };
    if args.json {
        return output::print(&output::json(&view));
    }
    let mut text = keys_text(&view);
    if matches!(request, Some(KeysRequest::Use(_))) {
        text += "members that do not have this key can't read what the agent sends from now on\n";
    }
    if request.is_some() && view.file.is_none() {
        text += "without a keyring file this lasts until the agent ends\n";
    }
    output::print(&text)
}

/// What stands for a key on a command line.
fn given(text: String) -> Result<String, Failure> {
    if text != "-" {
        return Ok(text);
    }
    let mut line = String::new();
    std::io::stdin().take(MAX_KEY).read_to_string(&mut line).map_err(|error| {
        Failure::Input(format!("stdin gives no key: {}; write one line of base64", error.kind()))
    })?;
    Ok(line.trim().to_owned())
}

/// Far above a key and its line's end.
const MAX_KEY: u64 = 256;

fn keys_text(view: &KeysView) -> String {
    if view.keys.is_empty() {
        return "the agent does not encrypt\n".to_owned();
    }
    let line = |(index, key): (usize, &KeyView)| {
        let what = if index == 0 {
            format!("encrypts, {} messages so far", view.sealed)
        } else {
            "decrypts".to_owned()
        };
        format!("{}  {} bits  {what}\n", escape(&key.fingerprint), key.bits)
    };
    view.keys.iter().enumerate().map(line).collect()
}

/// `mingle reload`
pub(crate) fn reload(args: &ReloadArgs) -> Result<(), Failure> {
    let client = Client::new(&args.agent, AT_ONCE)?;
    let answer: ReloadAnswer = client.post("/v1/reload", serde_json::json!({}))?;
    let line = |change: &SettingChange| {
        let SettingChange { setting, from, to, applied } = change;
        let when = if *applied { "" } else { ", after a restart" };
        format!("{}: {} -> {}{when}\n", escape(setting), escape(from), escape(to))
    };
    output::print(&match answer.changes.as_slice() {
        _ if args.json => output::json(&answer),
        [] => "nothing has changed\n".to_owned(),
        changes => changes.iter().map(line).collect(),
    })
}

/// `mingle tags`
pub(crate) fn tags(args: &TagsArgs) -> Result<(), Failure> {
    let set = plan::tags("--set", &args.set)?;
    let client = Client::new(&args.agent, AT_ONCE)?;
    let tags = if set.is_empty() && args.delete.is_empty() {
        client.get::<SelfView>("/v1/self")?.tags
    } else {
        let request = TagsRequest { set, delete: args.delete.clone() };
        client.post::<TagsAnswer>("/v1/tags", request)?.tags
    };
    let line = |(key, value): (&String, &String)| format!("{}={}\n", escape(key), escape(value));
    output::print(&if args.json { output::json(&tags) } else { tags.iter().map(line).collect() })
}

/// `mingle info`
pub(crate) fn info(args: &InfoArgs) -> Result<(), Failure> {
    let client = Client::new(&args.agent, AT_ONCE)?;
    if args.ready {
        client.check("/readyz")?;
        return output::print("ready\n");
    }
    let view: SelfView = client.get("/v1/self")?;
    output::print(&if args.json { output::json(&view) } else { info_text(&view) })
}

fn info_text(view: &SelfView) -> String {
    let health = if view.health == 0 { "healthy" } else { "degraded" };
    let members = view.members;
    let lines = [
        ("name", escape(&view.name)),
        ("version", escape(&view.version)),
        ("address", view.address.to_string()),
        ("gossip", format!("{} (UDP and TCP)", view.listening.gossip)),
        ("http", http(&view.listening)),
        ("state", format!("{}, incarnation {}", escape(&view.state), view.incarnation)),
        ("health", format!("{} ({health})", view.health)),
        (
            "members",
            format!(
                "{} alive, {} suspect, {} dead, {} left",
                members.alive, members.suspect, members.dead, members.left
            ),
        ),
        (
            "view",
            format!(
                "version {}, fingerprint {}",
                view.view.version,
                escape(&view.view.fingerprint)
            ),
        ),
        ("agreement", agreement(&view.view)),
        ("missing", missing(view.missing)),
        ("encryption", (if view.encrypted { "on" } else { "off" }).to_owned()),
        ("label", view.label.as_deref().map_or_else(|| "-".to_owned(), escape)),
        ("profile", escape(&view.profile)),
        ("tags", members::tags(&view.tags)),
        ("state file", view.state_file.as_ref().map_or_else(|| "-".to_owned(), state_file)),
        ("uptime", format!("{:?}", Duration::from_secs(view.uptime_seconds))),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        let _ = writeln!(text, "{name:<10}  {value}");
    }
    for warning in &view.warnings {
        let _ = writeln!(text, "{:<10}  {}", "warning", escape(warning));
    }
    text
}

fn http(listening: &Listening) -> String {
    let place = escape(&listening.http);
    match (place.starts_with("unix:"), listening.tls) {
        (true, _) => place,
        (false, true) => format!("https://{place}"),
        (false, false) => format!("http://{place}"),
    }
}

fn agreement(view: &ViewSummary) -> String {
    match view.told {
        0 => "nobody has told its view".to_owned(),
        told => format!("agreed by {} of {told} members that told their view", view.agreeing),
    }
}

fn missing(missing: MissingView) -> String {
    let MissingView { failed, seeds, remembered } = missing;
    if failed + seeds + remembered == 0 {
        return "nobody".to_owned();
    }
    format!("{failed} failed, {seeds} seeds, {remembered} remembered")
}

fn state_file(file: &StateFileView) -> String {
    let age = Duration::from_secs(file.age_seconds);
    let path = escape(&file.path);
    match &file.error {
        None => format!("{path}, {} bytes, written {age:?} ago", file.bytes),
        Some(error) => format!("{path}, not written for {age:?}: {}", escape(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_say_the_address_only_when_it_was_looked_up() {
        let attempt = |given: &str, members, error: Option<&str>| Attempt {
            given: given.to_owned(),
            address: Some("10.0.0.1:7946".parse().unwrap()),
            members,
            error: error.map(str::to_owned),
        };
        let text = attempts(&[
            attempt("10.0.0.1:7946", Some(3), None),
            attempt("seed.example.org", None, Some("it \u{7}refused")),
        ]);
        assert_eq!(
            text,
            "10.0.0.1:7946: joined, 3 live members there\n\
             seed.example.org (10.0.0.1:7946): it \\u{7}refused\n"
        );
    }
}
