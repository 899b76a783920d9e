//! A store, nodes that share one session in it, and the provider.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::record::{Ending, Owner, Record, Standing};

/// The number of a refresh token stands for all tokens of a grant.
pub(crate) type Token = u8;

/// Of the store's clock.
pub(crate) type Tick = u8;

/// Versions and owners are random in the layer. Here, equal names only mean the same version or owner.
pub(crate) type Name = u8;

pub(crate) const TICK: Duration = Duration::from_secs(10);
/// A time that no configuration reaches.
pub(crate) const NEVER: Tick = Tick::MAX;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) record: Record<Token>,
    pub(crate) version: Name,
    pub(crate) expires_at: Tick,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Swap {
    pub(crate) expected: Name,
    pub(crate) record: Record<Token>,
    pub(crate) version: Name,
}

/// A request to the store that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    /// `None` only reads.
    pub(crate) swap: Option<Swap>,
    pub(crate) reply: Option<Reply>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reply {
    /// The entry after the request.
    pub(crate) entry: Option<Entry>,
    pub(crate) now: Tick,
}

/// A refresh by one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) owner: Name,
    /// The rotation of the refresh token that it sends.
    pub(crate) rotation: u64,
    pub(crate) token: Token,
    /// The last holder never released its lease.
    pub(crate) has_taken_over: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Idle,
    /// Takes, prolongs or confirms the lease, or reads the record before that.
    Asking {
        run: Run,
        why: Why,
        ask: Ask,
    },
    /// Waits for the last holder's write.
    Pausing {
        run: Run,
        until: Tick,
    },
    /// Waits for the provider. Contains its answer, which may be a refusal.
    Granting {
        run: Run,
        sent_at: Tick,
        answer: Option<Option<Token>>,
    },
    Writing {
        run: Run,
        grant: Token,
        swap: Swap,
    },
    Refusing {
        run: Run,
    },
    Releasing {
        owner: Name,
        is_in_doubt: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ask {
    pub(crate) asked_at: Tick,
    /// The store's time as the node takes it.
    pub(crate) now: Tick,
    pub(crate) is_takeover: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    Take,
    Confirm,
}

/// A sign-out that a node carries out, beside its refresh.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leaving {
    pub(crate) ending: Ending,
    /// The version that the node knew.
    pub(crate) known: Option<Name>,
    /// The token that the node knew. The sign-out revokes it.
    pub(crate) held: Option<Token>,
    /// The token that the store held. The sign-out revokes it instead.
    pub(crate) found: Option<Token>,
    pub(crate) call: Option<Call>,
}

/// The version of the store and the record that a node believes in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Known {
    pub(crate) record: Record<Token>,
    pub(crate) version: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    /// `None` after a start.
    pub(crate) known: Option<Known>,
    pub(crate) step: Step,
    pub(crate) call: Option<Call>,
    pub(crate) leaving: Option<Leaving>,
    /// The entry that a request has read. The node has not adopted it yet.
    pub(crate) reading: Option<Option<Entry>>,
    /// How early this node's estimate of the store's time is.
    pub(crate) lag: Tick,
}

/// The last request that spent a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sent {
    /// The end of the lease under which it was sent.
    pub(crate) until: Tick,
    /// The store had its tokens before the lease ended.
    pub(crate) is_written: bool,
    /// Its answer was lost, or its node died.
    pub(crate) is_lost: bool,
}

/// How many more faults of each kind may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    pub(crate) crashes: u8,
    /// Requests to the store whose reply never arrives. The store may still carry them out, at any time.
    pub(crate) lost_replies: u8,
    /// Answers of the provider that never arrive.
    pub(crate) lost_answers: u8,
    /// Returns of the store to an earlier state.
    pub(crate) set_backs: u8,
    pub(crate) sign_outs: u8,
    /// Endings by somebody who does not know the session's id.
    pub(crate) foreign_endings: u8,
    pub(crate) touches: u8,
    /// Reads whose result is adopted long after the store answered.
    pub(crate) slow_reads: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) time: Tick,
    pub(crate) store: Option<Entry>,
    pub(crate) backup: Option<Entry>,
    pub(crate) nodes: Vec<Node>,
    /// Swaps that nobody waits for any more.
    pub(crate) strays: Vec<Swap>,
    /// The version that somebody without the id has read.
    pub(crate) foreign: Option<Name>,
    /// The only token that the provider accepts.
    pub(crate) valid: Token,
    /// The provider has not revoked the grant.
    pub(crate) is_granted: bool,
    /// By token.
    pub(crate) sent: Vec<Option<Sent>>,
    pub(crate) left: Faults,
    pub(crate) seen: Seen,
}

