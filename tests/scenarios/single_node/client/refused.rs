//! Calls whose token is refused, or whose service was unsubscribed elsewhere.

use std::time::Duration;

use futures_util::future::join_all;
use mock_osc::{Endpoint, Fault, MockOsc, Recorded};
use osc_auth_layer::test_util::TestToken;
use osc_auth_layer::{ContextErrorKind, OscContext};
use osc_tests::{ADSERVER, Asked, Stage, soon, token_of};
use serde_json::json;

const HOUR: Duration = Duration::from_secs(3600);

fn bearer<'r>(request: &'r Recorded, name: &str) -> &'r str {
    request.header(name).unwrap_or_default()
}

#[tokio::test]
async fn a_dead_service_access_token_is_replaced_and_the_call_succeeds() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    soon(adserver.list_instances()).await.unwrap();
    stage.osc.revoke_service_tokens();
    assert_eq!(soon(adserver.list_instances()).await.unwrap().len(), 1);
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 2, instances: 3, ..Asked::nothing() });
    assert_eq!(stage.refreshes(), 0);
    let sent = stage.osc.requests(Endpoint::Instances);
    assert_ne!(bearer(&sent[1], "x-jwt"), bearer(&sent[2], "x-jwt"));
}

#[tokio::test]
async fn a_token_that_dies_under_many_callers_is_replaced_once() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    soon(adserver.list_instances()).await.unwrap();
    stage.osc.revoke_service_tokens();
    let answers = soon(join_all((0..300).map(|_| adserver.list_instances()))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().len() == 1));
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 2, instances: 601, ..Asked::nothing() });
}

#[tokio::test]
async fn a_create_is_resent_after_a_refused_token_and_creates_one() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    soon(adserver.list_instances()).await.unwrap();
    stage.osc.revoke_service_tokens();
    soon(adserver.instance("mine").create(json!({ "level": 1 }))).await.unwrap();
    assert_eq!(stage.osc.instances(ADSERVER), ["demo", "mine"]);
    assert_eq!(stage.osc.instance(ADSERVER, "mine").unwrap()["level"], 1);
}

#[tokio::test]
async fn a_service_that_refuses_every_token_is_asked_twice() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    stage.osc.fault(Endpoint::Instances, Fault::Status(401));
    let error = soon(adserver.list_instances()).await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ContextErrorKind::Refused, 401));
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 2, instances: 2, ..Asked::nothing() });
    assert_eq!(stage.refreshes(), 0);
    stage.osc.clear_faults();
    assert_eq!(soon(adserver.list_instances()).await.unwrap().len(), 1);
}

/// Refuses the next request with a personal access token, as if the token was revoked only at the platform.
fn refuse_once(stage: &Stage, endpoint: Endpoint) {
    stage.osc.fault(endpoint, Fault::Status(401)).once();
}

#[tokio::test]
async fn a_refused_personal_access_token_is_refreshed_once_and_the_call_succeeds() {
    for endpoint in [Endpoint::Catalog, Endpoint::ServiceToken] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        refuse_once(&stage, endpoint);
        assert_eq!(soon(osc.service(ADSERVER).list_instances()).await.unwrap().len(), 1, "{endpoint:?}");
        assert_eq!(stage.refreshes(), 1);
        let sent = stage.osc.requests(endpoint);
        assert_eq!(sent.len(), 2);
        assert_ne!(bearer(&sent[0], "x-pat-jwt"), bearer(&sent[1], "x-pat-jwt"));
        assert!(stage.osc.is_live(&bearer(&sent[1], "x-pat-jwt")["Bearer ".len()..]));
    }
}

#[tokio::test]
async fn a_personal_access_token_that_many_callers_see_refused_is_refreshed_once() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let old = bearer(&balance_request(&stage, &osc).await, "x-pat-jwt").to_owned();
    stage.osc.fault(Endpoint::Money, Fault::Status(401)).when(move |r| r.header("x-pat-jwt") == Some(&old));
    let answers = soon(join_all((0..100).map(|_| osc.token_balance()))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!((stage.refreshes(), stage.asked().others), (1, 201));
}

async fn balance_request(stage: &Stage, osc: &OscContext) -> Recorded {
    soon(osc.token_balance()).await.expect("a balance");
    stage.osc.requests(Endpoint::Money).pop().expect("a request")
}

#[tokio::test]
async fn a_refused_new_personal_token_is_not_retried_again() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    stage.osc.fault(Endpoint::Money, Fault::Status(401));
    assert_eq!(soon(osc.token_balance()).await.unwrap_err().kind(), ContextErrorKind::Refused);
    assert_eq!((stage.refreshes(), stage.asked().others), (1, 2));
}

