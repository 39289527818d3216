//! Clusters of mingle and its peers, and what all views of them must say.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Result, ensure};

use super::patience;
use crate::context::Context;
use crate::peers::{
    Compression, DelegateVersions, GoPeer, GoPeerOptions, Key, MingleAgent, MingleNode,
    MingleOptions, NodeOptions, SerfAgent, SerfOptions, SerfVersion, free_address,
};
use crate::poll::{Attempt, wait_until};
use crate::view::{Attributes, Expectation, View, wait_until_views_agree};

/// With whom mingle is in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    /// Serf agents of both releases, and memberlist nodes that announce Serf's versions. All have tags.
    Everybody,
    /// Memberlist nodes alone, whose application has no versions. All have opaque bytes.
    Memberlist,
}

/// What the nodes of a cluster have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// Whether the peers compress.
    pub(super) peers: Compression,
    /// Whether mingle compresses.
    pub(super) mingle: Compression,
    /// The length of the key; no encryption when `None`.
    pub(super) key_bytes: Option<u8>,
    /// The label; none when empty.
    pub(super) label: &'static str,
    /// Where everybody listens.
    pub(super) ip: IpAddr,
}

impl Setting {
    /// Nothing is compressed, sealed or labelled.
    pub(super) const PLAIN: Self = Self { peers: Compression::Off, ..Self::DEFAULT };
    /// Everybody compresses.
    pub(super) const LZW: Self = Self { mingle: Compression::On, ..Self::DEFAULT };
    /// Everything is sealed with AES-128.
    pub(super) const KEY_16: Self = Self { key_bytes: Some(16), ..Self::DEFAULT };
    /// Everything is sealed with AES-192.
    pub(super) const KEY_24: Self = Self { key_bytes: Some(24), ..Self::DEFAULT };
    /// Everything is sealed with AES-256.
    pub(super) const KEY_32: Self = Self { key_bytes: Some(32), ..Self::DEFAULT };
    /// Everything carries a label. Serf agents cannot.
    pub(super) const LABEL: Self = Self { label: "interop", ..Self::DEFAULT };
    /// Everybody is at `::1`.
    pub(super) const IPV6: Self = Self { ip: IpAddr::V6(Ipv6Addr::LOCALHOST), ..Self::DEFAULT };

    /// What every program does when it is told nothing: the Go ones compress, mingle does not.
    const DEFAULT: Self = Self {
        peers: Compression::On,
        mingle: Compression::Off,
        key_bytes: None,
        label: "",
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
}

/// Starts nodes of one cluster. At first, each says that its role is its name.
#[derive(Debug)]
pub(super) struct Kit<'a> {
    pub(super) context: &'a Context,
    pub(super) company: Company,
    pub(super) setting: Setting,
}

impl Kit<'_> {
    /// A Serf agent.
    pub(super) fn serf(
        &self,
        version: SerfVersion,
        name: &str,
        join: &[SocketAddr],
    ) -> Result<SerfAgent> {
        let options = SerfOptions {
            bind: Some(free_address(self.setting.ip)?),
            key: self.key(),
            compression: self.setting.peers,
            join: join.to_vec(),
            ..SerfOptions::named(name).tag(ROLE, name)
        };
        SerfAgent::start(self.context, version, &options)
    }

    /// A memberlist node that is alone.
    pub(super) fn go(&self, name: &str) -> Result<GoPeer> {
        let options = GoPeerOptions {
            bind: Some(free_address(self.setting.ip)?),
            key: self.key(),
            label: self.setting.label.to_owned(),
            compression: self.setting.peers,
            delegate: self.company.delegate(),
            meta: self.company.meta(name),
            ..GoPeerOptions::named(name)
        };
        GoPeer::start(self.context, &options)
    }

    /// How a mingle agent of this cluster is started.
    pub(super) fn agent_options(&self, name: &str, join: &[SocketAddr]) -> Result<MingleOptions> {
        let (tags, meta) = match self.company {
            Company::Everybody => (role_tag(name), None),
            Company::Memberlist => (BTreeMap::new(), Some(self.company.meta(name))),
        };
        Ok(MingleOptions {
            bind: Some(free_address(self.setting.ip)?),
            key: self.key(),
            label: self.setting.label.to_owned(),
            compression: self.setting.mingle,
            delegate: self.company.delegate(),
            tags,
            meta,
            join: join.to_vec(),
            ..MingleOptions::named(name)
        })
    }

    /// A mingle agent.
    pub(super) fn agent(&self, name: &str, join: &[SocketAddr]) -> Result<MingleAgent> {
        MingleAgent::start(self.context, &self.agent_options(name, join)?)
    }

    /// A node of the mingle library that is alone.
    pub(super) fn node(&self, name: &str) -> Result<MingleNode> {
        let options = NodeOptions {
            bind: Some(free_address(self.setting.ip)?),
            key: self.key(),
            label: self.setting.label.to_owned(),
            compression: self.setting.mingle,
            delegate: self.company.delegate(),
            meta: self.company.meta(name),
            ..NodeOptions::named(name)
        };
        MingleNode::start(self.context, &options)
    }

    fn key(&self) -> Option<Key> {
        let length = self.setting.key_bytes?;
        Some(Key::of_bytes((1..=length).collect()))
    }
}

