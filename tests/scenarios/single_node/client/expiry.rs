//! How long tokens are used.

use std::time::Duration;

use mock_osc::{Endpoint, ExpiryForm, Fault, MockOsc};
use osc_auth_layer::ContextErrorKind;
use osc_tests::{ADSERVER, AHEAD, Asked, EXPIRED, MINIO, Stage, soon};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// Returns a provider whose tokens outlast the test, so that only service access tokens expire.
fn lasting() -> mock_osc::MockOscBuilder {
    MockOsc::builder().token_ttl(24 * HOUR)
}

#[tokio::test]
async fn a_service_access_token_is_used_until_a_minute_before_it_expires_and_then_replaced_once() {
    let jwt =
        [ExpiryForm::Seconds, ExpiryForm::Absent, ExpiryForm::MillisecondsLeft].map(|form| (form, false));
    let opaque = [
        ExpiryForm::Seconds,
        ExpiryForm::Milliseconds,
        ExpiryForm::SecondsLeft,
        ExpiryForm::MillisecondsLeft,
    ]
    .map(|form| (form, true));
    for (form, is_opaque) in jwt.into_iter().chain(opaque) {
        let stage = Stage::with(lasting().expiry_form(form), |layer| layer).await;
        stage.osc.set_opaque_service_tokens(is_opaque);
        let osc = stage.context().await;
        let adserver = osc.service(ADSERVER);
        soon(adserver.list_instances()).await.unwrap();
        let first = soon(adserver.access_token()).await.unwrap();
        let left = first.expires_at().duration_since(osc_auth_layer::Clock::now(&stage.clock)).unwrap();
        assert!(left.abs_diff(HOUR) < MINUTE / 6, "{form:?}: {left:?}");

        stage.pass(HOUR - MINUTE - MINUTE / 6);
        soon(adserver.list_instances()).await.unwrap();
        assert_eq!(stage.asked().tokens, 1, "{form:?}: it was still good");
        stage.pass(MINUTE / 3);
        for _ in 0..2 {
            soon(adserver.list_instances()).await.unwrap();
        }

        assert_eq!(
            stage.asked(),
            Asked { lists: 1, tokens: 2, instances: 4, ..Asked::nothing() },
            "{form:?}"
        );
        assert_ne!(first.token(), soon(adserver.access_token()).await.unwrap().token());
    }
}

#[tokio::test]
async fn a_token_without_expiry_is_used_for_a_few_minutes() {
    let stage = Stage::with(lasting().expiry_form(ExpiryForm::Absent).opaque_service_tokens(), |layer| layer);
    let stage = stage.await;
    let osc = stage.context().await;
    for _ in 0..20 {
        soon(osc.service(ADSERVER).list_instances()).await.unwrap();
        stage.pass(MINUTE);
    }
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 5, instances: 20, ..Asked::nothing() });
}

#[tokio::test]
async fn a_short_lived_token_is_used_for_most_of_its_life() {
    let stage = Stage::with(lasting().service_token_ttl(MINUTE), |layer| layer).await;
    let osc = stage.context().await;
    for _ in 0..60 {
        soon(osc.service(ADSERVER).list_instances()).await.unwrap();
        stage.pass(Duration::from_secs(10));
    }
    assert_eq!(stage.asked().instances, 60, "no dead token was sent");
    assert!((10..=16).contains(&stage.asked().tokens), "{:?}", stage.asked());
}

#[tokio::test]
async fn a_token_that_arrives_expired_is_not_requested_every_call() {
    for expiry in [json!(1_000_000_000), json!(0), json!(-7), json!("never"), json!({}), Value::Null] {
        let stage = Stage::with(lasting().opaque_service_tokens(), |layer| layer).await;
        stage.osc.set_service_token_field("expiry", expiry.clone());
        let osc = stage.context().await;
        for _ in 0..10 {
            soon(osc.service(ADSERVER).list_instances()).await.unwrap();
        }
        assert_eq!(stage.asked().tokens, 1, "{expiry}");
    }
}

#[tokio::test]
async fn a_personal_access_token_that_expires_between_calls_is_refreshed_first() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let before = soon(osc.token_balance()).await.unwrap();
    stage.pass(EXPIRED);
    assert_eq!(soon(osc.token_balance()).await.unwrap(), before);
    assert_eq!((stage.refreshes(), stage.asked().others), (1, 2), "the expired one was not sent");
}

#[tokio::test]
async fn in_a_provider_outage_cached_service_tokens_still_work() {
    let stage = Stage::with(MockOsc::builder().service_token_ttl(10 * HOUR), |layer| layer).await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    soon(adserver.list_instances()).await.unwrap();
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(503, "60".to_owned()));

    soon(adserver.instance("mine").create(json!({}))).await.unwrap();
    assert_eq!(soon(adserver.list_instances()).await.unwrap().len(), 2);
    let error = soon(stage.clock.through_second_tries(osc.token_balance())).await.unwrap_err();
    assert_eq!(error.kind(), ContextErrorKind::Unavailable);
    assert!(error.retry_after().unwrap() >= MINUTE, "{:?}", error.retry_after());
    assert_eq!(
        soon(osc.service(MINIO).list_instances()).await.unwrap_err().kind(),
        ContextErrorKind::Unavailable
    );

    stage.osc.clear_faults();
    stage.pass(Duration::from_secs(120));
    soon(osc.token_balance()).await.unwrap();
}

#[tokio::test]
async fn a_soon_expiring_personal_token_is_refreshed_in_the_background() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    stage.pass(AHEAD);
    let hold = stage.osc.hold(Endpoint::Token);
    soon(osc.token_balance()).await.unwrap();
    soon(hold.arrived(1)).await;
}
