//! The steps of a node. They are the steps of the layer.

use crate::guard::Guard;
use crate::model::Rules;
use crate::record::{Ending, Held, Record, Rotate, Standing, Take};
use crate::state::{
    Ask, Call, Entry, Known, Leaving, NEVER, Name, Reply, Run, Sent, State, Step, Swap, TICK, Tick, Token,
    Why, at, ending_of, owner, token_of,
};

/// The answer to a grant must leave this time to write it.
const LEAST_LEFT: Tick = 2;
const LAST_WRITE: Tick = 1;
const MOST_LAG: Tick = 1;

impl State {
    /// Begins a refresh. Returns `None` if the node's record shows that it must not.
    pub(crate) fn refresh(&mut self, rules: &Rules, i: usize) -> Option<()> {
        let record = &self.nodes[i].known.as_ref()?.record;
        let token = token_of(record)?;
        let run = Run { owner: self.fresh_owner(), rotation: record.rotation, token, has_taken_over: false };
        self.ask(rules, i, run, Why::Take, None);
        (self.nodes[i].step != Step::Idle).then_some(())
    }

    /// Takes, prolongs or confirms the lease. `exact` is the store's time, if it has just answered.
    fn ask(&mut self, rules: &Rules, i: usize, run: Run, why: Why, exact: Option<Tick>) {
        let node = &self.nodes[i];
        let known = node.known.clone().expect("a node with a run knows the session");
        let (now, is_exact) = match exact {
            Some(now) => (now, true),
            None if rules.has(Guard::ExactTime) => (self.time - node.lag, false),
            None => (self.time + 2, true),
        };
        let mut ask = Ask { asked_at: self.time, now, is_takeover: false };
        let record = match known.record.take(owner(run.owner), at(now)) {
            Take::Free(record) => Some(record),
            Take::TakenOver(record) if is_exact => {
                ask.is_takeover = true;
                Some(record)
            }
            Take::Held(_) if !rules.has(Guard::OthersLease) => {
                let unleased = Record { lease: None, ..known.record.clone() };
                let Take::Free(record) = unleased.take(owner(run.owner), at(now)) else { return };
                Some(record)
            }
            Take::Held(_) if is_exact => return self.nodes[i].step = Step::Idle,
            Take::Held(_) | Take::TakenOver(_) => None,
            Take::Refused => return self.release(rules, i, run.owner, false),
            Take::Ended(_) => return self.nodes[i].step = Step::Idle,
        };
        self.nodes[i].call = Some(match record {
            Some(record) => self.call(known.version, record),
            None => Call { swap: None, reply: None },
        });
        self.nodes[i].step = Step::Asking { run, why, ask };
    }

    /// Processes the store's reply to the node's run.
    pub(crate) fn receive(&mut self, rules: &Rules, i: usize) -> Option<()> {
        let Call { swap, reply } = self.nodes[i].call.take()?;
        let Reply { entry, now } = reply?;
        self.nodes[i].lag = (self.time - now).min(MOST_LAG);
        let done = swap.filter(|swap| entry.as_ref().is_some_and(|entry| entry.version == swap.version));
        let step = self.nodes[i].step.clone();
        let Some(entry) = entry else {
            self.drop_out(i);
            return Some(());
        };
        match (step, done) {
            (Step::Asking { mut run, why, ask }, Some(swap)) => {
                self.wrote(i, &swap);
                run.has_taken_over |= ask.is_takeover;
                self.asked(rules, i, run, why, ask, now, &swap);
            }
            (Step::Asking { run, why, .. }, None) => {
                self.absorb(rules, i, &entry);
                if self.nodes[i].known.as_ref()?.record.rotation == run.rotation && !self.nodes[i].has_ended()
                {
                    self.ask(rules, i, run, why, Some(now));
                } else {
                    self.release(rules, i, run.owner, false);
                }
            }
            (Step::Writing { grant, .. }, Some(swap)) => self.rotated(rules, i, grant, &swap),
            (Step::Writing { run, grant, swap }, None) => {
                self.write(rules, i, run, grant, &entry.record, entry.version, Some(swap.version));
            }
            (Step::Refusing { .. }, Some(swap)) => {
                let known = self.nodes[i].known.as_mut()?;
                if ending_of(&known.record).is_none() {
                    *known = Known { record: swap.record, version: swap.version };
                }
                self.nodes[i].step = Step::Idle;
            }
            (Step::Refusing { run }, None) => match self.absorb(rules, i, &entry) {
                true => self.release(rules, i, run.owner, false),
                false => self.refuse(rules, i, run),
            },
            (Step::Releasing { .. }, Some(swap)) => {
                self.wrote(i, &swap);
                self.nodes[i].step = Step::Idle;
            }
            (Step::Releasing { owner, is_in_doubt }, None) => {
                self.absorb(rules, i, &entry);
                self.release_known(rules, i, owner, is_in_doubt);
            }
            (Step::Idle | Step::Pausing { .. } | Step::Granting { .. }, _) => return None,
        }
        Some(())
    }