const ROLE: &str = "role";

fn role_tag(role: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(ROLE.to_owned(), role.to_owned())])
}

impl Company {
    /// The versions that all announce.
    pub(super) fn delegate(self) -> DelegateVersions {
        match self {
            Self::Everybody => DelegateVersions::SERF,
            Self::Memberlist => DelegateVersions::default(),
        }
    }

    /// The version bytes of mingle nodes, marked, as peers must see them.
    pub(super) fn mingle_versions(self) -> [u8; 6] {
        let DelegateVersions { min, max, current } = self.delegate();
        [1, 133, 2, min, max, current]
    }

    /// The version bytes of Go nodes.
    fn go_versions(self) -> [u8; 6] {
        let DelegateVersions { min, max, current } = self.delegate();
        [1, 5, 2, min, max, current]
    }

    /// How a node states its role in bytes: in Serf's spelling of tags, or just so.
    fn meta(self, role: &str) -> Vec<u8> {
        match self {
            Self::Memberlist => role.as_bytes().to_vec(),
            Self::Everybody => {
                let mut meta = vec![0xff, 0x81];
                for text in [ROLE, role] {
                    let length = u8::try_from(text.len()).expect("roles are short");
                    assert!(length < 32, "longer texts are spelled otherwise");
                    meta.push(0xa0 | length);
                    meta.extend_from_slice(text.as_bytes());
                }
                meta
            }
        }
    }
}

/// Two nodes of a kind: one that stays, and one that suffers.
#[derive(Debug)]
pub(super) struct Pair<T> {
    pub(super) steady: T,
    pub(super) victim: T,
}

/// A cluster of mingle agents, a node of the mingle library, and real peers.
#[derive(Debug)]
pub(super) struct Cluster<'a> {
    pub(super) kit: Kit<'a>,
    /// Serf 0.9.4, then 0.10.1; none among memberlist nodes alone.
    pub(super) serfs: Vec<Pair<SerfAgent>>,
    pub(super) go: Pair<GoPeer>,
    pub(super) agents: Pair<MingleAgent>,
    pub(super) node: MingleNode,
    roles: BTreeMap<String, String>,
}

impl<'a> Cluster<'a> {
    /// Starts one. The joins go in all directions.
    pub(super) fn start(kit: Kit<'a>) -> Result<Self> {
        match kit.company {
            Company::Everybody => Self::everybody(kit),
            Company::Memberlist => Self::memberlist(kit),
        }
    }

    fn everybody(kit: Kit<'a>) -> Result<Self> {
        let old = kit.serf(SerfVersion::V0_9_4, "old-1", &[])?;
        let agent = kit.agent("agent-1", &[old.addr()])?;
        let new = kit.serf(SerfVersion::V0_10_1, "new-1", &[agent.addr()])?;
        let old_victim = kit.serf(SerfVersion::V0_9_4, "old-2", &[agent.addr()])?;
        let node = kit.node("node")?;
        node.join(new.addr())?;
        let go = kit.go("go-1")?;
        go.join(node.addr())?;
        let agent_victim = kit.agent("agent-2", &[])?;
        agent_victim.join(go.addr())?;
        let new_victim = kit.serf(SerfVersion::V0_10_1, "new-2", &[go.addr()])?;
        let go_victim = kit.go("go-2")?;
        go_victim.join(old.addr())?;
        let old = Pair { steady: old, victim: old_victim };
        let new = Pair { steady: new, victim: new_victim };
        let go = Pair { steady: go, victim: go_victim };
        let agents = Pair { steady: agent, victim: agent_victim };
        Ok(Self { kit, serfs: vec![old, new], go, agents, node, roles: BTreeMap::new() })
    }

    fn memberlist(kit: Kit<'a>) -> Result<Self> {
        let go = kit.go("go-1")?;
        let agent = kit.agent("agent-1", &[go.addr()])?;
        let go_victim = kit.go("go-2")?;
        go_victim.join(agent.addr())?;
        let node = kit.node("node")?;
        node.join(go.addr())?;
        let agent_victim = kit.agent("agent-2", &[])?;
        agent_victim.join(go_victim.addr())?;
        let go = Pair { steady: go, victim: go_victim };
        let agents = Pair { steady: agent, victim: agent_victim };
        Ok(Self { kit, serfs: Vec::new(), go, agents, node, roles: BTreeMap::new() })
    }

    /// Every node, by its view.
    pub(super) fn views(&self) -> Vec<&dyn View> {
        let mut views = self.steady();
        views.extend(self.serfs.iter().map(|pair| -> &dyn View { &pair.victim }));
        views.push(&self.go.victim);
        views.push(&self.agents.victim);
        views
    }

