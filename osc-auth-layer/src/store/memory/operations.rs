//! The operations, each a function on what the store holds.

use std::time::{Duration, SystemTime};

use super::super::{
    ENDED_FOR, Ending, Expiry, Found, Leased, Record, Replaced, SessionStore, StoreFuture, Watcher,
};
use super::entries::{Entry, Lease};
use super::{Ear, MemoryStore};

impl SessionStore for MemoryStore {
    fn namespace(&self) -> &str {
        "memory"
    }

    fn create<'s>(&'s self, name: &'s str, sealed: &'s [u8], expiry: Expiry) -> StoreFuture<'s, bool> {
        self.operate(name, move |entries, now| {
            let free = !entries.records.contains_key(name) && !entries.ended.contains_key(name);
            if free {
                let entry = Entry {
                    version: 1,
                    sealed: sealed.to_vec(),
                    refused: false,
                    written_at: now,
                    touched_at: now,
                    idle: expiry.idle,
                    ends_at: now.plus(expiry.absolute),
                    lease: None,
                };
                entries.records.insert(name.to_owned(), entry);
            }
            (free, free)
        })
    }

    fn read<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Found> {
        self.operate(name, move |entries, now| {
            let found = match (entries.records.get(name), entries.missing(name)) {
                (Some(entry), _) => Found::Live(entry.record(now)),
                (None, Some(ending)) => Found::Ended(ending),
                (None, None) => Found::Absent,
            };
            (found, false)
        })
    }

    fn replace<'s>(
        &'s self,
        name: &'s str,
        expected: u64,
        version: u64,
        sealed: &'s [u8],
    ) -> StoreFuture<'s, Replaced> {
        self.operate(name, move |entries, now| {
            let missing = entries.missing(name);
            let Some(entry) = entries.records.get_mut(name) else {
                return (missing.map_or(Replaced::Absent, Replaced::Ended), false);
            };
            if entry.version != expected {
                return (Replaced::Conflict(entry.record(now)), false);
            }
            (entry.version, entry.sealed, entry.refused) = (version, sealed.to_vec(), false);
            entry.written_at = now;
            (Replaced::Done, true)
        })
    }

    fn refuse<'s>(&'s self, name: &'s str, version: u64) -> StoreFuture<'s, ()> {
        self.operate(name, move |entries, _| {
            let entry = entries.records.get_mut(name).filter(|entry| entry.version == version);
            let changed = entry.map(|entry| entry.refused = true).is_some();
            ((), changed)
        })
    }

    fn touch<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        self.operate(name, move |entries, now| {
            let changed = entries.records.get_mut(name).map(|entry| entry.touched_at = now).is_some();
            ((), changed)
        })
    }

    fn end<'s>(&'s self, name: &'s str, ending: Ending) -> StoreFuture<'s, Option<Record>> {
        self.operate(name, move |entries, now| {
            let record = entries.records.remove(name).map(|entry| entry.record(now));
            let changed = record.is_some();
            if changed {
                entries.ended.insert(name.to_owned(), (ending, now.plus(ENDED_FOR)));
            }
            (record, changed)
        })
    }

    fn lease<'s>(&'s self, name: &'s str, owner: &'s str, duration: Duration) -> StoreFuture<'s, Leased> {
        self.operate(name, move |entries, now| {
            let missing = entries.missing(name);
            let Some(entry) = entries.records.get_mut(name) else {
                return (missing.map_or(Leased::Absent, Leased::Ended), false);
            };
            let record = entry.record(now);
            let leased = match &entry.lease {
                Some(lease) if lease.owner != owner && now < lease.until => {
                    return (Leased::Held(record, lease.until.since(now)), false);
                }
                Some(lease) if lease.owner != owner && lease.version == entry.version => {
                    Leased::Inherited(record)
                }
                _ => Leased::Granted(record),
            };
            let (owner, until) = (owner.to_owned(), now.plus(duration));
            entry.lease = Some(Lease { owner, until, version: entry.version });
            (leased, true)
        })
    }

    fn release<'s>(&'s self, name: &'s str, owner: &'s str) -> StoreFuture<'s, ()> {
        self.operate(name, move |entries, _| {
            let entry = entries.records.get_mut(name);
            let changed = entry.and_then(|entry| entry.lease.take_if(|lease| lease.owner == owner)).is_some();
            ((), changed)
        })
    }

    fn create_once<'s>(
        &'s self,
        name: &'s str,
        value: &'s [u8],
        lifetime: Duration,
    ) -> StoreFuture<'s, bool> {
        self.operate(name, move |entries, now| {
            let free = !entries.once.contains_key(name);
            if free {
                entries.once.insert(name.to_owned(), (value.to_vec(), now.plus(lifetime)));
            }
            (free, false)
        })
    }

    fn read_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, Option<Vec<u8>>> {
        self.operate(name, move |entries, _| (entries.once.get(name).map(|(value, _)| value.clone()), false))
    }

    fn remove_once<'s>(&'s self, name: &'s str) -> StoreFuture<'s, ()> {
        self.operate(name, move |entries, _| {
            entries.once.remove(name);
            ((), false)
        })
    }

    fn now(&self) -> StoreFuture<'_, SystemTime> {
        self.operate("", |_, now| (now.into(), false))
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
