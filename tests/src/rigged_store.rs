//! A session store between one node and the shared store. It fails on demand.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use osc_auth_layer::store::{Found, SessionStore, StoreError, StoreFuture, Swap, Swapped, Version, Watcher};
use osc_auth_layer::test_util::MemoryStore;
use serde_json::Value;
use tokio::sync::watch;

/// The operations of a [`SessionStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Creates a record.
    Create,
    /// Reads a record.
    Read,
    /// Writes a new version.
    Replace,
    /// Records that the provider refused a refresh.
    Refuse,
    /// Records a use of the session.
    Touch,
    /// Ends a session.
    End,
    /// Takes or extends a lease.
    Lease,
    /// Releases a lease.
    Release,
    /// Creates a value once for all nodes.
    Once,
    /// Lists the sessions of a user.
    Members,
    /// Marks a session as ended in the name of somebody without its id.
    Mark,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The operation fails without effect.
    Fails,
    /// The operation takes effect and fails nevertheless.
    LosesAnswer,
    /// The operation has no effect and never ends.
    Hangs,
    /// The operation takes effect and never ends.
    HangsAfter,
    /// The operation panics without effect.
    Panics,
    /// The operation takes effect and panics nevertheless.
    PanicsAfter,
}

/// A [`MemoryStore`] as one node sees it. Clones share their state.
#[derive(Clone)]
pub struct RiggedStore {
    store: MemoryStore,
    namespace: &'static str,
    rig: Arc<Mutex<Rig>>,
    log: Arc<watch::Sender<Vec<Op>>>,
}

#[derive(Default)]
struct Rig {
    troubles: Vec<(Op, Trouble, Option<usize>)>,
    held: HashMap<Op, watch::Receiver<bool>>,
    aliases: HashMap<String, String>,
    names: Vec<String>,
    /// The group of the last record that had one.
    group: Option<String>,
    /// The keys of values that no session has.
    once: HashSet<String>,
    /// The rotation of each record, as this node last saw it.
    rotations: HashMap<String, u64>,
}

/// Returns the readable part of the record of a session that has not ended.
pub fn header(value: &[u8]) -> Option<Value> {
    let [_, 0, rest @ ..] = value else { return None };
    let (length, rest) = rest.split_first_chunk::<4>()?;
    serde_json::from_slice(rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?).ok()
}

impl Rig {
    fn note(&mut self, key: &str, value: &[u8]) {
        if let Some(rotation) = header(value).and_then(|header| header["rotation"].as_u64()) {
            self.rotations.insert(key.to_owned(), rotation);
        }
    }

    /// Returns what a swap means.
    fn op_of(&self, key: &str, swap: &Swap<'_>) -> Op {
        if let [_, 3, ..] = swap.value {
            return Op::Mark;
        }
        let Some(header) = header(swap.value) else {
            return if swap.value.len() == 2 && swap.expected.is_some() { Op::End } else { Op::Once };
        };
        let is_new = header["rotation"].as_u64() > self.rotations.get(key).copied();
        match (swap.expected, header["refused"].as_bool(), header["lease"].is_object()) {
            (None, ..) => Op::Create,
            (Some(_), Some(true), _) => Op::Refuse,
            (Some(_), ..) if is_new => Op::Replace,
            (Some(_), _, true) => Op::Lease,
            (Some(_), _, false) => Op::Release,
        }
    }
}

/// Keeps the operations of one kind waiting, before they take effect, until it is released or dropped.
#[derive(Debug)]
#[must_use = "dropping the hold releases it"]
pub struct StoreHold(watch::Sender<bool>);

impl StoreHold {
    /// Lets the operations continue.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for StoreHold {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

impl RiggedStore {
    /// Returns a store that passes everything on to `store`.
    pub fn new(store: MemoryStore) -> Self {
        Self {
            store,
            namespace: "memory",
            rig: Arc::default(),
            log: Arc::new(watch::Sender::new(Vec::new())),
        }
    }

    /// Returns the same store with another namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &'static str) -> Self {
        self.namespace = namespace;
        self
    }

    fn rig(&self) -> MutexGuard<'_, Rig> {
        self.rig.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes every operation of this kind fail in this way, until [`mend`](Self::mend).
    pub fn trouble(&self, op: Op, trouble: Trouble) {
        self.rig().troubles.push((op, trouble, None));
    }

    /// Makes the next `times` operations of this kind fail in this way.
    pub fn trouble_next(&self, op: Op, trouble: Trouble, times: usize) {
        self.rig().troubles.push((op, trouble, Some(times)));
    }

    /// Ends all failures and swaps.
    pub fn mend(&self) {
        let mut rig = self.rig();
        rig.troubles.clear();
        rig.aliases.clear();
    }

