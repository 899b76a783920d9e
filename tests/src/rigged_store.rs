//! A session store between one node and what all nodes share, which fails as it is told.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{
    Ending, Expiry, Found, Leased, Record, Replaced, SessionStore, StoreError, StoreFuture, Watcher,
};
use tokio::sync::watch;

/// The operations of a [`SessionStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A new record.
    Create,
    /// A look at a record.
    Read,
    /// A new version.
    Replace,
    /// The mark of a refusal.
    Refuse,
    /// The note of a use.
    Touch,
    /// The end of a session.
    End,
    /// A lease taken or prolonged.
    Lease,
    /// A lease given back.
    Release,
    /// What exists once.
    Once,
    /// The time.
    Now,
}

/// What goes wrong with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It fails, and has no effect.
    Fails,
    /// It has its effect, and fails all the same.
    LosesAnswer,
    /// It has no effect, and never ends.
    Hangs,
    /// It has its effect, and never ends.
    HangsAfter,
    /// It has no effect, and panics.
    Panics,
    /// It has its effect, and panics all the same.
    PanicsAfter,
}

/// A [`MemoryStore`] as one node sees it. Clones are the same.
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
}

/// Keeps the operations of a kind waiting, before any effect, until it is released or dropped.
#[derive(Debug)]
#[must_use = "dropping the hold releases it"]
pub struct StoreHold(watch::Sender<bool>);

impl StoreHold {
    /// Lets the operations go on.
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
    /// Forwards everything to `store`, for now.
    pub fn new(store: MemoryStore) -> Self {
        Self {
            store,
            namespace: "memory",
            rig: Arc::default(),
            log: Arc::new(watch::Sender::new(Vec::new())),
        }
    }

    /// The same store under another namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &'static str) -> Self {
        self.namespace = namespace;
        self
    }

    fn rig(&self) -> MutexGuard<'_, Rig> {
        self.rig.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every operation of this kind has this trouble, until [`mend`](Self::mend).
    pub fn trouble(&self, op: Op, trouble: Trouble) {
        self.rig().troubles.push((op, trouble, None));
    }

    /// Only the next operations of this kind have it.
    pub fn trouble_next(&self, op: Op, trouble: Trouble, times: usize) {
        self.rig().troubles.push((op, trouble, Some(times)));
    }

    /// Ends all troubles and swaps.
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

    /// Gives the records of these two names for each other's.
    pub fn swap(&self, one: &str, other: &str) {
        let pairs = [(one, other), (other, one)];
        self.rig().aliases.extend(pairs.map(|(name, alias)| (name.to_owned(), alias.to_owned())));
    }

    /// The names of the records it created, in order.
    pub fn created(&self) -> Vec<String> {
        self.rig().names.clone()
    }

    /// How many operations of this kind were asked for.
    pub fn count(&self, op: Op) -> usize {
        self.log.borrow().iter().filter(|&&logged| logged == op).count()
    }

    /// Resolves once at least so many operations of this kind were asked for.
    pub async fn asked(&self, op: Op, at_least: usize) {
        let mut log = self.log.subscribe();
        let enough = |log: &Vec<Op>| log.iter().filter(|&&logged| logged == op).count() >= at_least;
        // Fails only when the sender is gone, and `self` holds it.
        let _ = log.wait_for(enough).await;
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

    /// `work` is only begun when its time has come.
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
        let fault = || StoreError::new("the test wants it so");
        let trouble = self.trouble_of(op);
        match trouble {
            Some(Trouble::Fails) => return Err(fault()),
            Some(Trouble::Hangs) => return pending().await,
            Some(Trouble::Panics) => panic!("the test wants it so"),
            None | Some(Trouble::LosesAnswer | Trouble::HangsAfter | Trouble::PanicsAfter) => {}
        }
        let result = work.await;
        match trouble {
            Some(Trouble::LosesAnswer) => Err(fault()),
            Some(Trouble::HangsAfter) => pending().await,
            Some(Trouble::PanicsAfter) => panic!("the test wants it so"),
            _ => result,
        }
    }
}

impl SessionStore for RiggedStore {
    fn namespace(&self) -> &str {
        self.namespace
    }

    fn create<'s>(&'s self, name: &'s str, sealed: &'s [u8], expiry: Expiry) -> StoreFuture<'s, bool> {
        self.rig().names.push(name.to_owned());
        Box::pin(async move {
            let name = self.alias(name);
            self.meddle(Op::Create, self.store.create(&name, sealed, expiry)).await
        })
    }

    fn read<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Found> {
        Box::pin(async move {
            let name = self.alias(name);
            self.meddle(Op::Read, self.store.read(&name)).await
        })
    }

    fn replace<'s>(
        &'s self,
        name: &'s str,
        expected: u64,
        version: u64,
        sealed: &'s [u8],
    ) -> StoreFuture<'s, Replaced> {
        Box::pin(async move {
            let name = self.alias(name);
            self.meddle(Op::Replace, self.store.replace(&name, expected, version, sealed)).await
        })
    }

    fn refuse<'s>(&'s self, name: &'s str, version: u64) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let name = self.alias(name);
            self.meddle(Op::Refuse, self.store.refuse(&name, version)).await
        })
    }

    fn touch<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let name = self.alias(name);
            self.meddle(Op::Touch, self.store.touch(&name)).await
        })
    }

    fn end<'s>(&'s self, name: &'s str, ending: Ending) -> StoreFuture<'s, Option<Record>> {
        Box::pin(async move {
            let name = self.alias(name);
            self.meddle(Op::End, self.store.end(&name, ending)).await
        })
    }

    fn lease<'s>(&'s self, name: &'s str, owner: &'s str, duration: Duration) -> StoreFuture<'s, Leased> {
        Box::pin(async move {
            let name = self.alias(name);
            self.meddle(Op::Lease, self.store.lease(&name, owner, duration)).await
        })
    }

    fn release<'s>(&'s self, name: &'s str, owner: &'s str) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let name = self.alias(name);
            self.meddle(Op::Release, SessionStore::release(&self.store, &name, owner)).await
        })
    }

    fn create_once<'s>(
        &'s self,
        name: &'s str,
        value: &'s [u8],
        lifetime: Duration,
    ) -> StoreFuture<'s, bool> {
        Box::pin(async move {
            let name = self.alias(name);
            self.meddle(Op::Once, self.store.create_once(&name, value, lifetime)).await
        })
    }

    fn read_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Option<Vec<u8>>> {
        Box::pin(async move {
            let name = self.alias(name);
            self.meddle(Op::Once, self.store.read_once(&name)).await
        })
    }

    fn remove_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        Box::pin(async move {
            let name = self.alias(name);
            self.meddle(Op::Once, self.store.remove_once(&name)).await
        })
    }

    fn now(&self) -> StoreFuture<'_, SystemTime> {
        Box::pin(self.meddle(Op::Now, self.store.now()))
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
