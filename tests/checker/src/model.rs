//! Every step that nodes, store, provider and faults may take, within the bounds of a configuration.

use stateright::{Model, Property};

use crate::guard::Guard;
use crate::properties;
use crate::record::{Ending, Record};
use crate::state::{
    Call, Entry, Faults, Known, NEVER, Node, Reply, Seen, State, Step, Tick, ending_of, token_of,
};

/// Bounds of a search.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) nodes: usize,
    pub(crate) refreshes: u64,
    pub(crate) ticks: Tick,
    pub(crate) faults: Faults,
    /// The record expires then, unless somebody uses the session.
    pub(crate) expires_at: Tick,
    /// The store answers nobody from the first tick on, and works again from the second on. Nodes are never frozen then.
    pub(crate) outage: Option<(Tick, Tick)>,
    pub(crate) without: Option<Guard>,
}

/// The rules that every node follows.
pub(crate) struct Rules {
    /// No node is ever frozen.
    pub(crate) is_prompt: bool,
    without: Option<Guard>,
}

impl Rules {
    pub(crate) fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Tick,
    Refresh(usize),
    /// A request reads the record, and adopts it at once.
    Read(usize),
    /// A request reads the record, and adopts it later.
    ReadSlowly(usize),
    Adopt(usize),
    /// The store answers.
    Serve(usize),
    ServeLeaving(usize),
    ServeStray(usize),
    Receive(usize),
    ReceiveLeaving(usize),
    LoseReply(usize),
    LoseLeavingReply(usize),
    Again(usize),
    LeaveAgain(usize),
    /// The provider answers.
    Provide(usize),
    Settle(usize),
    LoseAnswer(usize),
    Crash(usize),
    BackUp,
    SetBack,
    SignOut(usize),
    Replace(usize),
    ForeignRead,
    ForeignEnd,
    Touch(usize),
}

impl Config {
    fn rules(&self) -> Rules {
        Rules { is_prompt: self.outage.is_some(), without: self.without }
    }

    fn is_down(&self, time: Tick) -> bool {
        self.outage.is_some_and(|(from, to)| (from..to).contains(&time))
    }

    /// Time passes unless the provider has to answer first, or, if nodes are never frozen, a node has something to do.
    fn may_tick(&self, state: &State) -> bool {
        let is_down = self.is_down(state.time);
        let is_busy = |node: &Node| {
            let is_overdue =
                matches!(node.step, Step::Granting { sent_at, answer: None, .. } if state.time > sent_at);
            let calls =
                node.call.iter().chain(node.leaving.iter().filter_map(|leaving| leaving.call.as_ref()));
            let has_reply = calls.clone().any(|call| call.reply.is_some());
            let has_work = has_reply
                || !is_down
                    && (calls.count() > 0
                        || matches!(node.step, Step::Writing { .. } | Step::Releasing { .. }))
                || matches!(node.step, Step::Granting { answer: Some(_), .. })
                || matches!(node.step, Step::Pausing { until, .. } if until <= state.time);
            is_overdue || self.outage.is_some() && has_work
        };
        state.time < self.ticks && !state.nodes.iter().any(is_busy)
    }