    /// Makes the operations of this kind wait.
    pub fn hold(&self, op: Op) -> StoreHold {
        let (sender, receiver) = watch::channel(false);
        self.rig().held.insert(op, receiver);
        StoreHold(sender)
    }

    /// Returns the record of each of these two names for the other.
    pub fn swap(&self, one: &str, other: &str) {
        let pairs = [(one, other), (other, one)];
        self.rig().aliases.extend(pairs.map(|(name, alias)| (name.to_owned(), alias.to_owned())));
    }

    /// Returns the names of the records that this node created, in order.
    pub fn created(&self) -> Vec<String> {
        self.rig().names.clone()
    }

    /// Returns the group of the last record that this node wrote.
    pub fn group(&self) -> Option<String> {
        self.rig().group.clone()
    }

    /// Returns the number of operations of this kind that were requested.
    pub fn count(&self, op: Op) -> usize {
        self.log.borrow().iter().filter(|&&logged| logged == op).count()
    }

    /// Waits until at least this many operations of this kind were requested.
    pub async fn asked(&self, op: Op, at_least: usize) {
        self.asked_any(&[op], at_least).await;
    }

    /// Waits until at least this many operations of these kinds were requested.
    pub async fn asked_any(&self, ops: &[Op], at_least: usize) {
        let mut log = self.log.subscribe();
        let enough = |log: &Vec<Op>| log.iter().filter(|logged| ops.contains(logged)).count() >= at_least;
        // This fails only if the sender is gone, and `self` holds the sender.
        let _ = log.wait_for(enough).await;
    }

    fn note(&self, key: &str, found: &Found) {
        if let Some(entry) = &found.entry {
            self.rig().note(key, &entry.value);
        }
    }

    fn alias(&self, name: &str) -> String {
        self.rig().aliases.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn trouble_of(&self, op: Op) -> Option<Trouble> {
        let mut rig = self.rig();
        let applies = |(of, _, times): &&mut (Op, Trouble, Option<usize>)| *of == op && *times != Some(0);
        let (_, trouble, times) = rig.troubles.iter_mut().find(applies)?;
        *times = times.map(|times| times - 1);
        Some(*trouble)
    }

    /// Runs `work` as the troubles and holds of `op` allow. `work` does not begin before its hold ends.
    async fn meddle<T>(
        &self,
        op: Op,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let held = self.rig().held.get(&op).cloned();
        self.log.send_modify(|log| log.push(op));
        if let Some(mut held) = held {
            let _ = held.wait_for(|is_open| *is_open).await;
        }
        let fault = || StoreError::new("failure injected by the test");
        let trouble = self.trouble_of(op);
        match trouble {
            Some(Trouble::Fails) => return Err(fault()),
            Some(Trouble::Hangs) => return pending().await,
            Some(Trouble::Panics) => panic!("panic injected by the test"),
            None | Some(Trouble::LosesAnswer | Trouble::HangsAfter | Trouble::PanicsAfter) => {}
        }
        let result = work.await;
        match trouble {
            Some(Trouble::LosesAnswer) => Err(fault()),
            Some(Trouble::HangsAfter) => pending().await,
            Some(Trouble::PanicsAfter) => panic!("panic injected by the test"),
            _ => result,
        }
    }
}

impl SessionStore for RiggedStore {
    fn namespace(&self) -> &str {
        self.namespace
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        Box::pin(async move {
            let op = if self.rig().once.contains(key) { Op::Once } else { Op::Read };
            let key = self.alias(key);
            let found = self.meddle(op, self.store.get(&key)).await;
            if let Ok(found) = &found {
                self.note(&key, found);
            }
            found
        })
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        let op = self.rig().op_of(key, &swap);
        if let Some(group) = swap.group {
            self.rig().group = Some(group.to_owned());
        }
        match op {
            Op::Create => self.rig().names.push(key.to_owned()),
            Op::Once => _ = self.rig().once.insert(key.to_owned()),
            _ => {}
        }
        Box::pin(async move {
            let key = self.alias(key);
            let swapped = self.meddle(op, self.store.swap(&key, swap)).await;
            match &swapped {
                Ok(Swapped::Done { .. }) => self.rig().note(&key, swap.value),
                Ok(Swapped::Conflict(found)) => self.note(&key, found),
                Err(_) => {}
            }
            swapped
        })
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let key = self.alias(key);
            self.meddle(Op::Touch, self.store.touch(&key, expected, expires_in)).await
        })
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let key = self.alias(key);
            self.meddle(Op::Once, self.store.delete(&key, expected)).await
        })
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        Box::pin(async move { self.meddle(Op::Members, self.store.members(group)).await })
    }

    fn watch(&self, watcher: Watcher) {
        self.store.watch(watcher);
    }
}

impl fmt::Debug for RiggedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RiggedStore").field("store", &self.store).finish_non_exhaustive()
    }
}
