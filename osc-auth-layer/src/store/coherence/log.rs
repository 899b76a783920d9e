//! The last changes to records, which requests read without a lock.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::store::RecordName;

/// How many changes a log remembers. A record whose last request was before them is read again. At 580 changes a second, the logs
/// reach back a quarter of an hour. All logs take 2 MB.
pub(super) const REMEMBERED: u32 = 128;

/// The last changes to some of the records.
pub(super) struct Log {
    count: AtomicU32,
    /// The [tags](RecordName::tag) of the records, each at its number modulo [`REMEMBERED`].
    tags: [AtomicU32; REMEMBERED as usize],
}

impl Log {
    pub(super) fn new() -> Self {
        Self { count: AtomicU32::new(0), tags: [const { AtomicU32::new(0) }; REMEMBERED as usize] }
    }

    fn tag(&self, number: u32) -> &AtomicU32 {
        &self.tags[(number % REMEMBERED) as usize]
    }

    /// Returns the number of changes so far.
    pub(super) fn count(&self) -> u32 {
        self.count.load(SeqCst)
    }

    /// Logs a change. Calls must not overlap.
    pub(super) fn add(&self, name: &RecordName) {
        let number = self.count.load(SeqCst);
        self.tag(number).store(name.tag(), SeqCst);
        // After the tag: a request that sees this count finds the tag too.
        self.count.store(number.wrapping_add(1), SeqCst);
    }

    /// Returns false if the record was certainly not changed between the two counts.
    pub(super) fn may_have_changed(&self, name: &RecordName, from: u32, to: u32) -> bool {
        let passed = to.wrapping_sub(from);
        if passed >= REMEMBERED {
            return true;
        }
        let tag = name.tag();
        if (0..passed).any(|step| self.tag(from.wrapping_add(step)).load(SeqCst) == tag) {
            return true;
        }
        // A change that came meanwhile replaces the tag of the one 128 before it. It does so after the count has reached its own
        // number. So if a tag above was replaced already, this count is at least `from + REMEMBERED`.
        self.count.load(SeqCst).wrapping_sub(from) >= REMEMBERED
    }
}