/// The events of a run so far that a property asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    /// A fault that may cost tokens, or the session, whatever the nodes do.
    pub(crate) excuse: bool,
    pub(crate) crash: bool,
    pub(crate) set_back: bool,
    pub(crate) ending: bool,
    pub(crate) sign_out: bool,
    pub(crate) foreign_ending: bool,
    pub(crate) expiry: bool,
    pub(crate) doubled: bool,
    pub(crate) forgotten: bool,
    pub(crate) revived: bool,
    pub(crate) overwritten: bool,
}

pub(crate) fn at(tick: Tick) -> Timestamp {
    Timestamp::from_millis(0).plus(TICK * u32::from(tick))
}

pub(crate) fn owner(name: Name) -> Owner {
    Owner([name; 16])
}

pub(crate) fn token_of(record: &Record<Token>) -> Option<Token> {
    match record.standing {
        Standing::Live(token) => Some(token),
        Standing::Refused | Standing::Ended(_) => None,
    }
}

pub(crate) fn ending_of(record: &Record<Token>) -> Option<Ending> {
    match record.standing {
        Standing::Ended(ending) => Some(ending),
        Standing::Live(_) | Standing::Refused => None,
    }
}

impl Node {
    pub(crate) fn new(known: Option<Known>) -> Self {
        Self { known, step: Step::Idle, call: None, leaving: None, reading: None, lag: 0 }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.step == Step::Idle && self.leaving.is_none() && self.reading.is_none()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.known.as_ref().is_some_and(|known| ending_of(&known.record).is_some())
    }

    fn run(&self) -> Option<&Run> {
        match &self.step {
            Step::Asking { run, .. }
            | Step::Pausing { run, .. }
            | Step::Granting { run, .. }
            | Step::Writing { run, .. }
            | Step::Refusing { run } => Some(run),
            Step::Idle | Step::Releasing { .. } => None,
        }
    }

    /// The token that this node has spent and not yet written.
    pub(crate) fn at_stake(&self) -> Option<Token> {
        let run = self.run()?;
        matches!(self.step, Step::Granting { .. } | Step::Writing { .. }).then_some(run.token)
    }
}

impl State {
    /// Returns a version that nobody knows.
    pub(crate) fn fresh_version(&self) -> Name {
        let mut used = Vec::new();
        self.clone().each_version(|version| used.push(*version));
        (0..).find(|name| !used.contains(name)).expect("few are in use")
    }

    /// Returns the name of an owner that nobody knows.
    pub(crate) fn fresh_owner(&self) -> Name {
        let mut used = Vec::new();
        self.clone().each_owner(|name| used.push(*name));
        (0..).find(|name| !used.contains(name)).expect("few are in use")
    }

    /// Makes states equal that differ only in the names of versions and owners, or in the order of the nodes.
    pub(crate) fn canonicalize(&mut self) {
        let key = |node: &Node| {
            let call = |call: &Option<Call>| {
                call.as_ref().map(|call| (call.swap.is_some(), call.reply.as_ref().map(|reply| reply.now)))
            };
            let leaving = node.leaving.as_ref().map(|leaving| (leaving.found, call(&leaving.call)));
            let run = node.run().map(|run| (run.rotation, run.has_taken_over));
            let of_step = match &node.step {
                Step::Asking { why, ask, .. } => (*why as u8, ask.asked_at, ask.now),
                Step::Pausing { until, .. } => (0, *until, 0),
                Step::Granting { sent_at, answer, .. } => (0, *sent_at, answer.flatten().unwrap_or_default()),
                _ => (0, 0, 0),
            };
            let lease = |known: &Known| known.record.lease.as_ref().map(|lease| lease.until);
            let known =
                node.known.as_ref().map(|known| (known.record.rotation, known.record.standing, lease(known)));
            let mut hasher = DefaultHasher::new();
            (node.step.kind(), of_step, run, node.lag, call(&node.call), leaving, known).hash(&mut hasher);
            hasher.finish()
        };
        self.nodes.sort_by_cached_key(key);
        self.strays.sort_by_key(|swap| (swap.expected, swap.version, swap.record.rotation));
        self.strays.dedup();
        let mut versions = Names::default();
        self.each_version(|version| versions.rename(version));
        let mut owners = Names::default();
        self.each_owner(|name| owners.rename(name));
    }

