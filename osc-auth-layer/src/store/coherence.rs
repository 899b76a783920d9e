//! Tells whether this process knows the newest version of a record.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::RecordName;
use crate::bells::Bells;

/// The time for which a confirmation is good.
const TRUST: Duration = Duration::from_secs(1);

/// Records share logs, in which a request compares the changes since the last one. A million users cause 580 changes a second, so a
/// log gets one every seven seconds. Redis notifies of renewals too, which are 20 times as many.
const LOGS: usize = 1 << 12;

/// How many changes a log remembers. A record whose last request was before them is read again. At 580 changes a second, the logs
/// reach back a quarter of an hour. All logs take 2 MB.
const REMEMBERED: u32 = 128;

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

/// The last changes to some of the records.
struct Log {
    count: AtomicU32,
    /// The [tags](RecordName::tag) of the records, each at its number modulo [`REMEMBERED`].
    tags: [AtomicU32; REMEMBERED as usize],
}

impl Log {
    fn new() -> Self {
        Self { count: AtomicU32::new(0), tags: [const { AtomicU32::new(0) }; REMEMBERED as usize] }
    }

    fn tag(&self, number: u32) -> &AtomicU32 {
        &self.tags[(number % REMEMBERED) as usize]
    }

    /// Logs a change. Calls must not overlap.
    fn add(&self, name: &RecordName) {
        let number = self.count.load(SeqCst);
        self.tag(number).store(name.tag(), SeqCst);
        // After the tag: a request that sees this count finds the tag too.
        self.count.store(number.wrapping_add(1), SeqCst);
    }

    /// Returns false if the record was certainly not changed between the two counts.
    fn may_have_changed(&self, name: &RecordName, from: u32, to: u32) -> bool {
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
        let (epoch, count) = (self.epoch.load(SeqCst), self.log(name).count.load(SeqCst));
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

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::sync::atomic::AtomicBool;

    fn name(byte: u8) -> RecordName {
        RecordName::once(&[&byte.to_string()])
    }

    fn confirmed() -> Coherence {
        let coherence = Coherence::new();
        coherence.confirm(Instant::now());
        coherence
    }

    /// Trusted for longer than a test takes on a busy machine.
    fn trusted() -> Coherence {
        let coherence = Coherence::new();
        coherence.confirm(Instant::now() + Duration::from_secs(60 * 60));
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

    /// Names of other records that share the log of `name(1)`.
    fn neighbours() -> impl Iterator<Item = RecordName> {
        let of_number = |number: u32| {
            let mut bytes = URL_SAFE_NO_PAD.decode(name(1).text()).unwrap();
            bytes[2..6].copy_from_slice(&number.to_le_bytes());
            RecordName::parse(&URL_SAFE_NO_PAD.encode(bytes)).unwrap()
        };
        (0..).map(of_number).filter(|other| *other != name(1))
    }

    #[test]
    fn s52_changes_to_other_records_spoil_nothing_and_hide_no_own_change() {
        let (coherence, stamp) = (trusted(), AtomicU64::new(0));
        coherence.stamp(&stamp, coherence.before_read(&name(1)));
        let others: Vec<_> = neighbours().take(REMEMBERED as usize - 1).collect();
        for round in 0..4 {
            others.iter().for_each(|other| coherence.changed(other));
            assert!(coherence.trusts(&stamp, &name(1), Instant::now()), "round {round}");
        }
        // Its own change is found wherever it is among the others.
        for place in 0..others.len() {
            coherence.stamp(&stamp, coherence.before_read(&name(1)));
            for (number, other) in others[1..].iter().enumerate() {
                if number == place {
                    coherence.changed(&name(1));
                }
                coherence.changed(other);
            }
            let is_among_them = place < others.len() - 1;
            assert_eq!(coherence.trusts(&stamp, &name(1), Instant::now()), !is_among_them, "{place}");
        }
    }

    #[test]
    fn s52_a_record_is_read_again_if_the_log_has_forgotten_a_change_since() {
        let (coherence, stamp) = (trusted(), AtomicU64::new(0));
        coherence.stamp(&stamp, coherence.before_read(&name(1)));
        coherence.changed(&name(1));
        neighbours().take(REMEMBERED as usize).for_each(|other| coherence.changed(&other));
        assert!(!coherence.trusts(&stamp, &name(1), Instant::now()));
    }

    #[test]
    fn s52_a_change_is_found_while_other_threads_log_theirs() {
        let (coherence, stamp, is_over) = (trusted(), AtomicU64::new(0), AtomicBool::new(false));
        let missed = std::thread::scope(|scope| {
            for other in neighbours().take(2) {
                let (coherence, is_over) = (&coherence, &is_over);
                scope.spawn(move || {
                    while !is_over.load(SeqCst) {
                        coherence.changed(&other);
                    }
                });
            }
            let is_missed = |_: &u32| {
                coherence.stamp(&stamp, coherence.before_read(&name(1)));
                coherence.changed(&name(1));
                coherence.trusts(&stamp, &name(1), Instant::now())
            };
            let missed = (0..20_000).filter(is_missed).count();
            is_over.store(true, SeqCst);
            missed
        });
        assert_eq!(missed, 0);
    }

    #[tokio::test]
    async fn a_wait_for_a_change_ignores_the_changes_of_other_records() {
        let coherence = confirmed();
        let one = name(1);
        let mut waits = Box::pin(coherence.change(&one, coherence.before_read(&one)));
        for other in neighbours().take(3 * REMEMBERED as usize) {
            coherence.changed(&other);
            assert!(futures_util::poll!(&mut waits).is_pending());
        }
        coherence.changed(&name(1));
        waits.await;
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
