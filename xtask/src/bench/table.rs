//! Records of runs as tables for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// A table: its title, what it says, and its columns.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) says: &'static str,
    /// A row is shown where this part of a record is there.
    pub(super) part: &'static str,
    pub(super) columns: &'static [Column],
}

/// A column: its head, and where in a record its figure is.
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) pointer: &'static str,
    /// By what the figure is multiplied.
    pub(super) times: f64,
    pub(super) digits: usize,
}

const fn column(head: &'static str, pointer: &'static str, times: f64, digits: usize) -> Column {
    Column { head, pointer, times, digits }
}

pub(super) const TABLES: [Table; 6] = [
    Table {
        title: "Join",
        says: "All nodes are there; each joins by the first one, one at each pace. Until all see all, and until 99.9 % of the pairs do. *Cost row*: \
               processor time of the whole process, and what each node sent in bytes of IP.",
        part: "join",
        columns: &[
            column("all see all, ms", "/join/all_ms", 1.0, 0),
            column("99.9 %, ms", "/join/most_ms", 1.0, 0),
            column("refused", "/join/refused", 1.0, 0),
            column("processor, s", "/join/cost/cpu_s", 1.0, 2),
            column("kB sent by each", "/join/cost/ip_bytes_per_node", 1e-3, 1),
        ],
    },
    Table {
        title: "At rest",
        says: "*Cost rows*: for each node while nothing happens, once the join has settled. False deaths stand beside them.",
        part: "rest",
        columns: &[
            column("processor, us/s", "/rest/cost/cpu_us_per_node_s", 1.0, 0),
            column("datagrams/s", "/rest/cost/datagrams_per_node_s", 1.0, 2),
            column("connections/s", "/rest/cost/opens_per_node_s", 1.0, 3),
            column("IP bytes/s", "/rest/cost/ip_bytes_per_node_s", 1.0, 0),
            column("memory, KiB", "/rest/rss_kib_per_node", 1.0, 0),
            column("false deaths", "/rest/false_downs", 1.0, 0),
            column("others on the machine, %", "/rest/cost/foreign_cpu", 100.0, 0),
        ],
    },
    Table {
        title: "One is gone",
        says: "*Protocol rows*: one node is silent from one moment on. Until the first of the others says so, and until all have.",
        part: "kill",
        columns: &[
            column("first, s", "/kill/first_ms", 1e-3, 2),
            column("all, s", "/kill/all_ms", 1e-3, 2),
            column("false deaths", "/kill/false_downs", 1.0, 0),
        ],
    },
    Table {
        title: "Five at once",
        says: "*Protocol rows*: as above; until the first of the others says so of any, and until all have of all five.",
        part: "kill_five",
        columns: &[
            column("first, s", "/kill_five/first_ms", 1e-3, 2),
            column("all, s", "/kill_five/all_ms", 1e-3, 2),
            column("false deaths", "/kill_five/false_downs", 1.0, 0),
        ],
    },
    Table {
        title: "Broadcasts",
        says: "200 messages of 64 incompressible bytes, 50 in a second, from one node to all.",
        part: "broadcast",
        columns: &[
            column("to all, p50, ms", "/broadcast/all_p50_ms", 1.0, 0),
            column("p99, ms", "/broadcast/all_p99_ms", 1.0, 0),
            column("to one, p50, ms", "/broadcast/each_p50_ms", 1.0, 0),
            column("p99, ms", "/broadcast/each_p99_ms", 1.0, 0),
            column("pairs lost", "/broadcast/lost", 1.0, 0),
            column("processor, s", "/broadcast/cost/cpu_s", 1.0, 2),
            column("kB sent by each", "/broadcast/cost/ip_bytes_per_node", 1e-3, 1),
        ],
    },
    Table {
        title: "From one to another",
        says: "*Cost rows*: messages of 64 bytes from one node to one other in the same process, as fast as they go for five seconds: delivered in a second.",
        part: "pour",
        columns: &[
            column("best effort", "/pour/best_effort_1/delivered_per_s", 1.0, 0),
            column("lost, %", "/pour/best_effort_1/lost", 100.0, 1),
            column("four senders", "/pour/best_effort_4/delivered_per_s", 1.0, 0),
            column("lost, %", "/pour/best_effort_4/lost", 100.0, 1),
            column("reliable", "/pour/reliable_1/delivered_per_s", 1.0, 0),
            column("four senders", "/pour/reliable_4/delivered_per_s", 1.0, 0),
            column("64 senders", "/pour/reliable_64/delivered_per_s", 1.0, 0),
        ],
    },
];

/// Which runs stand in one row: of so many nodes, at this pace, with equal constants or not, by this system.
type Key = (u64, u64, bool, String);