    fn each_version(&mut self, mut act: impl FnMut(&mut Name)) {
        let swap = |swap: &mut Swap, act: &mut dyn FnMut(&mut Name)| {
            act(&mut swap.expected);
            act(&mut swap.version);
        };
        self.store.iter_mut().chain(&mut self.backup).for_each(|entry| act(&mut entry.version));
        self.foreign.iter_mut().for_each(&mut act);
        for node in &mut self.nodes {
            node.known.iter_mut().for_each(|known| act(&mut known.version));
            node.reading.iter_mut().flatten().for_each(|entry| act(&mut entry.version));
            if let Some(leaving) = &mut node.leaving {
                leaving.known.iter_mut().for_each(&mut act);
            }
            let leaving = node.leaving.iter_mut().filter_map(|leaving| leaving.call.as_mut());
            for call in node.call.iter_mut().chain(leaving) {
                call.swap.iter_mut().for_each(|of_call| swap(of_call, &mut act));
                let entries = call.reply.iter_mut().filter_map(|reply| reply.entry.as_mut());
                entries.for_each(|entry| act(&mut entry.version));
            }
            if let Step::Writing { swap: of_step, .. } = &mut node.step {
                swap(of_step, &mut act);
            }
        }
        self.strays.iter_mut().for_each(|stray| swap(stray, &mut act));
    }

    fn each_owner(&mut self, mut act: impl FnMut(&mut Name)) {
        let record = |record: &mut Record<Token>, act: &mut dyn FnMut(&mut Name)| {
            if let Some(lease) = &mut record.lease {
                act(&mut lease.owner.0[0]);
                lease.owner = owner(lease.owner.0[0]);
            }
        };
        self.store.iter_mut().chain(&mut self.backup).for_each(|entry| record(&mut entry.record, &mut act));
        for node in &mut self.nodes {
            node.known.iter_mut().for_each(|known| record(&mut known.record, &mut act));
            node.reading.iter_mut().flatten().for_each(|entry| record(&mut entry.record, &mut act));
            let leaving = node.leaving.iter_mut().filter_map(|leaving| leaving.call.as_mut());
            for call in node.call.iter_mut().chain(leaving) {
                call.swap.iter_mut().for_each(|swap| record(&mut swap.record, &mut act));
                let entries = call.reply.iter_mut().filter_map(|reply| reply.entry.as_mut());
                entries.for_each(|entry| record(&mut entry.record, &mut act));
            }
            match &mut node.step {
                Step::Writing { run, swap, .. } => {
                    act(&mut run.owner);
                    record(&mut swap.record, &mut act);
                }
                Step::Asking { run, .. }
                | Step::Pausing { run, .. }
                | Step::Granting { run, .. }
                | Step::Refusing { run } => act(&mut run.owner),
                Step::Releasing { owner, .. } => act(owner),
                Step::Idle => {}
            }
        }
        self.strays.iter_mut().for_each(|stray| record(&mut stray.record, &mut act));
    }
}

impl Step {
    fn kind(&self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Asking { .. } => 1,
            Self::Pausing { .. } => 2,
            Self::Granting { .. } => 3,
            Self::Writing { .. } => 4,
            Self::Refusing { .. } => 5,
            Self::Releasing { .. } => 6,
        }
    }
}

/// Names in the order in which they appear.
#[derive(Default)]
struct Names(Vec<Name>);

impl Names {
    fn rename(&mut self, name: &mut Name) {
        let position = self.0.iter().position(|other| other == name).unwrap_or_else(|| {
            self.0.push(*name);
            self.0.len() - 1
        });
        *name = Name::try_from(position).expect("few are in use");
    }
}
