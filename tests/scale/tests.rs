use std::time::Duration;

use osc_auth_layer::Clock;

use crate::clock::VirtualClock;
use crate::paper::{self, LIFETIME};
use crate::provider::Provider;
use crate::run::Course;
use crate::simulate;
use crate::tally::{Event, Tally};

/// So few users that a debug build takes seconds.
const FEW: usize = 25_000;

#[test]
fn a_small_crowd_keeps_its_sessions_and_agrees_with_paper() {
    for course in simulate(FEW) {
        assert_eq!(course.failures, [""; 0], "{:?}", course.kind);
        let refreshes = course.steady.mean(Event::Refreshed) * FEW as f64;
        assert!((0.6..1.4).contains(&(refreshes / paper::refreshes())), "{:?}: {refreshes}", course.kind);
        let refused = Course::refused(&course.outage) - paper::refused();
        assert!(refused.abs() < 0.1, "{:?}: {refused}", course.kind);
        let (in_memory, on_paper) = (course.in_memory * FEW, paper::in_memory(course.kind));
        assert!((0.95..1.05).contains(&(in_memory as f64 / on_paper)), "{:?}: {in_memory}", course.kind);
        assert!(course.recovered_after() > Some(0), "{:?}", course.kind);
    }
}

async fn provider() -> (VirtualClock, Tally, Provider) {
    let clock = VirtualClock::default();
    let tally = Tally::new(clock.clone());
    let provider = Provider::start(clock.clone(), tally.clone(), 1, 1).await;
    (clock, tally, provider)
}

#[tokio::test]
async fn the_provider_notices_a_token_that_is_spent_twice() {
    let (clock, tally, provider) = provider().await;
    let _ = provider.sign_in(0);
    clock.move_to(LIFETIME * 1000);
    assert!(provider.refresh("0.1").is_some() && tally.failures().is_empty());
    assert!(provider.refresh("0.1").is_none());
    assert_eq!(tally.failures(), ["user 0 spent a refresh token twice"]);
}

#[tokio::test]
async fn the_provider_notices_a_refresh_before_its_time() {
    let (_clock, tally, provider) = provider().await;
    let _ = provider.sign_in(0);
    assert!(provider.refresh("0.1").is_some());
    assert_eq!(tally.failures().len(), 1);
}

#[tokio::test]
async fn sleeps_end_when_the_clock_is_moved_to_their_end() {
    let clock = VirtualClock::default();
    let mut sleep = clock.sleep(Duration::from_secs(2));
    assert!(futures_util::poll!(&mut sleep).is_pending());
    assert_eq!((clock.next_end(), clock.refreshes_under_way()), (Some(2000), 1));
    clock.move_to(1999);
    assert!(futures_util::poll!(&mut sleep).is_pending());
    clock.move_to(2000);
    sleep.await;
    assert_eq!((clock.next_end(), clock.refreshes_under_way()), (None, 0));
}
