//! The operations of the store.

use std::time::Duration;

use super::super::{Found, SessionStore, StoreFuture, Swap, Swapped, Version, Watcher};
use super::{Ear, Kept, MemoryStore};

impl SessionStore for MemoryStore {
    fn namespace(&self) -> &str {
        "memory"
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        self.operate(key, move |entries, now| {
            (Found { entry: entries.get(key).map(Kept::entry), now: now.into() }, false)
        })
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        self.operate(key, move |entries, now| {
            let held = entries.get(key);
            if held.map(|kept| kept.version) != swap.expected {
                return (Swapped::Conflict(Found { entry: held.map(Kept::entry), now: now.into() }), false);
            }
            let kept_until = held.map_or(now, |kept| kept.expires_at);
            let expires_at = swap.expires_in.map_or(kept_until, |expires_in| now.plus(expires_in));
            let kept = Kept { version: swap.version, value: swap.value.to_vec(), expires_at };
            entries.insert(key.to_owned(), kept);
            (Swapped::Done { now: now.into() }, true)
        })
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        self.operate(key, move |entries, now| {
            if let Some(kept) = entries.get_mut(key).filter(|kept| kept.version == expected) {
                kept.expires_at = kept.expires_at.max(now.plus(expires_in));
            }
            ((), false)
        })
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        self.operate(key, move |entries, _| {
            let is_meant = entries.get(key).is_some_and(|kept| kept.version == expected);
            if is_meant {
                entries.remove(key);
            }
            ((), is_meant)
        })
    }

    fn watch(&self, watcher: Watcher) {
        if self.0.tells {
            let mut ear = Ear { watcher, watching: None };
            let mut state = self.0.state.lock();
            if !state.is_down {
                ear.listen();
            }
            state.watchers.push(ear);
        }
    }
}
