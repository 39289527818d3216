use mingle_wire::DecodeError;
use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Something that a node counts. Names are stable and go into metrics as they are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Counter {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Counter {
            /// Every counter.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name, in snake case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it counts, in one line.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+),)+ }
            }
        }
    };
}

counters! {
    /// Pings received in packets.
    PingsReceived = "pings_received",
    /// Requests to ping somebody else received.
    IndirectPingsReceived = "indirect_pings_received",
    /// Acks received, for whatever ping.
    AcksReceived = "acks_received",
    /// Nacks received.
    NacksReceived = "nacks_received",
    /// Alive claims received in packets.
    AlivesReceived = "alives_received",
    /// Suspect claims received in packets.
    SuspectsReceived = "suspects_received",
    /// Dead claims received in packets.
    DeadsReceived = "deads_received",
    /// User messages received, in packets or on streams of their own.
    UserMessagesReceived = "user_messages_received",
    /// Push/pulls received, asked for or answered.
    PushPullsReceived = "push_pulls_received",
    /// Pings received on streams.
    StreamPingsReceived = "stream_pings_received",
    /// Packets written, of whatever kind.
    PacketsSent = "packets_sent",
    /// Claims that went into packets, each as often as it was sent.
    ClaimsSent = "claims_sent",
    /// Exchanges dialled.
    ExchangesDialled = "exchanges_dialled",
    /// Members asked after a join which view they have by now.
    ViewsCompared = "views_compared",
    /// Probes begun.
    Probes = "probes",
    /// Probes that ended without an answer.
    ProbesFailed = "probes_failed",
    /// Probes answered on a stream only: packets to that member get lost.
    ProbesAnsweredOnStream = "probes_answered_on_stream",
    /// Probes void because this node itself was late.
    ProbesVoided = "probes_voided",
    /// Accusations of others that started here.
    SuspicionsRaised = "suspicions_raised",
    /// Suspicions told once more where nobody else had accused and this node doubted itself.
    SuspicionsRetold = "suspicions_retold",
    /// Accusations not made because too many others were not borne out.
    AccusationsWithheld = "accusations_withheld",
    /// Links found degraded: the member answers, and not to direct packets.
    LinksDegraded = "links_degraded",
    /// Members declared dead here.
    DeathsDeclared = "deaths_declared",
    /// False claims about this node that it answered with a higher incarnation.
    Refutations = "refutations",
    /// Claims that changed nothing because as much was known.
    ClaimsKnown = "claims_known",
    /// Claims older than what is known of their member.
    ClaimsStale = "claims_stale",
    /// Claims refused because a tombstone says that they are old.
    ClaimsBuried = "claims_buried",
    /// Nodes told what is held against them, because they spoke of themselves below it.
    Corrections = "corrections",
    /// Accusations and verdicts about members that are not known.
    ClaimsAboutStrangers = "claims_about_strangers",
    /// Alive claims for a name that another address holds.
    Conflicts = "conflicts",
    /// Alive claims at a held incarnation with other meta or versions.
    ClaimsContradicting = "claims_contradicting",
    /// Alive claims with version bytes that no honest node states.
    VersionsRefused = "versions_refused",
    /// Alive claims from or about an address outside the allowed networks.
    NetworksRefused = "networks_refused",
    /// New members refused because the table is full.
    MembersRefused = "members_refused",
    /// Tombstones dropped before their time because there were too many.
    TombstonesDropped = "tombstones_dropped",
    /// Pings meant for a node of another name.
    PingsForOthers = "pings_for_others",
    /// Acks and nacks that no running ping asked for.
    AnswersUnasked = "answers_unasked",
    /// Requests to ping somebody else refused because too many are under way.
    RelaysRefused = "relays_refused",
    /// Push/pulls refused because protocol versions do not fit.
    PushPullsIncompatible = "push_pulls_incompatible",
    /// Push/pull records that no honest node sends.
    RecordsRefused = "records_refused",
    /// Stream messages of a kind that may not open or continue an exchange.
    ExchangesRefused = "exchanges_refused",
    /// Packets that the driver could not send.
    SendsFailed = "sends_failed",
    /// While this node is leaving: alive claims about it, and claims that somebody has moved.
    NewsOfLeaver = "news_of_leaver",
    /// Members asked about themselves before something was believed of them, or told goodbye.
    Inquiries = "inquiries",
    /// Members that could not be asked because too many are asked already.
    InquiriesRefused = "inquiries_refused",
    /// Suspects that answered before the verdict, and got more time.
    Spared = "spared",
    /// Members found gone from their address by a claim of another one.
    Superseded = "superseded",
    /// Seeds refused because there are too many.
    SeedsRefused = "seeds_refused",
    /// Attempts to reach somebody who is missing.
    Reconnects = "reconnects",
    /// Attempts to reach somebody who is missing that were answered.
    ReconnectsAnswered = "reconnects_answered",
    /// Members that had another view than ours when nothing had changed for long.
    Disagreements = "disagreements",
    /// Periodic exchanges of views left out because they would have changed nothing.
    PushPullsSpared = "push_pulls_spared",
    /// Dead and left members reaped before their time because there were too many.
    ReapedEarly = "reaped_early",
    /// Times this node ran later than a probe interval.
    LateWakeups = "late_wakeups",
}

/// How often each [`Counter`] has happened, and each reason for refusing a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    counts: Vec<u64>,
    refused: Vec<u64>,
}

impl Default for Counters {
    fn default() -> Self {
        Self { counts: vec![0; Counter::ALL.len()], refused: vec![0; DecodeError::ALL.len()] }
    }
}

impl Counters {
    /// How often it has happened since the node was made.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.counts[counter as usize]
    }

    /// How many messages have been refused for this reason.
    #[must_use]
    pub fn refused(&self, reason: DecodeError) -> u64 {
        self.refused[reason.index()]
    }

    /// How many messages have been refused, for whatever reason.
    #[must_use]
    pub fn refused_in_all(&self) -> u64 {
        self.refused.iter().sum()
    }

    pub(crate) fn count(&mut self, counter: Counter) {
        self.counts[counter as usize] += 1;
    }

    pub(crate) fn add(&mut self, counter: Counter, times: u64) {
        self.counts[counter as usize] += times;
    }

    pub(crate) fn refuse(&mut self, reason: DecodeError) {
        self.refused[reason.index()] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Counter::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), Counter::ALL.len());
    }

    #[test]
    fn counting_one_leaves_the_others() {
        let mut counters = Counters::default();
        counters.count(Counter::Refutations);
        let total: u64 = Counter::ALL.iter().map(|&c| counters.get(c)).sum();
        assert_eq!((counters.get(Counter::Refutations), total), (1, 1));
    }
}
