//! Tells whether this process knows the newest version of a record.

mod log;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::log::Log;
use super::RecordName;
use crate::bells::Bells;
use crate::meter;

/// The time for which a confirmation is good.
const TRUST: Duration = Duration::from_secs(1);

/// Records share logs, in which a request compares the changes since the last one. A million users cause 580 changes a second, so a
/// log gets one every seven seconds. Redis notifies of renewals too, which are 20 times as many.
const LOGS: usize = 1 << 12;

/// Logs the changes to records. A record that was read is stamped with the number of changes *before* the read. It is current until
/// the log has a change of that record after the stamp. So no change between the read's answer and its use is missed.
pub(crate) struct Coherence {
    /// The number of the unbroken sequence of notifications. Stamps of an earlier sequence are worth nothing.
    epoch: AtomicU32,
    /// In milliseconds after `start`. 0 while nothing can be trusted.
    trusted_until: AtomicU64,
    start: Instant,
    logs: Box<[Log]>,
    /// Held while a change is logged. Requests do not take it.
    logging: Mutex<()>,
    changes: Bells,
}

/// The epoch and the count of changes before a read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BeforeRead(u64);

impl BeforeRead {
    fn count(self) -> u32 {
        self.0 as u32
    }

    fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl Coherence {
    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn new() -> Self {
        Self::scaled_down(1)
    }

    /// Remembers the changes in one of so many logs, for a simulation of a part of the users.
    pub(crate) fn scaled_down(by: usize) -> Self {
        // A power of two, for `log`.
        let logs = (LOGS / by.clamp(1, LOGS)).next_power_of_two();
        Self {
            // A record that was never read has the stamp 0, which belongs to no epoch.
            epoch: AtomicU32::new(1),
            trusted_until: AtomicU64::new(0),
            start: Instant::now(),
            logs: (0..logs).map(|_| Log::new()).collect(),
            logging: Mutex::default(),
            changes: Bells::default(),
        }
    }

    fn log(&self, name: &RecordName) -> &Log {
        &self.logs[usize::from(name.prefix()) & (self.logs.len() - 1)]
    }

    pub(crate) fn before_read(&self, name: &RecordName) -> BeforeRead {
        let (epoch, count) = (self.epoch.load(SeqCst), self.log(name).count());
        BeforeRead(u64::from(epoch) << 32 | u64::from(count))
    }

    /// Returns false if the store notified of no change to the record between the two.
    fn may_have_changed(&self, name: &RecordName, before: BeforeRead, now: BeforeRead) -> bool {
        self.log(name).may_have_changed(name, before.count(), now.count())
    }

    /// Returns true if the store notified of a change to the record after `before`, or if notifications broke off since.
    #[cfg(feature = "test-util")]
    pub(crate) fn has_changed(&self, name: &RecordName, before: BeforeRead) -> bool {
        let now = self.before_read(name);
        before.epoch() != now.epoch() || self.may_have_changed(name, before, now)
    }

    /// Stamps a record that was read.
    pub(crate) fn stamp(&self, stamp: &AtomicU64, before: BeforeRead) {
        stamp.store(before.0, SeqCst);
    }

    /// Returns true if a record with this stamp is current, as far as a node can know.
    pub(crate) fn trusts(&self, stamp: &AtomicU64, name: &RecordName, now: Instant) -> bool {
        // Before the count: a confirmation that arrives in between must not vouch for a count from before it.
        if !self.is_trusted(now) {
            return false;
        }
        let (stamped, latest) = (BeforeRead(stamp.load(SeqCst)), self.before_read(name));
        stamped == latest || self.only_others_changed(stamp, name, stamped, latest)
    }

    /// Returns true if no change since the stamp was the record's. Then moves the stamp, so that the log remembers all changes after
    /// it for longer.
    #[cold]
    fn only_others_changed(
        &self,
        stamp: &AtomicU64,
        name: &RecordName,
        stamped: BeforeRead,
        latest: BeforeRead,
    ) -> bool {
        if stamped.epoch() != latest.epoch() || self.may_have_changed(name, stamped, latest) {
            return false;
        }
        // If another request has moved it, that stamp is as good.
        let _ = stamp.compare_exchange(stamped.0, latest.0, SeqCst, SeqCst);
        true
    }

    /// Returns true if the store has kept its [`Watcher`](super::Watcher), so it can notify of changes.
    pub(crate) fn is_watched(self: &Arc<Self>) -> bool {
        Arc::weak_count(self) > 0
    }

    /// Returns true if notifications are known to arrive.
    pub(crate) fn is_trusted(&self, now: Instant) -> bool {
        self.millis(now) < self.trusted_until.load(SeqCst)
    }

    /// Notes a change of the record.
    pub(crate) fn changed(&self, name: &RecordName) {
        let logging = self.logging.lock();
        self.log(name).add(name);
        drop(logging);
        self.changes.ring(name.prefix());
    }

    pub(crate) fn confirm(&self, as_of: Instant) {
        let before = self.trusted_until.fetch_max(self.millis(as_of + TRUST), SeqCst);
        if meter::IS_ON && before < self.millis(as_of) {
            meter::store_notifies(true);
        }
    }

    /// Notifications may have been missed, so nothing read before is trusted.
    pub(crate) fn forget(&self) {
        self.trusted_until.store(0, SeqCst);
        self.epoch.fetch_add(1, SeqCst);
        self.changes.ring_all();
        meter::store_notifies(false);
    }

    /// Waits until the record changes after `before`, or may have. There is no timeout, so the caller has to set one.
    pub(crate) async fn change(&self, name: &RecordName, before: BeforeRead) {
        self.until(name, before, |before, now| now.epoch() != before.epoch()).await;
    }

    /// Waits until the store notifies of a change to the record after `before`.
    ///
    /// Unlike [`change`](Self::change), it ignores a break in the notifications. Otherwise all long waits would read the store
    /// when the break ends.
    pub(crate) async fn own_change(&self, name: &RecordName, before: BeforeRead) {
        self.until(name, before, |_, _| false).await;
    }

    async fn until(
        &self,
        name: &RecordName,
        mut before: BeforeRead,
        is_so: impl Fn(BeforeRead, BeforeRead) -> bool,
    ) {
        loop {
            // Listens from here on, so no change is missed between the look and the wait.
            let ringing = self.changes.ringing(name.prefix());
            let now = self.before_read(name);
            if is_so(before, now) || self.may_have_changed(name, before, now) {
                return;
            }
            before = now;
            ringing.await;
        }
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}