    /// The store wrote the lease.
    #[allow(clippy::too_many_arguments)]
    fn asked(&mut self, rules: &Rules, i: usize, mut run: Run, why: Why, ask: Ask, now: Tick, swap: &Swap) {
        let until = swap.record.lease.as_ref().map(|lease| lease.until).unwrap_or_default();
        let left = Held::new(until, at(now)).left(TICK * u32::from(self.time - ask.asked_at));
        if ask.now != now && rules.has(Guard::ExactTime) {
            return self.ask(rules, i, run, why, Some(now));
        }
        if std::mem::take(&mut run.has_taken_over) && rules.has(Guard::LastWrite) {
            let until = self.time + LAST_WRITE;
            return self.nodes[i].step = Step::Pausing { run, until };
        }
        let is_fresh = self.time == ask.asked_at || !rules.has(Guard::Confirmation);
        match why {
            _ if is_fresh => self.send(rules, i, run),
            Why::Take => self.confirm(rules, i, run),
            Why::Confirm if left >= TICK * u32::from(LEAST_LEFT) => self.send(rules, i, run),
            Why::Confirm => self.release(rules, i, run.owner, false),
        }
    }

    pub(crate) fn confirm(&mut self, rules: &Rules, i: usize, run: Run) {
        if self.nodes[i].has_ended() {
            return self.nodes[i].step = Step::Idle;
        }
        if rules.has(Guard::Confirmation) {
            self.ask(rules, i, run, Why::Confirm, None);
        } else {
            self.send(rules, i, run);
        }
    }

    fn send(&mut self, rules: &Rules, i: usize, run: Run) {
        let is_as_planned = |known: &Known| {
            known.record.rotation == run.rotation && token_of(&known.record) == Some(run.token)
        };
        if !self.nodes[i].known.as_ref().is_some_and(is_as_planned) {
            return self.release(rules, i, run.owner, false);
        }
        let index = usize::from(run.token);
        if let Some(Some(earlier)) = self.sent.get(index) {
            let was_frozen = !earlier.is_written && self.time >= earlier.until && !rules.is_prompt;
            self.seen.doubled |= !(earlier.is_lost || was_frozen || self.seen.excuse);
            self.seen.excuse = true;
        }
        let lease = self.store.as_ref().and_then(|entry| entry.record.lease.clone());
        let lease = lease.filter(|lease| lease.owner == owner(run.owner));
        let until =
            (0..).find(|tick| lease.as_ref().is_none_or(|lease| lease.until <= at(*tick))).unwrap_or(NEVER);
        self.sent.resize(self.sent.len().max(index + 1), None);
        self.sent[index] = Some(Sent { until: until.max(self.time), is_written: false, is_lost: false });
        self.nodes[i].step = Step::Granting { run, sent_at: self.time, answer: None };
    }

    /// Processes the provider's answer.
    pub(crate) fn settle(&mut self, rules: &Rules, i: usize) -> Option<()> {
        let Step::Granting { run, answer, .. } = self.nodes[i].step.clone() else { return None };
        match answer? {
            Some(grant) => {
                let known = self.nodes[i].known.clone()?;
                self.write(rules, i, run, grant, &known.record, known.version, None);
            }
            None if self.nodes[i].has_ended() => self.nodes[i].step = Step::Idle,
            None => self.refuse(rules, i, run),
        }
        Some(())
    }