/// All tables in Markdown, of the records of all runs.
pub(super) fn all(records: &[Value]) -> String {
    let mut text = String::new();
    for table in &TABLES {
        let rows = rows(table, records);
        if rows.is_empty() {
            continue;
        }
        let heads: Vec<_> = table.columns.iter().map(|column| column.head).collect();
        let _ = writeln!(text, "## {}\n\n{}\n", table.title, table.says);
        let _ = writeln!(text, "| nodes | pace, ms | system | runs | {} |", heads.join(" | "));
        let _ = writeln!(text, "|---|---|---|---|{}", "---|".repeat(heads.len()));
        for ((nodes, pace, equal, system), of) in rows {
            let cells: Vec<_> =
                table.columns.iter().map(|column| cell(table, column, &of)).collect();
            let system = if equal { format!("{system}, equal constants") } else { system };
            let pace = milli(pace);
            let _ = writeln!(
                text,
                "| {nodes} | {pace} | {system} | {} | {} |",
                of.len(),
                cells.join(" | ")
            );
        }
        text.push('\n');
    }
    text + &failures(records)
}

fn rows<'r>(table: &Table, records: &'r [Value]) -> BTreeMap<Key, Vec<&'r Value>> {
    let mut rows: BTreeMap<Key, Vec<&Value>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.get(table.part).is_some()) {
        let system = record["system"].as_str().unwrap_or_default().to_owned();
        let key = (
            record["nodes"].as_u64().unwrap_or(0),
            micros(record["pace_ms"].as_f64().unwrap_or(0.0)),
            record["equal"].as_bool().unwrap_or(false),
            system,
        );
        rows.entry(key).or_default().push(record);
    }
    rows
}

/// The median, and from the least to the most where there are several; what there is not, and why.
fn cell(table: &Table, column: &Column, records: &[&Value]) -> String {
    let none = records.iter().find_map(|record| record[table.part]["none"].as_str());
    if let Some(why) = none {
        return why.to_owned();
    }
    let found =
        |record: &&&Value| record.pointer(column.pointer).is_some_and(|value| !value.is_null());
    let missing = records.iter().filter(|record| !found(record)).count();
    let mut figures: Vec<f64> = records
        .iter()
        .filter_map(|record| record.pointer(column.pointer)?.as_f64())
        .map(|figure| figure * column.times)
        .collect();
    figures.sort_by(f64::total_cmp);
    let shown = |figure: f64| format!("{figure:.*}", column.digits);
    let text = match &figures[..] {
        [] => return "never".to_owned(),
        [only] => shown(*only),
        [least, .., most] => {
            let middle = (figures[(figures.len() - 1) / 2] + figures[figures.len() / 2]) / 2.0;
            format!("{} ({}-{})", shown(middle), shown(*least), shown(*most))
        }
    };
    if missing > 0 { format!("{text}, never in {missing}") } else { text }
}

/// What went wrong, a line each.
fn failures(records: &[Value]) -> String {
    let mut text = String::new();
    for record in records {
        if let Some(error) = record["error"].as_str() {
            let system = record["system"].as_str().unwrap_or_default();
            let _ = writeln!(text, "- {system}, {} nodes: {error}", record["nodes"]);
        }
    }
    if text.is_empty() { text } else { format!("## What went wrong\n\n{text}\n") }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a pace is of some milliseconds"
)]
fn micros(milliseconds: f64) -> u64 {
    (milliseconds * 1000.0) as u64
}

fn milli(micros: u64) -> String {
    if micros.is_multiple_of(1000) {
        (micros / 1000).to_string()
    } else {
        format!("0.{:03}", micros % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(system: &str, all_ms: &Value) -> Value {
        json!({"system": system, "nodes": 16, "pace_ms": 1.0, "join": {"all_ms": all_ms}})
    }

    #[test]
    fn a_row_has_the_median_and_the_spread_of_its_runs() {
        let records = [
            record("a", &json!(30.0)),
            record("a", &json!(10.0)),
            record("a", &json!(20.0)),
            record("b", &json!(null)),
        ];
        let text = all(&records);
        assert!(text.contains("| 16 | 1 | a | 3 | 20 (10-30) |"), "{text}");
        assert!(text.contains("| 16 | 1 | b | 1 | never |"), "{text}");
        assert!(!text.contains("At rest") && !text.contains("went wrong"), "{text}");
    }

    #[test]
    fn what_went_wrong_and_what_there_is_not_is_told() {
        let records = [
            json!({"system": "a", "nodes": 4, "pace_ms": 0.5, "error": "join: it ended"}),
            json!({"system": "b", "nodes": 4, "pace_ms": 0.5, "broadcast": {"none": "it has none"}}),
        ];
        let text = all(&records);
        assert!(text.contains("- a, 4 nodes: join: it ended"), "{text}");
        assert!(text.contains("| 4 | 0.500 | b | 1 | it has none |"), "{text}");
    }
}