    fn actions_of(&self, state: &State, i: usize, actions: &mut Vec<Action>) {
        let node = &state.nodes[i];
        let is_down = self.is_down(state.time);
        match (&node.call, &node.step) {
            (Some(Call { reply: None, .. }), _) if is_down => {}
            (Some(Call { reply: None, .. }), _) => actions.push(Action::Serve(i)),
            (Some(Call { reply: Some(_), .. }), _) => actions.push(Action::Receive(i)),
            (None, Step::Idle) => {
                let is_wanted = |known: &Known| {
                    known.record.rotation <= self.refreshes && token_of(&known.record).is_some()
                };
                if !is_down && node.known.as_ref().is_some_and(is_wanted) {
                    actions.push(Action::Refresh(i));
                }
            }
            (None, Step::Pausing { until, .. }) if *until > state.time => {}
            (None, Step::Granting { answer: None, .. }) => {
                actions.push(Action::Provide(i));
                if state.left.lost_answers > 0 {
                    actions.push(Action::LoseAnswer(i));
                }
            }
            (None, Step::Granting { answer: Some(_), .. }) => actions.push(Action::Settle(i)),
            (None, Step::Writing { .. } | Step::Releasing { .. }) if is_down => {}
            (None, _) => actions.push(Action::Again(i)),
        }
        match &node.leaving {
            Some(leaving) => match &leaving.call {
                Some(Call { reply: None, .. }) if is_down => {}
                Some(Call { reply: None, .. }) => actions.push(Action::ServeLeaving(i)),
                Some(Call { reply: Some(_), .. }) => actions.push(Action::ReceiveLeaving(i)),
                None => actions.push(Action::LeaveAgain(i)),
            },
            None if state.left.sign_outs > 0 && !node.has_ended() => {
                actions.push(Action::SignOut(i));
                actions.push(Action::Replace(i));
            }
            None => {}
        }
        let has_all = match (&node.known, &state.store) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some(known), None) => ending_of(&known.record).is_some(),
            (Some(known), Some(entry)) => {
                ending_of(&known.record).is_some() || known.version == entry.version
            }
        };
        match &node.reading {
            Some(_) => actions.push(Action::Adopt(i)),
            None if !has_all && !is_down => actions.push(Action::Read(i)),
            None => {}
        }
        if node.reading.is_none() && state.left.slow_reads > 0 && !is_down {
            actions.push(Action::ReadSlowly(i));
        }
        if state.left.lost_replies > 0 {
            actions.extend(node.call.as_ref().map(|_| Action::LoseReply(i)));
            let leaving = node.leaving.as_ref().and_then(|leaving| leaving.call.as_ref());
            actions.extend(leaving.map(|_| Action::LoseLeavingReply(i)));
        }
        if state.left.crashes > 0 && (node.step != Step::Idle || node.leaving.is_some()) {
            actions.push(Action::Crash(i));
        }
        if state.left.touches > 0 && node.known.is_some() && !node.has_ended() {
            actions.push(Action::Touch(i));
        }
    }
}