    /// Writes the tokens over a record. All tries have the same version.
    #[allow(clippy::too_many_arguments)]
    fn write(
        &mut self,
        rules: &Rules,
        i: usize,
        run: Run,
        grant: Token,
        record: &Record<Token>,
        over: Name,
        version: Option<Name>,
    ) {
        if let Some(ending) = self.nodes[i].known.as_ref().and_then(|known| ending_of(&known.record)) {
            return self.came_late(rules, i, grant, ending);
        }
        let newer = Record { rotation: run.rotation + 1, standing: Standing::Live(grant), lease: None };
        let rotated = match record.rotate(run.rotation, grant, owner(run.owner)) {
            Rotate::Superseded if !rules.has(Guard::NewerRotation) => Rotate::Write(newer),
            Rotate::Ended(_) if !rules.has(Guard::Ended) => Rotate::Write(newer),
            rotated => rotated,
        };
        match rotated {
            Rotate::Write(record) => {
                let version = version.unwrap_or_else(|| self.fresh_version());
                let swap = Swap { expected: over, record, version };
                self.nodes[i].call = Some(Call { swap: Some(swap.clone()), reply: None });
                self.nodes[i].step = Step::Writing { run, grant, swap };
            }
            Rotate::Superseded if token_of(record) == Some(grant) => {
                let swap = Swap { expected: over, record: record.clone(), version: over };
                self.rotated(rules, i, grant, &swap);
            }
            Rotate::Superseded => self.release(rules, i, run.owner, false),
            Rotate::Ended(ending) => {
                self.end_here(i, ending);
                self.came_late(rules, i, grant, ending);
            }
        }
    }

    /// The tokens are in the store.
    fn rotated(&mut self, rules: &Rules, i: usize, grant: Token, swap: &Swap) {
        let Some(known) = &mut self.nodes[i].known else { return };
        if let Some(ending) = ending_of(&known.record) {
            return self.came_late(rules, i, grant, ending);
        }
        if swap.record.rotation > known.record.rotation {
            known.record = swap.record.clone();
        }
        self.wrote(i, swap);
        self.nodes[i].step = Step::Idle;
    }

    /// The session ended before its new tokens were written.
    fn came_late(&mut self, rules: &Rules, i: usize, grant: Token, ending: Ending) {
        if ending == Ending::SignedOut && rules.has(Guard::RevokeLateTokens) {
            self.revoke(grant);
        }
        self.nodes[i].step = Step::Idle;
    }

    fn refuse(&mut self, rules: &Rules, i: usize, run: Run) {
        let Some(known) = self.nodes[i].known.clone() else { return };
        match known.record.refuse(run.rotation, owner(run.owner)) {
            Some(record) => {
                self.nodes[i].call = Some(self.call(known.version, record));
                self.nodes[i].step = Step::Refusing { run };
            }
            None => self.release(rules, i, run.owner, false),
        }
    }

    /// Releases the lease. The node reads the record first if it is in doubt or does not know of its lease, as after a slow read.
    pub(crate) fn release(&mut self, rules: &Rules, i: usize, name: Name, is_in_doubt: bool) {
        let knows_lease = |known: &Known| {
            known.record.release(owner(name)).is_some() || !rules.has(Guard::ReadBeforeRelease)
        };
        if self.nodes[i].has_ended() {
            self.nodes[i].step = Step::Idle;
        } else if !is_in_doubt && self.nodes[i].known.as_ref().is_some_and(knows_lease) {
            self.release_known(rules, i, name, is_in_doubt);
        } else {
            self.nodes[i].call = Some(Call { swap: None, reply: None });
            self.nodes[i].step = Step::Releasing { owner: name, is_in_doubt };
        }
    }

