//! Wakes the tasks that wait for an event of one key. A few tasks that wait for other keys wake too.

use std::future::Future;

use tokio::sync::Notify;

/// Several keys share a bell, so a woken task has to check that the event was for its own key.
const BELLS: usize = 1 << 8;

pub(crate) struct Bells(Box<[Notify]>);

impl Default for Bells {
    fn default() -> Self {
        Self((0..BELLS).map(|_| Notify::new()).collect())
    }
}

impl Bells {
    fn of(&self, key: u16) -> &Notify {
        &self.0[usize::from(key) % BELLS]
    }

    pub(crate) fn ring(&self, key: u16) {
        self.of(key).notify_waiters();
    }

    pub(crate) fn ring_all(&self) {
        self.0.iter().for_each(Notify::notify_waiters);
    }

    /// Waits for the next ring. It hears every ring after this call, also one that comes before the first poll.
    pub(crate) fn ringing(&self, key: u16) -> impl Future<Output = ()> {
        self.of(key).notified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_ring_wakes_those_who_listened_before_it_and_nobody_else() {
        let bells = Bells::default();
        let (mine, other) = (bells.ringing(7), bells.ringing(8));
        bells.ring(7);
        assert!(mine.now_or_never().is_some());
        assert!(other.now_or_never().is_none() && bells.ringing(7).now_or_never().is_none());
        let (one, other) = (bells.ringing(7), bells.ringing(8));
        bells.ring_all();
        assert!(one.now_or_never().is_some() && other.now_or_never().is_some());
    }
}
