//! Tells whether this process knows the newest version of a record.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::RecordName;
use crate::bells::Bells;

/// The time for which a confirmation is good.
const TRUST: Duration = Duration::from_secs(1);

/// Names share counters. So a change to another record may cause a read that is not needed.
const COUNTERS: usize = 1 << 16;

/// Counts the changes to records. A record that was read is stamped with the count from *before* the read, and is current until the
/// count changes. So no change between the read's answer and its use is missed.
pub(crate) struct Coherence {
    /// The number of the unbroken sequence of notifications. Stamps of an earlier sequence are worth nothing.
    epoch: AtomicU32,
    /// In milliseconds after `start`. 0 while nothing can be trusted.
    trusted_until: AtomicU64,
    start: Instant,
    counts: Box<[AtomicU32]>,
    changes: Bells,
}

/// The epoch and the count of changes before a read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BeforeRead(u64);

impl BeforeRead {
    fn count(self) -> u32 {
        self.0 as u32
    }
}

impl Coherence {
    pub(crate) fn new() -> Self {
        Self {
            // A record that was never read has the stamp 0, which belongs to no epoch.
            epoch: AtomicU32::new(1),
            trusted_until: AtomicU64::new(0),
            start: Instant::now(),
            counts: (0..COUNTERS).map(|_| AtomicU32::new(0)).collect(),
            changes: Bells::default(),
        }
    }

    fn count(&self, name: &RecordName) -> &AtomicU32 {
        &self.counts[usize::from(name.prefix()) % COUNTERS]
    }

    pub(crate) fn before_read(&self, name: &RecordName) -> BeforeRead {
        let (epoch, count) = (self.epoch.load(SeqCst), self.count(name).load(SeqCst));
        BeforeRead(u64::from(epoch) << 32 | u64::from(count))
    }

    /// Stamps a record that was read.
    pub(crate) fn stamp(&self, stamp: &AtomicU64, before: BeforeRead) {
        stamp.store(before.0, SeqCst);
    }

    /// Returns true if a record with this stamp is current, as far as a node can know.
    pub(crate) fn trusts(&self, stamp: &AtomicU64, name: &RecordName, now: Instant) -> bool {
        stamp.load(SeqCst) == self.before_read(name).0 && self.is_trusted(now)
    }

    /// Returns true if notifications are known to arrive.
    pub(crate) fn is_trusted(&self, now: Instant) -> bool {
        self.millis(now) < self.trusted_until.load(SeqCst)
    }

    /// Notes a change of the record.
    pub(crate) fn changed(&self, name: &RecordName) {
        self.count(name).fetch_add(1, SeqCst);
        self.changes.ring(name.prefix());
    }

    pub(crate) fn confirm(&self, as_of: Instant) {
        self.trusted_until.fetch_max(self.millis(as_of + TRUST), SeqCst);
    }

    /// Notifications may have been missed, so nothing read before is trusted.
    pub(crate) fn forget(&self) {
        self.trusted_until.store(0, SeqCst);
        self.epoch.fetch_add(1, SeqCst);
        self.changes.ring_all();
    }

    /// Waits until the record changes after `before`, or may have. There is no timeout, so the caller has to set one.
    pub(crate) async fn change(&self, name: &RecordName, before: BeforeRead) {
        self.until(name, |now| now != before).await;
    }

    /// Waits until the store notifies of a change to the record after `before`.
    ///
    /// Unlike [`change`](Self::change), it ignores a break in the notifications. Otherwise all long waits would read the store
    /// when the break ends.
    pub(crate) async fn own_change(&self, name: &RecordName, before: BeforeRead) {
        self.until(name, |now| now.count() != before.count()).await;
    }

    async fn until(&self, name: &RecordName, is_so: impl Fn(BeforeRead) -> bool) {
        loop {
            // Listens from here on, so no change is missed between the look and the wait.
            let ringing = self.changes.ringing(name.prefix());
            if is_so(self.before_read(name)) {
                return;
            }
            ringing.await;
        }
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(byte: u8) -> RecordName {
        RecordName::once(&[&byte.to_string()])
    }

    fn confirmed() -> Coherence {
        let coherence = Coherence::new();
        coherence.confirm(Instant::now());
        coherence
    }

    #[test]
    fn a_record_that_was_read_is_trusted_until_it_changes() {
        let (coherence, stamp) = (confirmed(), AtomicU64::new(0));
        assert!(!coherence.trusts(&stamp, &name(1), Instant::now()));
        coherence.stamp(&stamp, coherence.before_read(&name(1)));
        assert!(coherence.trusts(&stamp, &name(1), Instant::now()));
        coherence.changed(&name(1));
        assert!(!coherence.trusts(&stamp, &name(1), Instant::now()));
    }

    #[test]
    fn s52_a_change_between_a_read_and_its_use_is_not_missed() {
        let (coherence, stamp) = (confirmed(), AtomicU64::new(0));
        let before = coherence.before_read(&name(1));
        coherence.changed(&name(1));
        coherence.stamp(&stamp, before);
        assert!(!coherence.trusts(&stamp, &name(1), Instant::now()));
    }

    #[test]
    fn s53_trust_ends_a_second_after_the_last_confirmation() {
        let (coherence, stamp) = (confirmed(), AtomicU64::new(0));
        coherence.stamp(&stamp, coherence.before_read(&name(1)));
        let now = Instant::now();
        assert!(coherence.trusts(&stamp, &name(1), now));
        assert!(!coherence.trusts(&stamp, &name(1), now + Duration::from_millis(1001)));
        coherence.confirm(now + Duration::from_millis(900));
        assert!(
            coherence.trusts(&stamp, &name(1), now + Duration::from_millis(1001)),
            "nothing was missed meanwhile"
        );
    }

    #[test]
    fn a_break_in_the_sequence_forgets_everything_read_before() {
        let (coherence, stamp) = (confirmed(), AtomicU64::new(0));
        let before = coherence.before_read(&name(1));
        coherence.stamp(&stamp, before);
        coherence.forget();
        coherence.confirm(Instant::now());
        assert!(!coherence.trusts(&stamp, &name(1), Instant::now()));
        coherence.stamp(&stamp, before);
        assert!(!coherence.trusts(&stamp, &name(1), Instant::now()), "a read that began before the break");
    }

    #[tokio::test]
    async fn a_change_wakes_waiters_even_if_it_came_first() {
        let (coherence, one, two) = (confirmed(), name(1), name(2));
        let before = coherence.before_read(&one);
        let mut waits = Box::pin(coherence.change(&one, before));
        let mut other = Box::pin(coherence.change(&two, coherence.before_read(&two)));
        assert!(futures_util::poll!(&mut waits).is_pending() && futures_util::poll!(&mut other).is_pending());
        coherence.changed(&one);
        waits.await;
        assert!(futures_util::poll!(&mut other).is_pending());
        coherence.change(&one, before).await;
    }
}
