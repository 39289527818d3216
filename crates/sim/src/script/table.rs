//! What nodes see, as tables.

use std::collections::BTreeSet;

use mingle_proto::{Counter, Member, Node};

use crate::tape::label;
use crate::world::World;

/// A line for each viewer, a column for each member that any of them knows.
pub(super) fn short(world: &World, viewers: &[u32]) -> Vec<String> {
    let nodes: Vec<(u32, &Node)> = viewers.iter().map(|&host| (host, node(world, host))).collect();
    let names: BTreeSet<String> = nodes
        .iter()
        .flat_map(|(_, node)| node.members())
        .map(|member| member.name().to_owned())
        .collect();
    let head = std::iter::once("sees".to_owned()).chain(names.iter().cloned()).collect();
    let rows = nodes.iter().map(|&(host, node)| {
        let cell = |name: &String| match node.member(name) {
            Some(member) => format!("{} {}", member.state, member.incarnation),
            None => "-".to_owned(),
        };
        std::iter::once(label(host)).chain(names.iter().map(cell)).collect()
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// For each viewer how it is, and a line for each member that it knows.
pub(super) fn full(world: &World, viewers: &[u32]) -> Vec<String> {
    let mut lines = Vec::new();
    for &host in viewers {
        let node = node(world, host);
        let (health, queued) = (node.health(), node.queued());
        lines.push(format!("{}: health score {health}, {queued} claims to gossip", label(host)));
        let mut members: Vec<Member> = node.members().collect();
        members.sort_by(|a, b| a.name().cmp(b.name()));
        let rows = members.iter().map(|member| {
            let meta = member.meta().escape_ascii();
            let meta = if member.meta().is_empty() { String::new() } else { format!("\"{meta}\"") };
            vec![
                String::new(),
                member.name().to_owned(),
                format!("{} {}", member.state, member.incarnation),
                member.address().to_string(),
                meta,
            ]
        });
        lines.extend(columns(&rows.collect::<Vec<_>>()));
    }
    lines
}

/// A line for each viewer with what it has counted.
pub(super) fn counts(world: &World, viewers: &[u32], counters: &[Counter]) -> Vec<String> {
    let line = |&host: &u32| {
        let count = |counter: &Counter| {
            format!("{} {}", counter.name(), node(world, host).counters().get(*counter))
        };
        let counts: Vec<String> = counters.iter().map(count).collect();
        format!("{}: {}", label(host), counts.join(", "))
    };
    viewers.iter().map(line).collect()
}

fn node(world: &World, host: u32) -> &Node {
    world.host(host).node.as_ref().expect("only those that run are asked")
}

fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let count = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
