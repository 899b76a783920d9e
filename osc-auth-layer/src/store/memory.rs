//! A session store in memory, for tests. Several layers can share it as the nodes of an app share Redis.

mod entries;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use self::entries::Entries;
use super::{Entry, Found, SessionStore, StoreError, StoreFuture, Swap, Swapped, Version, Watcher, Watching};
use crate::clock::{Clock, SystemClock, Timestamp};

/// Keeps sessions in memory, to test apps that run on several nodes. Clones are the same [`SessionStore`](crate::store::SessionStore).
///
/// A test can make it fail, stop its notifications, take it back to an older state, and count its operations.
///
/// ```
/// use osc_auth_layer::{OAuthClient, OscAuthLayer, test_util::{MemoryStore, TestToken}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), osc_auth_layer::ConfigError> {
/// let store = MemoryStore::new();
/// let node = || {
///     let client = OAuthClient::confidential("id", "a secret of 32 characters or more");
///     OscAuthLayer::builder(client).store(store.clone()).build()
/// };
/// let (one, other) = (node()?, node()?);
/// let cookie = one.sign_in_for_test(TestToken::new("pat-of-ada")).await;
/// // `cookie` opens the session at `other` too.
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    tells: bool,
    state: Mutex<State>,
    gate: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    entries: Entries,
    watchers: Vec<Watcher>,
    /// The notifications of the watchers while they are on.
    watching: Vec<Watching>,
    is_down: bool,
    operations: usize,
}

/// Holds the contents of a [`MemoryStore`] at one moment.
#[derive(Clone)]
pub struct Snapshot(Entries);

impl MemoryStore {
    /// Returns an empty store that notifies its layers of every change.
    #[must_use]
    pub fn new() -> Self {
        Self::with(SystemClock, true)
    }

    /// Works like [`new`](Self::new), with its own clock.
    #[must_use]
    pub fn with_clock(clock: impl Clock) -> Self {
        Self::with(clock, true)
    }

    /// Returns an empty store without notifications. Layers read from it at every request.
    #[must_use]
    pub fn without_notifications(clock: impl Clock) -> Self {
        Self::with(clock, false)
    }

    fn with(clock: impl Clock, tells: bool) -> Self {
        let gate = watch::Sender::new(true);
        Self(Arc::new(Inner { clock: Arc::new(clock), tells, state: Mutex::default(), gate }))
    }

    /// Makes every operation fail from now on, and stops the notifications.
    pub fn go_down(&self) {
        self.0.state.lock().is_down = true;
        self.stop_notifications();
    }

    /// Makes the store work again, with its old contents.
    pub fn come_back(&self) {
        self.0.state.lock().is_down = false;
        self.resume_notifications();
    }

    /// Stops the notifications of changes. The layers know that they stopped.
    pub fn stop_notifications(&self) {
        // Taken out first: dropping one calls into a layer.
        let watching = std::mem::take(&mut self.0.state.lock().watching);
        drop(watching);
    }

    /// Resumes the notifications of changes.
    pub fn resume_notifications(&self) {
        self.stop_notifications();
        let mut state = self.0.state.lock();
        state.watching = state.watchers.iter().map(begin).collect();
    }

    /// Makes all operations wait until [`release`](Self::release).
    pub fn hold(&self) {
        self.0.gate.send_replace(false);
    }

    /// Lets waiting operations go on.
    pub fn release(&self) {
        self.0.gate.send_replace(true);
    }

