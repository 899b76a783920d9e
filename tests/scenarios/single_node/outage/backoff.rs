//! Backoff: the layer stops asking a provider that failed, for growing times or for as long as `Retry-After`
//! says.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, Fault};
use osc_tests::{EXPIRED, LEEWAY, Stage, error_of, retry_after};

const MOMENT: Duration = Duration::from_millis(10);

#[tokio::test]
async fn no_request_reaches_the_provider_during_backoff() {
    let mut stage = Stage::signed_in().await;
    stage.osc.fault(Endpoint::Token, Fault::Status(429));
    stage.pass(EXPIRED);
    for failure in 1..=8 {
        let answer = stage.fetch("/").await;
        assert_eq!(stage.refreshes(), failure);
        let wait = retry_after(&answer);
        // The pause doubles at each failure, up to a minute, and the jitter adds up to half of it.
        let doubled = Duration::from_secs((1 << (failure - 1)).min(60));
        let most = doubled.mul_f64(1.5) + Duration::from_secs(1);
        assert!(doubled <= wait && wait <= most, "failure {failure}: {wait:?}");

        stage.pass(doubled - MOMENT);
        for _ in 0..3 {
            let answer = stage.fetch("/").await;
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(error_of(&answer), "temporarily_unavailable");
        }
        assert_eq!(stage.refreshes(), failure, "asked too early");
        stage.pass(wait);
    }
}

#[tokio::test]
async fn retry_after_is_obeyed_and_passed_on() {
    for fault in [Fault::RetryAfter(429, "20".to_owned()), Fault::RetryAfter(503, "20".to_owned())] {
        let mut stage = Stage::signed_in().await;
        stage.osc.fault(Endpoint::Token, fault);
        stage.pass(EXPIRED);
        let answer = stage.clock.clone().through_second_tries(stage.browser.fetch("/")).await;
        let wait = retry_after(&answer);
        assert!((20..=30).contains(&wait.as_secs()), "{wait:?}");
        stage.osc.clear_faults();
        let asked = stage.refreshes();

        stage.pass(Duration::from_secs(19));
        assert_eq!(error_of(&stage.fetch("/").await), "temporarily_unavailable");
        assert_eq!(stage.refreshes(), asked);

        stage.pass(wait - Duration::from_secs(19));
        assert!(stage.osc.is_live(stage.token().await.access_token()));
    }
}

#[tokio::test]
async fn a_retry_after_of_years_is_capped() {
    let mut stage = Stage::signed_in().await;
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "999999999".to_owned()));
    stage.pass(EXPIRED);
    let wait = retry_after(&stage.fetch("/").await);
    assert!(wait <= Duration::from_secs(450), "{wait:?}");
}

#[tokio::test]
async fn a_success_resets_the_backoff() {
    let mut stage = Stage::signed_in().await;
    for _ in 0..2 {
        stage.osc.fault(Endpoint::Token, Fault::Status(429)).times(4);
        stage.pass(EXPIRED);
        let first = retry_after(&stage.fetch("/").await);
        assert!(first <= Duration::from_secs(2), "{first:?}");
        stage.pass(first);
        for _ in 0..3 {
            let wait = retry_after(&stage.fetch("/").await);
            stage.pass(wait);
        }
        stage.token().await;
    }
}

#[tokio::test]
async fn requests_with_a_valid_token_do_not_wait_during_backoff() {
    let mut stage = Stage::signed_in().await;
    let old = stage.token().await;
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "20".to_owned()));
    stage.pass(LEEWAY);
    assert_eq!(stage.token().await.access_token(), old.access_token());
    for _ in 0..10 {
        let answer = futures_util::FutureExt::now_or_never(stage.browser.fetch("/")).expect("it waits");
        assert_eq!(answer.status(), StatusCode::OK);
    }
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn an_outage_of_a_week_loses_no_active_session() {
    let mut stage = Stage::signed_in().await;
    stage.osc.fault(Endpoint::Token, Fault::Status(503));
    for _ in 0..14 {
        stage.pass(Duration::from_secs(12 * 3600));
        let answer = stage.clock.clone().through_second_tries(stage.browser.fetch("/")).await;
        assert_eq!(error_of(&answer), "temporarily_unavailable");
    }
    stage.osc.clear_faults();
    stage.pass(Duration::from_secs(90));
    assert!(stage.osc.is_live(stage.token().await.access_token()));
}