    /// Those that do not suffer.
    pub(super) fn steady(&self) -> Vec<&dyn View> {
        let mut views: Vec<&dyn View> = vec![&self.node, &self.go.steady, &self.agents.steady];
        views.extend(self.serfs.iter().map(|pair| -> &dyn View { &pair.steady }));
        views
    }

    /// All but those of these names.
    pub(super) fn views_without(&self, names: &[&str]) -> Vec<&dyn View> {
        self.views().into_iter().filter(|view| !names.contains(&view.name())).collect()
    }

    /// That everybody is up.
    pub(super) fn all_alive(&self) -> Expectation {
        Expectation::alive(self.views().iter().map(|view| view.name()))
    }

    /// Waits until everybody sees everybody.
    pub(super) fn wait_until_together(&self) -> Result<()> {
        wait_until_views_agree(&self.views(), &self.all_alive(), patience::JOIN).map(drop)
    }

    /// Waits until everybody sees of everybody the address at which that node listens, and the role that it states.
    pub(super) fn wait_until_described(&self) -> Result<()> {
        let addresses = self.addresses();
        wait_until("all descriptions to be known", patience::JOIN, || {
            for view in self.views() {
                if let Some(complaint) = self.misdescription(view, &addresses)? {
                    return Ok(Attempt::NotYet(format!("{} sees {complaint}", view.name())));
                }
            }
            Ok(Attempt::Done(()))
        })
    }

    /// Changes what one node of each kind says about itself; mingle agents cannot yet.
    pub(super) fn change_roles(&mut self) -> Result<()> {
        for Pair { steady, .. } in &self.serfs {
            let role = format!("{}, changed", steady.name());
            steady.set_tag(ROLE, &role)?;
            self.roles.insert(steady.name().to_owned(), role);
        }
        self.go.steady.set_meta(&self.kit.company.meta("go-1, changed"))?;
        self.roles.insert("go-1".to_owned(), "go-1, changed".to_owned());
        match self.kit.company {
            Company::Everybody => self.node.set_tags(&role_tag("node, changed"))?,
            Company::Memberlist => self.node.set_meta(b"node, changed")?,
        }
        self.roles.insert("node".to_owned(), "node, changed".to_owned());
        Ok(())
    }

    /// Makes sure that the memberlist nodes see mingle's version bytes, and mingle theirs. Those bytes came by whatever way.
    pub(super) fn check_versions(&self) -> Result<()> {
        let marked = self.kit.company.mingle_versions();
        for go in [&self.go.steady, &self.go.victim] {
            for member in go.members()? {
                let is_mingle = ["node", "agent-1", "agent-2"].contains(&member.name.as_str());
                let wanted = if is_mingle { marked } else { self.kit.company.go_versions() };
                let (name, seen) = (&member.name, member.versions());
                ensure!(seen == wanted, "{} sees versions {seen:?} of {name}", go.name());
            }
        }
        for view in self.views() {
            let (name, is_go) =
                (view.name(), !["node", "agent-1", "agent-2"].contains(&view.name()));
            let wanted = if is_go { self.kit.company.go_versions() } else { marked };
            let seen = self.node.member(name).map(|member| member.versions.0);
            ensure!(seen == Some(wanted), "the mingle node sees versions {seen:?} of {name}");
        }
        Ok(())
    }

    fn misdescription(
        &self,
        view: &dyn View,
        addresses: &BTreeMap<&str, SocketAddr>,
    ) -> Result<Option<String>> {
        let company = self.kit.company;
        Ok(view.view()?.into_iter().find_map(|(name, seen)| {
            let role = self.roles.get(&name).unwrap_or(&name);
            let addr_fits = addresses.get(name.as_str()) == Some(&seen.addr);
            let role_fits = match &seen.attributes {
                Attributes::Tags(tags) => *tags == role_tag(role),
                Attributes::Meta(meta) => *meta == company.meta(role),
                Attributes::NotShown => true,
            };
            let all_fits = addr_fits && role_fits;
            (!all_fits).then(|| format!("{name} with {seen:?} instead of {role:?}"))
        }))
    }

    fn addresses(&self) -> BTreeMap<&str, SocketAddr> {
        let mut addresses = BTreeMap::from([(self.node.name(), self.node.addr())]);
        for Pair { steady, victim } in &self.serfs {
            addresses.extend([steady, victim].map(|serf| (serf.name(), serf.addr())));
        }
        addresses.extend([&self.go.steady, &self.go.victim].map(|go| (go.name(), go.addr())));
        let agents = [&self.agents.steady, &self.agents.victim];
        addresses.extend(agents.map(|agent| (agent.name(), agent.addr())));
        addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_spelled_as_serf_spells_tags() {
        assert_eq!(Company::Everybody.meta("web"), b"\xff\x81\xa4role\xa3web");
        assert_eq!(Company::Memberlist.meta("web"), b"web");
    }
}
