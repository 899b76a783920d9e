//! What a store holds.

use std::collections::HashMap;
use std::time::Duration;

use super::super::{Ending, Record};
use crate::clock::Timestamp;

#[derive(Clone, Default)]
pub(super) struct Entries {
    pub(super) records: HashMap<String, Entry>,
    pub(super) ended: HashMap<String, (Ending, Timestamp)>,
    pub(super) once: HashMap<String, (Vec<u8>, Timestamp)>,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) version: u64,
    pub(super) sealed: Vec<u8>,
    pub(super) refused: bool,
    pub(super) written_at: Timestamp,
    pub(super) touched_at: Timestamp,
    pub(super) idle: Duration,
    pub(super) ends_at: Timestamp,
    pub(super) lease: Option<Lease>,
}

#[derive(Clone)]
pub(super) struct Lease {
    pub(super) owner: String,
    pub(super) until: Timestamp,
    /// The record's version then.
    pub(super) version: u64,
}

impl Entry {
    pub(super) fn record(&self, now: Timestamp) -> Record {
        Record {
            version: self.version,
            sealed: self.sealed.clone(),
            refused: self.refused,
            age: now.since(self.written_at),
            idle: now.since(self.touched_at),
            ends_in: self.ends_at.since(now),
        }
    }

    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        now < self.ends_at && now.since(self.touched_at) < self.idle
    }
}

impl Entries {
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.records.retain(|_, entry| entry.is_live(now));
        self.ended.retain(|_, (_, until)| now < *until);
        self.once.retain(|_, (_, until)| now < *until);
    }

    pub(super) fn missing(&self, name: &str) -> Option<Ending> {
        self.ended.get(name).map(|(ending, _)| *ending)
    }
}
