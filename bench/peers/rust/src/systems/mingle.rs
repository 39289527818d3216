//! mingle.

use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use mingle::{Change, Cluster, Config, Item, Messages, Snapshot, State, Update, Watch};
use serde_json::{Value, json};

use super::{Ability, About, Constants, Mode, System, equal};
use crate::board::{Board, Key};
use crate::place::{self, Place};
use crate::versions;

/// A node, watched by a task as any program would watch it.
#[derive(Debug)]
pub(crate) struct Mingle {
    place: Place,
    cluster: Cluster,
}

impl System for Mingle {
    fn about() -> About {
        About {
            system: "mingle",
            version: versions::of("mingle"),
            settings: json!({
                "lan": spelled(&config(Constants::Lan)),
                "equal": spelled(&config(Constants::Equal)),
                "remarks": [
                    "equal: with the rules of memberlist in place of mingle's own",
                    "a task per node takes the changes from Cluster::watch",
                ],
            }),
            lacks: &[(Ability::Broadcasts, "mingle has no broadcasts yet")],
        }
    }

    async fn start(
        place: Place,
        _nodes: usize,
        constants: Constants,
        board: Arc<Board>,
    ) -> Result<Self> {
        let builder = Cluster::builder(place.name()).bind(place.address());
        let builder = match constants {
            Constants::Lan => builder,
            Constants::Equal => {
                builder.config(config(constants)).packet_size(equal::PACKET_SIZE.into())
            }
        };
        let cluster = builder.start().await?;
        if place == place.second() {
            tokio::spawn(take_messages(cluster.messages(), place.index, Arc::clone(&board)));
        }
        tokio::spawn(follow(cluster.watch(), place.index, board));
        Ok(Self { place, cluster })
    }

    async fn join(&self) -> Result<()> {
        let report = self.cluster.join([self.place.first().address()]).await;
        if !report.succeeded() {
            bail!("{report}");
        }
        Ok(())
    }

    /// Says no goodbye: that would be `Cluster::leave`.
    async fn kill(&self) {
        self.cluster.stop().await;
    }

    async fn broadcast(&self, _key: Key, _payload: Vec<u8>) -> Result<()> {
        bail!("mingle has no broadcasts yet")
    }

    async fn send(&self, mode: Mode, payload: &Bytes) -> Result<()> {
        let (to, payload) = (self.place.second().address(), payload.to_vec());
        match mode {
            Mode::BestEffort => self.cluster.send(to, payload).await?,
            Mode::Reliable => self.cluster.send_reliable(to, payload).await?,
        }
        Ok(())
    }
}

fn config(constants: Constants) -> Config {
    match constants {
        Constants::Lan => Config::lan(),
        Constants::Equal => Config {
            probe_interval: equal::PROBE_INTERVAL,
            probe_timeout: equal::PROBE_TIMEOUT,
            indirect_checks: equal::HELPERS.into(),
            retransmit_mult: equal::RETRANSMIT_MULT.into(),
            suspicion_mult: equal::SUSPICION_MULT.into(),
            suspicion_max_timeout_mult: equal::SUSPICION_MAX_MULT.into(),
            gossip_interval: equal::GOSSIP_INTERVAL,
            gossip_nodes: equal::GOSSIP_NODES.into(),
            push_pull_interval: equal::PUSH_PULL_INTERVAL,
            ..Config::lan().with_memberlist_rules()
        },
    }
}

fn spelled(config: &Config) -> Value {
    json!({
        "probe_interval": format!("{:?}", config.probe_interval),
        "probe_timeout": format!("{:?}", config.probe_timeout),
        "indirect_checks": config.indirect_checks,
        "retransmit_mult": config.retransmit_mult,
        "suspicion_mult": config.suspicion_mult,
        "suspicion_max_timeout_mult": config.suspicion_max_timeout_mult,
        "awareness_max_multiplier": config.awareness_max_multiplier,
        "gossip_interval": format!("{:?}", config.gossip_interval),
        "gossip_nodes": config.gossip_nodes,
        "push_pull_interval": format!("{:?}", config.push_pull_interval),
        "packet_size": 1400,
        "compress": false,
        "rules": format!("{:?}", config.rules),
    })
}

/// Tells the board what the node's own users are told.
async fn follow(mut watch: Watch, observer: usize, board: Arc<Board>) {
    while let Some(update) = watch.next().await {
        match update {
            Update::Snapshot(snapshot) => take_snapshot(&snapshot, observer, &board),
            Update::Diff(diff) => {
                let Some(subject) = place::index_at(diff.member.address.ip()) else {
                    continue;
                };
                match diff.change {
                    Change::Joined => board.saw(observer, subject),
                    Change::Failed => board.down(observer, subject),
                    // In a crowd nobody leaves, and only who has failed is reaped.
                    Change::Suspected
                    | Change::Recovered
                    | Change::Updated
                    | Change::Renewed
                    | Change::Left
                    | Change::Reaped => {}
                }
            }
            // A snapshot follows.
            Update::Gap { .. } => {}
        }
    }
}

fn take_snapshot(snapshot: &Snapshot, observer: usize, board: &Board) {
    for member in &snapshot.members {
        let Some(subject) = place::index_at(member.address.ip()) else {
            continue;
        };
        match member.state {
            State::Alive | State::Suspect => board.saw(observer, subject),
            State::Dead | State::Left => board.down(observer, subject),
        }
    }
}

/// Counts messages; those of which the subscription says that it missed them do not count.
async fn take_messages(mut messages: Messages, node: usize, board: Arc<Board>) {
    while let Some(item) = messages.next().await {
        if let Item::Item(message) = item {
            board.received(node, &message.payload);
        }
    }
}
