//! What of a running agent may change, and its settings read anew.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mingle::Keyring;
use tracing::{Instrument, info, info_span, warn};

use crate::agent::{Running, Security, SetLevel};
use crate::api::{ReloadAnswer, SettingChange};
use crate::cli::{AgentArgs, Command};
use crate::config::{self, Settings};
use crate::exit::Failure;
use crate::keys;
use crate::plan::{Plan, Statement};

/// Where an agent's settings are from, and what they were when it last read them.
pub(crate) struct Source {
    line: Vec<OsString>,
    held: Texts,
}

/// Each setting as it would be written.
type Texts = BTreeMap<String, Vec<String>>;

impl Source {
    pub(crate) fn new(line: Vec<OsString>, settings: Option<Settings>) -> Self {
        let held = settings.map(|settings| settings.texts()).unwrap_or_default();
        Self { line, held }
    }
}

/// What may change of an agent while it runs. Whoever changes anything of it holds this, so that of two
/// changes neither loses what the other has done.
#[derive(Default)]
pub(crate) struct Changing {
    /// Nothing where no command line has started the agent.
    pub(crate) settings: Option<(Source, SetLevel)>,
    /// Where changes of the keys are written.
    pub(crate) keyring_file: Option<PathBuf>,
}

/// Reads the settings again, and takes over what may change. When anything is wrong in them, nothing has
/// changed. It goes on to its end when nobody waits for it any more.
pub(crate) async fn reload(running: &Arc<Running>) -> Result<ReloadAnswer, Failure> {
    let running = Arc::clone(running);
    let work = async move { take_over(&running).await };
    tokio::spawn(work.instrument(info_span!("reload"))).await.expect("it does not panic")
}

async fn take_over(running: &Running) -> Result<ReloadAnswer, Failure> {
    let changing = &mut *running.changing.lock().await;
    let Some((source, set_level)) = &mut changing.settings else {
        return Err(Failure::No("this agent was started without settings to read".to_owned()));
    };
    let line = source.line.clone();
    let reading = tokio::task::spawn_blocking(move || read(&line));
    let (args, plan, texts) = reading.await.expect("it does not panic")?;
    let mut changes = differences(&source.held, &texts);
    let is_new = |setting| changes.iter().any(|change| change.setting == setting);
    // Secrets were checked for the place that the settings name: they count only while it is the same.
    let keeps_place = !is_new("http") && !is_new("http_insecure");
    // A key that is given as such says nothing about those that were installed since.
    let rereads_keys = plan.keyring_file.is_some() || is_new("encrypt") || is_new("keyring_file");
    let keyring = keyring(running, &plan).filter(|_| rereads_keys);
    let states_tags = running.states_tags && matches!(plan.statement, Statement::Serf(_));
    if is_new("tag")
        && let Statement::Serf(tags) = &plan.statement
        && running.states_tags
    {
        // The only one that may be refused, so it is the first.
        running.cluster.set_tags(tags).await.map_err(|error| Failure::No(error.to_string()))?;
    }
    if is_new("join") || is_new("retry_join") {
        let seeds = plan.join.iter().chain(&plan.retry_join);
        running.cluster.set_seeds(seeds).map_err(|error| Failure::Input(error.to_string()))?;
        running.has_seeds.store(plan.has_seeds(), Ordering::Relaxed);
    }
    if let Some((ring, change)) = keyring {
        running.cluster.set_keyring(ring).map_err(|error| Failure::No(error.to_string()))?;
        changes.push(change);
    }
    if running.security == Security::Encrypted && plan.keyring.is_some() {
        changing.keyring_file = args.keyring_file;
    }
    changes.extend(running.access.differences(&plan.access).into_iter().map(|secret| {
        SettingChange {
            setting: secret.to_owned(),
            from: "the one in force".to_owned(),
            to: "another one".to_owned(),
            applied: keeps_place,
        }
    }));
    if keeps_place {
        running.access.take_over(&plan.access);
    }
    set_level(args.log_level);
    for change in &mut changes {
        change.applied |= match change.setting.as_str() {
            "tag" => states_tags,
            "join" | "retry_join" | "log_level" => true,
            "http_token_file" | "http_tls_cert" | "http_tls_key" => keeps_place,
            "encrypt" | "keyring_file" => {
                running.security == Security::Encrypted && plan.keyring.is_some()
            }
            _ => false,
        };
        // What waits for a restart is told again, as long as it waits.
        if change.applied
            && let Some(texts) = texts.get(&change.setting)
        {
            source.held.insert(change.setting.clone(), texts.clone());
        }
    }
    tell(&changes);
    Ok(ReloadAnswer { changes })
}

fn read(line: &[OsString]) -> Result<(AgentArgs, Plan, Texts), Failure> {
    let parsed = config::parse(line)?;
    let Command::Agent(args) = parsed.cli.command else {
        unreachable!("the line has started an agent")
    };
    let plan = Plan::new(&args)?;
    let texts = parsed.settings.map(|settings| settings.texts()).unwrap_or_default();
    Ok((*args, plan, texts))
}

fn differences(held: &Texts, new: &Texts) -> Vec<SettingChange> {
    let before = |setting: &str| held.get(setting).map(Vec::as_slice).unwrap_or_default();
    let differ = new.iter().filter(|(setting, texts)| texts.as_slice() != before(setting));
    differ
        .map(|(setting, texts)| SettingChange {
            setting: setting.clone(),
            from: config::value(setting, before(setting)),
            to: config::value(setting, texts),
            applied: false,
        })
        .collect()
}

/// The keys that take the place of those in force, if they are others.
fn keyring(running: &Running, plan: &Plan) -> Option<(Keyring, SettingChange)> {
    let held = Keyring::new(running.cluster.list_keys());
    let new = plan.keyring.as_ref().filter(|_| running.security == Security::Encrypted)?;
    let change = SettingChange {
        setting: "keys".to_owned(),
        from: keys::fingerprints(&held),
        to: keys::fingerprints(new),
        applied: true,
    };
    (*new != held).then(|| (new.clone(), change))
}

fn tell(changes: &[SettingChange]) {
    if changes.is_empty() {
        info!("the settings were read again, and nothing has changed");
    }
    for SettingChange { setting, from, to, applied } in changes {
        if *applied {
            info!(setting, from, to, "a setting has changed");
        } else {
            warn!(setting, from, to, "a setting has changed that needs a restart");
        }
    }
}
