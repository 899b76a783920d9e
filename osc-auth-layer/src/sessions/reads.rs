//! Reads of one session at the same time share the store's answer. So a burst of requests asks the store twice, not once each.
//!
//! A request uses only a read that began after the request came. An earlier read may have missed a sign-out whose answer the user has
//! already seen.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Mutex as Turn;

use super::{ID_LENGTH, SessionId};
use crate::store::StoreError;

/// The reads under way, and their answers. The keys are all bytes of an id, because strangers choose them, and the hash of a
/// [`SessionId`] looks at a part only.
pub(super) struct Reads<T>(Mutex<HashMap<[u8; ID_LENGTH], Arc<Turns<T>>>>);

/// The reads of one session, one after the other.
struct Turns<T> {
    count: Mutex<Count>,
    /// The number and the answer of the last read that ended. The request that holds the lock reads.
    last: Turn<Option<(u64, Result<T, ()>)>>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    begun: u64,
    /// The number of the last read that ended. A read that was given up never does.
    ended: u64,
}

/// A request's share in the reads of a session. The last one to go removes them.
struct Share<'r, T> {
    reads: &'r Reads<T>,
    id: &'r [u8; ID_LENGTH],
    turns: Arc<Turns<T>>,
}

impl<T> Default for Reads<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { count: Mutex::default(), last: Turn::default() }
    }
}

impl<T> Drop for Share<'_, T> {
    fn drop(&mut self) {
        let mut all = self.reads.0.lock();
        // Given up under the lock. Two that go at the same time would each count the other.
        self.turns = Arc::default();
        if all.get(self.id).is_some_and(|turns| Arc::strong_count(turns) == 1) {
            all.remove(self.id);
        }
    }
}

impl<T> Reads<T> {
    fn enter<'r>(&'r self, id: &'r [u8; ID_LENGTH]) -> Share<'r, T> {
        let turns = self.0.lock().entry(*id).or_default().clone();
        Share { reads: self, id, turns }
    }
}

impl<T: Clone> Reads<T> {
    /// Reads a session by `read`, or waits for the read of another request and returns its answer.
    pub(super) async fn share<F>(&self, id: &SessionId, read: impl FnOnce() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let share = self.enter(id.as_bytes());
        let on_arrival = *share.turns.count.lock();
        let mut last = match share.turns.last.try_lock() {
            Ok(last) => last,
            Err(_) => share.turns.last.lock().await,
        };
        let shared = last.as_ref().filter(|(number, answer)| {
            let was_under_way = *number == on_arrival.begun && *number > on_arrival.ended;
            // In an outage nobody waits for two failures, one after the other.
            *number > on_arrival.begun || was_under_way && answer.is_err()
        });
        if let Some((_, answer)) = shared {
            return answer
                .clone()
                .map_err(|()| StoreError::new("another request's read of the session failed"));
        }
        let number = {
            let mut count = share.turns.count.lock();
            count.begun += 1;
            count.begun
        };
        let answer = read().await;
        share.turns.count.lock().ended = number;
        *last = Some((number, answer.as_ref().map(T::clone).map_err(|_| ())));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    type Answers = RefCell<Vec<oneshot::Sender<Result<u32, ()>>>>;

    /// Reads that each wait for the test to answer them.
    #[derive(Default)]
    struct Stage {
        reads: Reads<u32>,
        answers: Answers,
        begun: Cell<usize>,
    }

    impl Stage {
        fn request<'s>(
            &'s self,
            id: &'s SessionId,
        ) -> Pin<Box<dyn Future<Output = Result<u32, StoreError>> + 's>> {
            let mut request = Box::pin(self.reads.share(id, async || {
                self.begun.set(self.begun.get() + 1);
                let (sender, answer) = oneshot::channel();
                self.answers.borrow_mut().push(sender);
                answer.await.expect("the test answers").map_err(|()| StoreError::new("down"))
            }));
            assert!(request.as_mut().now_or_never().is_none());
            request
        }

        fn answer(&self, answer: Result<u32, ()>) {
            self.answers.borrow_mut().remove(0).send(answer).expect("a request waits");
        }
    }

    fn id(byte: u8) -> SessionId {
        SessionId::parse(&[byte; ID_LENGTH]).unwrap()
    }

    #[tokio::test]
    async fn a_burst_of_requests_reads_twice_and_nobody_gets_an_answer_from_before_they_came() {
        let (stage, one) = (Stage::default(), id(1));
        let first = stage.request(&one);
        let others: Vec<_> = (0..100).map(|_| stage.request(&one)).collect();
        assert_eq!(stage.begun.get(), 1);
        stage.answer(Ok(1));
        assert_eq!(first.await.unwrap(), 1);
        let others = futures_util::future::join_all(others);
        let answering = async {
            while stage.begun.get() < 2 {
                tokio::task::yield_now().await;
            }
            stage.answer(Ok(2));
        };
        let (others, ()) = tokio::join!(others, answering);
        assert!(others.into_iter().all(|answer| answer.unwrap() == 2));
        assert_eq!(stage.begun.get(), 2);
        assert!(stage.reads.0.lock().is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn a_failure_is_shared_by_those_who_waited_for_it_and_by_nobody_later() {
        let (stage, one) = (Stage::default(), id(1));
        let (first, second) = (stage.request(&one), stage.request(&one));
        stage.answer(Err(()));
        assert!(first.await.is_err());
        let mut later = stage.request(&one);
        assert!(second.await.is_err());
        assert_eq!(stage.begun.get(), 1);
        assert!(later.as_mut().now_or_never().is_none());
        stage.answer(Ok(2));
        assert_eq!((later.await.unwrap(), stage.begun.get()), (2, 2));
    }

    #[tokio::test]
    async fn a_request_that_hangs_up_leaves_its_turn_to_the_next() {
        let (stage, one) = (Stage::default(), id(1));
        let (first, mut second) = (stage.request(&one), stage.request(&one));
        drop((first, stage.answers.borrow_mut().remove(0)));
        assert!(second.as_mut().now_or_never().is_none());
        stage.answer(Ok(2));
        assert_eq!((second.await.unwrap(), stage.begun.get()), (2, 2));
        assert!(stage.reads.0.lock().is_empty());
    }

    #[test]
    fn requests_that_end_at_the_same_time_leave_nothing_behind() {
        let (reads, met) = (Reads::<u32>::default(), AtomicUsize::new(0));
        let work = || {
            // Spins, so that both threads go on within nanoseconds. Yields if the other one has no processor.
            let mut meetings = 0;
            let mut meet = || {
                meetings += 2;
                met.fetch_add(1, SeqCst);
                let mut spins = 0;
                while met.load(SeqCst) < meetings {
                    spins += 1;
                    if spins % 1_000 == 0 { std::thread::yield_now() } else { std::hint::spin_loop() }
                }
            };
            for round in 0..20_000 {
                let share = reads.enter(&[1; ID_LENGTH]);
                meet();
                drop(share);
                meet();
                assert!(reads.0.lock().is_empty(), "round {round}");
                meet();
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(work);
            scope.spawn(work);
        });
    }

    #[tokio::test]
    async fn sessions_do_not_wait_for_each_other() {
        let (stage, one, two) = (Stage::default(), id(1), id(2));
        let (first, second) = (stage.request(&one), stage.request(&two));
        assert_eq!(stage.begun.get(), 2);
        stage.answer(Ok(1));
        stage.answer(Ok(2));
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 2));
    }
}
