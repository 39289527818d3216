use mingle_proto::Instant;
use serde::Serialize;

use super::Finding;

macro_rules! checkers {
    ($($(#[doc = $doc:literal])+ $checker:ident = $name:literal, $depth:ident;)+) => {
        /// Something that must hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Checker {
            $($(#[doc = $doc])+ $checker,)+
        }

        impl Checker {
            /// All of them, in the order of reports.
            pub(super) const ALL: &[Self] = &[$(Self::$checker,)+];

            /// What reports call it.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$checker => $name,)+ }
            }

            /// In which worlds it can be had.
            pub(super) const fn depth(self) -> Depth {
                match self { $(Self::$checker => Depth::$depth,)+ }
            }
        }
    };
}

checkers! {
    /// A node's own incarnation never falls while its process lives, and what it says of itself changes
    /// only with it.
    Incarnation = "own incarnation", Any;
    /// Nobody is dead without a suspicion that was spread and ran its time, and nobody has left
    /// without having said so.
    Verdicts = "verdicts", Real;
    /// Whoever hears something of itself that is not so goes above it at once.
    Refutations = "refutations", Small;
    /// Whoever went down is live again only above the incarnation that it went down with.
    Resurrection = "resurrection", Small;
    /// Each observer is told of each member what can follow on what it was told before.
    Order = "order of events", Small;
    /// What events tell, one after another, is what the machine believes.
    Views = "views", Small;
    /// Packets keep to their room, and can be read.
    Packets = "packets", Any;
    /// A claim is sent as often as the rules say, and once in a packet.
    Transmits = "transmits", Small;
    /// Tables, queues and scores keep to their bounds.
    Bounds = "bounds", Any;
    /// What the machine counts and looks up is what a walk over its members gives.
    Indexes = "indexes", Small;
    /// Equal views have equal fingerprints, and different ones different ones.
    Fingerprint = "fingerprint", Small;
    /// Every change says why, and that fits.
    Evidence = "evidence", Any;
    /// What evidence says of answers and nacks is what came, and a failed probe accuses what was known
    /// when it began.
    Answers = "answers", Small;
    /// The health score follows from answers, nacks, refutations, and how late a node was.
    Health = "health", Small;
    /// Evidence says how late the observer's own timers were meanwhile.
    Lags = "lags", Small;
    /// Whoever is pinged answers at once, and no acks go out that nobody asked for.
    Pings = "pings", Small;
    /// Whoever is asked to ping somebody else does, and says once and in time what came of it.
    Relays = "relays", Small;
    /// Others than the target of a probe are asked to ping it, each once.
    Helpers = "helpers", Small;
    /// Before somebody is believed to be gone it was asked, and silent for long enough.
    Inquiries = "inquiries", Small;
    /// Each packet of a gossip tick goes to another member.
    Gossip = "gossip", Small;
    /// A member that speaks of itself is told only so often what is held against it, many are only so
    /// often in all, and never in more bytes than it used itself.
    Corrections = "corrections", Small;
    /// Links of members degrade and are restored in turn, and never those of who is gone.
    Links = "links", Small;
    /// A view on a stream is the whole view, an answer the one before merging what it answers.
    Shown = "shown views", Small;
    /// Every request is answered once, and in time.
    Requests = "requests", Any;
    /// Exchanges have numbers of their own, nothing is said on one that is not open, none that a peer
    /// dialled stays open, and the node counts those that it dialled as they are.
    Exchanges = "exchanges", Any;
    /// Each live member is pinged within two rounds.
    Probing = "probing", Small;
    /// Whoever went down is forgotten when its time is up and not before, and no suspicion runs longer
    /// than its accusers warrant.
    Deadlines = "deadlines", Small;
    /// A node that was woken does not want to be woken at the same instant for ever, and one that has
    /// something to tell wants to be woken within a gossip interval.
    Progress = "progress", Any;
    /// What was changed on its way is refused.
    Corruption = "corruption", Any;
}

/// In which worlds a checker can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// In all: a step costs the same in each.
    Any,
    /// Where there are few enough views to keep a shadow of each.
    Small,
    /// Where moreover everybody is a real node, so that all that is claimed was seen to be claimed.
    Real,
}

/// How often a checker had something to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Which.
    pub checker: &'static str,
    /// How often; 0 means that nothing happened that it could have caught.
    pub checked: u64,
    /// Whether the world was too large for it.
    pub skipped: bool,
}

/// Where checkers hand in what they found.
#[derive(Debug)]
pub(super) struct Desk {
    now: Instant,
    host: u32,
    checked: [u64; Checker::ALL.len()],
    findings: Vec<Finding>,
}

/// The world ends with the first step that has findings; more than this of one checker nobody reads.
const MOST: usize = 5;

impl Default for Desk {
    fn default() -> Self {
        let checked = [0; Checker::ALL.len()];
        Self { now: Instant::ORIGIN, host: 0, checked, findings: Vec::new() }
    }
}

impl Desk {
    /// Says when and where everything happens until the next call.
    pub(super) fn at(&mut self, now: Instant, host: u32) {
        (self.now, self.host) = (now, host);
    }

    /// The world's time.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Counts that something was checked, and notes it where it does not hold.
    pub(super) fn check(&mut self, checker: Checker, holds: bool, what: impl FnOnce() -> String) {
        self.checked[checker as usize] += 1;
        if !holds {
            self.report(checker, what());
        }
    }

    fn report(&mut self, checker: Checker, what: String) {
        let same = self.findings.iter().filter(|finding| finding.checker == checker.name());
        if same.count() < MOST {
            let (at, host) = (self.now.as_nanos(), self.host);
            self.findings.push(Finding { checker: checker.name(), at, host, what });
        }
    }

    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub(super) fn checked(&self, checker: Checker) -> u64 {
        self.checked[checker as usize]
    }
}