    fn release_known(&mut self, rules: &Rules, i: usize, name: Name, is_in_doubt: bool) {
        self.nodes[i].step = Step::Idle;
        let Some(Known { record, version }) = self.nodes[i].known.clone() else { return };
        let released = match record.release(owner(name)) {
            _ if ending_of(&record).is_some() => None,
            Some(released) => Some(released),
            // Another version makes a late write of the lease fail.
            None if is_in_doubt && rules.has(Guard::Fence) => Some(record),
            None => None,
        };
        if let Some(released) = released {
            self.nodes[i].call = Some(self.call(version, released));
            self.nodes[i].step = Step::Releasing { owner: name, is_in_doubt };
        }
    }

    /// Takes over what was read, unless the node knows something newer. Returns true if the store is behind.
    pub(crate) fn absorb(&mut self, rules: &Rules, i: usize, entry: &Entry) -> bool {
        let Some(known) = &mut self.nodes[i].known else {
            self.nodes[i].known = Some(Known { record: entry.record.clone(), version: entry.version });
            return false;
        };
        if ending_of(&known.record).is_some() {
            return false;
        }
        let before = known.record.clone();
        let is_newer = entry.record.is_newer_than(&before) || !rules.has(Guard::NoOlderRecord);
        if is_newer {
            known.record = entry.record.clone();
        }
        known.record.lease.clone_from(&entry.record.lease);
        known.version = entry.version;
        self.seen.forgotten |= before.is_newer_than(&known.record);
        let is_behind = known.record.is_newer_than(&entry.record);
        if is_behind && rules.has(Guard::BringForward) {
            let record = known.record.clone();
            let version = self.fresh_version();
            // A second one like it could only fail.
            if !self.strays.iter().any(|stray| stray.expected == entry.version && stray.record == record) {
                self.strays.push(Swap { expected: entry.version, record, version });
            }
        }
        is_behind
    }

    /// A request of this node has read the record, or found none.
    pub(crate) fn adopt(&mut self, rules: &Rules, i: usize, entry: Option<&Entry>) {
        match entry {
            Some(entry) => _ = self.absorb(rules, i, entry),
            None => self.end_here(i, Ending::Dropped),
        }
    }

    fn drop_out(&mut self, i: usize) {
        self.end_here(i, Ending::Dropped);
        self.nodes[i].step = Step::Idle;
    }

    fn end_here(&mut self, i: usize, ending: Ending) {
        if let Some(known) = &mut self.nodes[i].known
            && ending_of(&known.record).is_none()
        {
            known.record = Record::ended(ending);
        }
    }

    fn wrote(&mut self, i: usize, swap: &Swap) {
        if let Some(known) = &mut self.nodes[i].known
            && ending_of(&known.record).is_none()
        {
            known.version = swap.version;
            known.record.lease.clone_from(&swap.record.lease);
        }
    }

    /// Ends the session at this node, and begins to end it in the store.
    pub(crate) fn leave(&mut self, i: usize, ending: Ending) {
        let known = self.nodes[i].known.clone();
        let held = known.as_ref().and_then(|known| token_of(&known.record));
        let version =
            known.filter(|_| held.is_some() || ending == Ending::Dropped).map(|known| known.version);
        // An ended session's version is never used.
        self.nodes[i].known.get_or_insert(Known { record: Record::ended(ending), version: 0 });
        self.end_here(i, ending);
        self.seen.sign_out |= ending == Ending::SignedOut;
        let held = held.filter(|_| ending == Ending::SignedOut);
        self.nodes[i].leaving = Some(Leaving { ending, known: version, held, found: None, call: None });
        self.leave_again(i);
    }

    pub(crate) fn leave_again(&mut self, i: usize) {
        let Some(Leaving { ending, known, .. }) = self.nodes[i].leaving else { return };
        let call = match known {
            Some(version) => self.call(version, Record::ended(ending)),
            None => Call { swap: None, reply: None },
        };
        if let Some(leaving) = &mut self.nodes[i].leaving {
            leaving.call = Some(call);
        }
    }

