use std::time::Duration;

use serde::Serialize;

/// What is measured of one world. Times are in seconds of the world, and `null` where nothing of the
/// kind happened.
///
/// First detection, full dissemination and false positives are counted as in the Lifeguard paper
/// (Dadgar, Phillips, Currey 2017, section V): a false positive is each time that a node which is
/// up is declared dead in some other node's view, so that one wrong verdict counts as often as it is
/// believed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Measured {
    /// Hours that nodes were up, all together: what rates refer to.
    pub node_hours: f64,
    /// How many times a node that was up, and that no fault concerned, was declared dead in the view
    /// of a node that no cut concerned. A fault concerns a node while it lasts, and as long
    /// afterwards as a probe and a suspicion may run. Cuts (`partition`, `link`) concern the nodes on
    /// the smaller side, or all when no side is the largest; other faults those that they name.
    pub false_failures: u64,
    /// Those of them in the views of nodes that a fault concerned (slow, paused, ...). Lifeguard's
    /// "false positives at healthy members" are [`Self::false_failures`] without these.
    pub false_failures_at_concerned: u64,
    /// How many times a node that was up was declared dead while a fault concerned it, or in the view
    /// of a node that a cut concerned: wrong, but with a reason.
    pub failures_of_concerned: u64,
    /// How many times a node that was up was declared dead at an incarnation of an earlier life: true
    /// once, and late.
    pub late_failures: u64,
    /// Who let the suspicions run out that came to false failures, with or without a reason: the
    /// first ten by number.
    pub false_verdicts_by: Vec<Times>,
    /// How many times a node that was up, and stayed, was seen to leave.
    pub false_goodbyes: u64,
    /// Accusations that began, about nodes that were up and that no fault concerned.
    pub suspicions: u64,
    /// Accusations that began, about nodes that were up and that a fault concerned, or by nodes that a
    /// cut concerned.
    pub suspicions_of_concerned: u64,
    /// How many times nodes answered an accusation with a higher incarnation.
    pub refutations: u64,
    /// Processes that ended without a word.
    pub crashes: u64,
    /// From a crash until the first other node declares it dead.
    pub detected: Distribution,
    /// From a crash until no node that is up sees it live.
    pub dead_everywhere: Distribution,
    /// Crashes that were still not known to all in the end.
    pub missed_deaths: u64,
    /// Crashed nodes that were back before all knew.
    pub overtaken: u64,
    /// How many times a node that was down was seen alive again by one who had it as dead or left, or
    /// after nobody saw it live.
    pub returns_of_the_dead: u64,
    /// From a start until all that are up see this life of the node live.
    pub joined_everywhere: Distribution,
    /// Starts that not all have seen in the end.
    pub missed_joins: u64,
    /// From the command to leave until the node says that its goodbye is out.
    pub goodbye: Distribution,
    /// From the command to leave until no node that is up sees it live.
    pub left_everywhere: Distribution,
    /// Goodbyes that were still not known to all in the end.
    pub missed_goodbyes: u64,
    /// From the first moment that somebody has a node that is up as dead or left until all that are
    /// up see it live again.
    pub recovered: Distribution,
    /// Nodes that are up and still not seen live by all in the end, after somebody had them as dead
    /// or left.
    pub unrecovered: u64,
    /// Packets that a node sends in a second, on average.
    pub packets_per_node_second: f64,
    /// Bytes that a node sends in a second, on average: bodies of packets and stream messages,
    /// without envelopes and headers.
    pub bytes_per_node_second: f64,
    /// The same of the node that sends most.
    pub busiest_bytes_per_second: f64,
    /// The most claims that waited in any node's queue.
    pub longest_queue: u64,
    /// Whose it was.
    pub longest_queue_of: String,
    /// The largest packet, in bytes of its body.
    pub largest_packet: u64,
    /// The largest stream message, in bytes.
    pub largest_message: u64,
    /// The health score, on average over all nodes and the whole time. 0 is healthy.
    pub health: f64,
    /// The worst health score of any node.
    pub worst_health: u32,
    /// Commands that nodes refused, and said so.
    pub requests_refused: u64,
    /// Messages and datagrams that nodes and their envelopes refused.
    pub messages_refused: u64,
}

/// A node, and how often it did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Times {
    /// Which.
    pub node: String,
    /// How often.
    pub times: u64,
}

/// Several times of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Distribution {
    /// How many.
    pub count: u64,
    /// Half of them are at most this.
    pub median: Option<f64>,
    /// 99 of 100 are at most this.
    pub p99: Option<f64>,
    /// The longest.
    pub longest: Option<f64>,
}

impl Distribution {
    pub(super) fn of(times: &[Duration]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        // The nearest rank: the least one that so many of a hundred do not exceed.
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.max(1) - 1).map(Duration::as_secs_f64)
        };
        Self { count: sorted.len() as u64, median: at(50), p99: at(99), longest: at(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest_ones() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_secs).collect();
        let distribution = Distribution::of(&times);
        assert_eq!(distribution.median, Some(100.0));
        assert_eq!((distribution.p99, distribution.longest), (Some(198.0), Some(200.0)));
        assert_eq!(Distribution::of(&[]), Distribution::default());
        let one = Distribution::of(&[Duration::from_secs(3)]);
        assert_eq!((one.count, one.median, one.longest), (1, Some(3.0), Some(3.0)));
    }
}