#[tokio::test]
async fn when_the_grant_is_revoked_the_session_is_over() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    stage.osc.revoke_grants();
    assert_eq!(soon(adserver.list_instances()).await.unwrap_err().kind(), ContextErrorKind::SessionEnded);
    let asked = stage.asked();
    assert_eq!(soon(adserver.list_instances()).await.unwrap_err().kind(), ContextErrorKind::SessionEnded);
    assert_eq!(stage.asked(), asked);
    assert_eq!(soon(stage.browser.clone().fetch("/")).await.status(), 401);
}

#[tokio::test]
async fn a_platform_that_refuses_every_token_costs_one_refresh_a_minute() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    stage.osc.fault(Endpoint::Money, Fault::Status(401));
    for minute in 1..=3 {
        for _ in 0..10 {
            assert_eq!(soon(osc.token_balance()).await.unwrap_err().kind(), ContextErrorKind::Refused);
        }
        assert_eq!((stage.refreshes(), stage.asked().others), (minute, 11 * minute));
        stage.pass(Duration::from_secs(61));
    }
    stage.osc.clear_faults();
    soon(osc.token_balance()).await.unwrap();
}

#[tokio::test]
async fn an_unrefreshable_refused_token_is_reported_and_keeps_the_session() {
    let stage = Stage::signed_in().await;
    let mut browser = stage.browser_with(TestToken::new("not-a-token-of-the-platform")).await;
    let osc = token_of(&browser.fetch("/").await).unwrap().context();
    for _ in 0..2 {
        let error = soon(osc.token_balance()).await.unwrap_err();
        assert_eq!(error.kind(), ContextErrorKind::Refused);
        assert_eq!(error.reason(), Some("invalid personal access token"));
    }
    assert_eq!((stage.refreshes(), browser.fetch("/").await.status().as_u16()), (0, 200));
}

#[tokio::test]
async fn a_create_reactivates_a_service_unsubscribed_elsewhere() {
    for knows_a_dead_token in [true, false] {
        let stage = Stage::with(MockOsc::builder().token_ttl(24 * HOUR), |layer| layer).await;
        let osc = stage.context().await;
        let adserver = osc.service(ADSERVER);
        soon(adserver.list_instances()).await.unwrap();
        assert!(stage.osc.unsubscribe(ADSERVER));
        if !knows_a_dead_token {
            stage.pass(HOUR);
        }
        stage.osc.forget_requests();
        soon(adserver.instance("mine").create(json!({}))).await.unwrap();
        assert_eq!(stage.asked().activations, 1);
        assert_eq!(stage.osc.subscriptions(), [ADSERVER]);
    }
}

#[tokio::test]
async fn a_service_unsubscribed_elsewhere_is_reported_not_subscribed() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    soon(adserver.list_instances()).await.unwrap();
    stage.osc.unsubscribe(ADSERVER);
    for _ in 0..2 {
        let error = soon(adserver.list_instances()).await.unwrap_err();
        assert_eq!(error.kind(), ContextErrorKind::NotSubscribed);
    }
    assert_eq!((stage.asked().activations, stage.osc.subscriptions().len()), (0, 0));
}

#[tokio::test]
async fn activating_a_service_unsubscribed_elsewhere_subscribes_again() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    soon(osc.subscriptions()).await.unwrap();
    stage.osc.unsubscribe(ADSERVER);
    soon(osc.service(ADSERVER).subscribe()).await.unwrap();
    assert_eq!(stage.osc.subscriptions(), [ADSERVER]);
}

#[tokio::test]
async fn the_app_can_replace_a_service_access_token() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let old = soon(adserver.access_token()).await.unwrap();
    assert!(old.api_url().ends_with("/test-adserverinstance"));
    let newer = soon(adserver.refresh_access_token(&old)).await.unwrap();
    assert_ne!(newer.token(), old.token());
    let again = soon(adserver.refresh_access_token(&old)).await.unwrap();
    assert_eq!(again.token(), newer.token(), "there is a newer one already");
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 2, ..Asked::nothing() });
}

#[tokio::test]
async fn a_token_of_another_service_is_not_refreshed() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let old = soon(osc.service(ADSERVER).access_token()).await.unwrap();
    let before = stage.asked();
    for id in ["minio-minio", ".."] {
        let error = soon(osc.service(id).refresh_access_token(&old)).await.unwrap_err();
        assert_eq!(error.kind(), ContextErrorKind::InvalidInput, "{error}");
    }
    assert_eq!(stage.asked(), before);
}