    /// Processes the store's reply to an ending.
    pub(crate) fn receive_leaving(&mut self, rules: &Rules, i: usize) -> Option<()> {
        let leaving = self.nodes[i].leaving.as_mut()?;
        let ending = leaving.ending;
        let Call { swap, reply } = leaving.call.take()?;
        let entry = reply?.entry.filter(|entry| {
            ending_of(&entry.record).is_none() && swap.is_none_or(|swap| swap.version != entry.version)
        });
        if let Some(entry) = entry {
            leaving.found = token_of(&entry.record).or(leaving.found);
            let call = self.call(entry.version, Record::ended(ending));
            self.nodes[i].leaving.as_mut()?.call = Some(call);
            return Some(());
        }
        let Leaving { ending, held, found, .. } = self.nodes[i].leaving.take()?;
        let token = if rules.has(Guard::RevokeWhatWasFound) { found.or(held) } else { held.or(found) };
        if let Some(token) = token.filter(|_| ending == Ending::SignedOut) {
            self.revoke(token);
        }
        Some(())
    }

    /// A request to the store failed. The store may still carry it out.
    pub(crate) fn lose_reply(&mut self, rules: &Rules, i: usize) -> Option<()> {
        let Call { swap, reply } = self.nodes[i].call.take()?;
        self.strays.extend(swap.filter(|_| reply.is_none()));
        match self.nodes[i].step.clone() {
            Step::Asking { run, .. } => self.release(rules, i, run.owner, true),
            Step::Refusing { run } => self.release(rules, i, run.owner, false),
            Step::Writing { .. } | Step::Releasing { .. } => {}
            Step::Idle | Step::Pausing { .. } | Step::Granting { .. } => return None,
        }
        Some(())
    }

    pub(crate) fn lose_leaving_reply(&mut self, i: usize) -> Option<()> {
        let leaving = self.nodes[i].leaving.as_mut()?;
        let Call { swap, reply } = leaving.call.take()?;
        let held = leaving.held.take();
        self.strays.extend(swap.filter(|_| reply.is_none()));
        if let Some(held) = held {
            self.revoke(held);
        }
        Some(())
    }

    /// Tries again after a lost reply or a pause.
    pub(crate) fn again(&mut self, rules: &Rules, i: usize) -> Option<()> {
        match self.nodes[i].step.clone() {
            Step::Pausing { run, .. } => self.confirm(rules, i, run),
            Step::Writing { grant, .. } if self.nodes[i].has_ended() => {
                let ending = self.nodes[i].known.as_ref().and_then(|known| ending_of(&known.record))?;
                self.came_late(rules, i, grant, ending);
            }
            Step::Writing { swap, .. } => self.nodes[i].call = Some(Call { swap: Some(swap), reply: None }),
            Step::Releasing { owner, is_in_doubt } => self.release(rules, i, owner, is_in_doubt),
            Step::Idle | Step::Asking { .. } | Step::Granting { .. } | Step::Refusing { .. } => return None,
        }
        Some(())
    }

    pub(crate) fn revoke(&mut self, token: Token) {
        if token == self.valid {
            self.is_granted = false;
        }
    }

    /// The store carries out a swap.
    pub(crate) fn carry_out(&mut self, rules: &Rules, swap: &Swap) {
        let Some(entry) = &mut self.store else { return };
        if entry.version != swap.expected && rules.has(Guard::ExpectedVersion) {
            return;
        }
        let is_over = ending_of(&swap.record).is_some();
        self.seen.revived |= ending_of(&entry.record).is_some() && !is_over;
        self.seen.overwritten |= entry.record.is_newer_than(&swap.record);
        self.seen.ending |= is_over;
        entry.record = swap.record.clone();
        entry.version = swap.version;
        if is_over {
            entry.expires_at = NEVER;
        }
        if let Some(token) = token_of(&swap.record).filter(|token| *token > 0)
            && let Some(Some(sent)) = self.sent.get_mut(usize::from(token) - 1)
        {
            sent.is_written |= self.time < sent.until || rules.is_prompt;
        }
    }

    fn call(&self, expected: Name, record: Record<Token>) -> Call {
        Call { swap: Some(Swap { expected, record, version: self.fresh_version() }), reply: None }
    }
}