impl Model for Config {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let entry = Entry { record: Record::new(0), version: 0, expires_at: self.expires_at };
        let known = Known { record: entry.record.clone(), version: 0 };
        vec![State {
            time: 0,
            nodes: vec![Node::new(Some(known)); self.nodes],
            store: Some(entry),
            backup: None,
            strays: Vec::new(),
            foreign: None,
            valid: 0,
            is_granted: true,
            sent: Vec::new(),
            left: self.faults,
            seen: Seen::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if self.may_tick(state) {
            actions.push(Action::Tick);
        }
        (0..state.nodes.len()).for_each(|i| self.actions_of(state, i, actions));
        if !self.is_down(state.time) {
            actions.extend((0..state.strays.len()).map(Action::ServeStray));
        }
        if state.left.set_backs > 0 {
            match &state.backup {
                None => actions.push(Action::BackUp),
                Some(_) if state.backup != state.store => actions.push(Action::SetBack),
                Some(_) => {}
            }
        }
        if state.left.foreign_endings > 0 {
            actions.push(if state.foreign.is_some() { Action::ForeignEnd } else { Action::ForeignRead });
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let rules = self.rules();
        match action {
            Action::Tick => {
                state.time += 1;
                if state.store.as_ref().is_some_and(|entry| entry.expires_at <= state.time) {
                    state.store = None;
                    state.seen.expiry = true;
                }
            }
            Action::Refresh(i) => state.refresh(&rules, i)?,
            Action::ReadSlowly(i) => {
                state.left.slow_reads -= 1;
                state.nodes[i].reading = Some(state.store.clone());
            }
            Action::Read(i) => {
                let entry = state.store.clone();
                state.adopt(&rules, i, entry.as_ref());
                state.nodes[i].lag = 0;
            }
            Action::Adopt(i) => {
                let entry = state.nodes[i].reading.take()?;
                state.adopt(&rules, i, entry.as_ref());
            }
            Action::Serve(i) => {
                let swap = state.nodes[i].call.as_ref()?.swap.clone();
                let reply = state.serve(&rules, swap.as_ref());
                state.nodes[i].call.as_mut()?.reply = Some(reply);
            }
            Action::ServeLeaving(i) => {
                let swap = state.nodes[i].leaving.as_ref()?.call.as_ref()?.swap.clone();
                let reply = state.serve(&rules, swap.as_ref());
                state.nodes[i].leaving.as_mut()?.call.as_mut()?.reply = Some(reply);
            }
            Action::ServeStray(number) => {
                let swap = state.strays.remove(number);
                state.carry_out(&rules, &swap);
            }
            Action::Receive(i) => state.receive(&rules, i)?,
            Action::ReceiveLeaving(i) => state.receive_leaving(&rules, i)?,
            Action::LoseReply(i) => {
                state.left.lost_replies -= 1;
                state.lose_reply(&rules, i)?;
            }
            Action::LoseLeavingReply(i) => {
                state.left.lost_replies -= 1;
                state.lose_leaving_reply(i)?;
            }
            Action::Again(i) => state.again(&rules, i)?,
            Action::LeaveAgain(i) => state.leave_again(i),
            Action::Provide(i) => {
                let given = state.grant(i)?;
                if let Step::Granting { answer, .. } = &mut state.nodes[i].step {
                    *answer = Some(given);
                }
            }
            Action::Settle(i) => state.settle(&rules, i)?,
            Action::LoseAnswer(i) => {
                state.left.lost_answers -= 1;
                state.grant(i)?;
                state.lose_tokens(i);
                let Step::Granting { run, .. } = state.nodes[i].step.clone() else { return None };
                state.release(&rules, i, run.owner, false);
            }
            Action::Crash(i) => {
                state.left.crashes -= 1;
                state.seen.crash = true;
                state.lose_tokens(i);
                let node = std::mem::replace(&mut state.nodes[i], Node::new(None));
                let leaving = node.leaving.and_then(|leaving| leaving.call);
                // A sign-out that died with its node revokes nothing.
                state.seen.excuse |= leaving.is_some();
                let calls = node.call.into_iter().chain(leaving).filter(|call| call.reply.is_none());
                state.strays.extend(calls.filter_map(|call| call.swap));
            }
            Action::BackUp => state.backup.clone_from(&state.store),
            Action::SetBack => {
                state.left.set_backs -= 1;
                (state.seen.set_back, state.seen.excuse) = (true, true);
                state.store = state.backup.take();
            }
            Action::SignOut(i) | Action::Replace(i) => {
                state.left.sign_outs -= 1;
                let is_sign_out = matches!(action, Action::SignOut(_));
                state.leave(i, if is_sign_out { Ending::SignedOut } else { Ending::Dropped });
            }
            Action::ForeignRead => state.foreign = Some(state.store.as_ref()?.version),
            Action::ForeignEnd => {
                let version = state.foreign.take()?;
                if state.store.as_ref()?.version == version {
                    state.left.foreign_endings -= 1;
                    state.store = Some(Entry {
                        record: Record::ended(Ending::SignedOut),
                        version: state.fresh_version(),
                        expires_at: NEVER,
                    });
                    (state.seen.ending, state.seen.foreign_ending) = (true, true);
                }
            }
            Action::Touch(i) => {
                const KEPT_FOR: Tick = 3;
                state.left.touches -= 1;
                let version = state.nodes[i].known.as_ref()?.version;
                let expires_at = state.time + KEPT_FOR;
                let entry = state.store.as_mut().filter(|entry| entry.version == version)?;
                entry.expires_at = entry.expires_at.max(expires_at);
            }
        }
        state.canonicalize();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl State {
    fn serve(&mut self, rules: &Rules, swap: Option<&crate::state::Swap>) -> Reply {
        if let Some(swap) = swap {
            self.carry_out(rules, swap);
        }
        Reply { entry: self.store.clone(), now: self.time }
    }

    /// The provider answers a grant. A second use of a refresh token revokes the whole grant (RFC 9700 §4.14.2).
    fn grant(&mut self, i: usize) -> Option<Option<crate::state::Token>> {
        let Step::Granting { run, .. } = &self.nodes[i].step else { return None };
        if run.token != self.valid {
            self.is_granted = false;
        }
        Some(self.is_granted.then(|| {
            self.valid += 1;
            self.valid
        }))
    }

    /// The tokens that this node got for a refresh token are lost, unless the store has them.
    fn lose_tokens(&mut self, i: usize) {
        if let Some(token) = self.nodes[i].at_stake()
            && let Some(Some(sent)) = self.sent.get_mut(usize::from(token))
            && !sent.is_written
        {
            sent.is_lost = true;
            self.seen.excuse = true;
        }
    }
}