    /// Returns the number of operations so far.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.0.state.lock().operations
    }

    /// Returns the number of sessions in the store that have not ended.
    #[must_use]
    pub fn sessions(&self) -> usize {
        let now = self.0.clock.now();
        let state = self.0.state.lock();
        let is_live = |(entry, _): &&(Entry, _)| now < entry.expires_at && header(&entry.value).is_some();
        state.entries.by_key.values().filter(is_live).count()
    }

    /// Returns the number of leases that are held, which is the number of refreshes under way.
    #[must_use]
    pub fn leases(&self) -> usize {
        let now = Timestamp::from(self.0.clock.now());
        let state = self.0.state.lock();
        let until = |(entry, _): &(Entry, _)| {
            let is_kept = now < Timestamp::from(entry.expires_at);
            header(&entry.value).filter(|_| is_kept)?["lease"]["until"].as_u64()
        };
        let untils = state.entries.by_key.values().filter_map(until);
        untils.filter(|until| now < Timestamp::from_millis(*until)).count()
    }

    /// Returns a copy of the contents, for [`restore`](Self::restore).
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.state.lock().entries.clone())
    }

    /// Goes back to an older state, like a server that restarts from an old dump.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.stop_notifications();
        self.0.state.lock().entries = snapshot.0.clone();
        self.resume_notifications();
    }

    /// Returns every byte in the store, for tests that look for secrets.
    #[must_use]
    pub fn dump(&self) -> Vec<u8> {
        let state = self.0.state.lock();
        let bytes = |(key, (entry, group)): (&String, &(Entry, Option<String>))| {
            [key.as_bytes(), &entry.value, group.as_deref().unwrap_or_default().as_bytes()].concat()
        };
        state.entries.by_key.iter().flat_map(bytes).collect()
    }

    /// Does one atomic operation. `work` returns its result, and true if the watchers are to be notified.
    fn operate<'s, T: Send + 's>(
        &'s self,
        name: &'s str,
        work: impl FnOnce(&mut Entries, Timestamp) -> (T, bool) + Send + 's,
    ) -> StoreFuture<'s, T> {
        Box::pin(async move {
            // The sender is in `self`, so this cannot fail.
            let _ = self.0.gate.subscribe().wait_for(|is_open| *is_open).await;
            let now = Timestamp::from(self.0.clock.now());
            let mut state = self.0.state.lock();
            state.operations += 1;
            if state.is_down {
                return Err(StoreError::new("the test made it unavailable"));
            }
            state.entries.forget_expired(name, now.into());
            let (result, changed) = work(&mut state.entries, now);
            if changed {
                state.watching.iter().for_each(|watching| watching.changed(name));
            }
            Ok(result)
        })
    }
}

/// Returns the readable part of the record of a session that has not ended.
fn header(value: &[u8]) -> Option<Value> {
    let [_, 0, rest @ ..] = value else { return None };
    let (length, rest) = rest.split_first_chunk::<4>()?;
    serde_json::from_slice(rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?).ok()
}

fn begin(watcher: &Watcher) -> Watching {
    let watching = watcher.begin();
    // Calls within a process do not get lost: what was confirmed once stays so.
    watching.confirm(Instant::now() + Duration::from_secs(100 * 365 * 24 * 60 * 60));
    watching
}

impl SessionStore for MemoryStore {
    fn namespace(&self) -> &str {
        "memory"
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        self.operate(key, move |entries, now| {
            (Found { entry: entries.get(key).cloned(), now: now.into() }, false)
        })
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        self.operate(key, move |entries, now| {
            let held = entries.get(key);
            if held.map(|entry| entry.version) != swap.expected {
                return (Swapped::Conflict(Found { entry: held.cloned(), now: now.into() }), false);
            }
            let kept_until = held.map_or(now.into(), |entry| entry.expires_at);
            let expires_at = swap.expires_in.map_or(kept_until, |expires_in| now.plus(expires_in).into());
            let entry = Entry { version: swap.version, value: swap.value.to_vec(), expires_at };
            entries.put(key, entry, swap.group);
            (Swapped::Done { now: now.into() }, true)
        })
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        self.operate(key, move |entries, now| {
            let held = entries.by_key.get(key).filter(|(entry, _)| entry.version == expected);
            if let Some((mut entry, group)) = held.cloned() {
                entry.expires_at = entry.expires_at.max(now.plus(expires_in).into());
                entries.put(key, entry, group.as_deref());
            }
            ((), false)
        })
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        self.operate(key, move |entries, _| {
            let is_meant = entries.get(key).is_some_and(|entry| entry.version == expected);
            if is_meant {
                entries.remove(key);
            }
            ((), is_meant)
        })
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        self.operate(group, move |entries, now| (entries.members(group, now.into()), false))
    }

    fn watch(&self, watcher: Watcher) {
        if self.0.tells {
            let mut state = self.0.state.lock();
            if !state.is_down {
                state.watching.push(begin(&watcher));
            }
            state.watchers.push(watcher);
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("sessions", &self.0.by_key.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract;

    #[tokio::test(flavor = "multi_thread")]
    async fn it_keeps_every_promise_with_and_without_notifications() {
        for store in [MemoryStore::new(), MemoryStore::without_notifications(SystemClock)] {
            contract::run(async || store.clone()).await;
        }
    }
}
