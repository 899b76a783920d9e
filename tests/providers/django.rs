//! Django OAuth Toolkit.

use http::StatusCode;
use osc_tests::{refusal, soon};

use crate::hold_with;
use crate::provider::{Kind, Setup};
use crate::scenarios::declined;
use crate::stage::Stage;

hold_with!(Kind::Django);

/// Django announces `iss` but leaves it out of refusals, which RFC 9207 §2 does not allow. Anybody may have
/// sent such an answer, so the layer does not believe it.
#[tokio::test]
async fn s07_a_refusal_without_the_announced_issuer_is_rejected() {
    let mut stage = Stage::new(Setup::of(Kind::Django)).await;
    let callback = declined(&mut stage).await;
    assert!(!callback.contains("iss="), "Django sends iss in refusals now: use the test of oidc-provider");
    let answer = soon(stage.browser.navigate(&callback)).await;
    assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()));
    assert_eq!(stage.fetch().await.status(), StatusCode::UNAUTHORIZED);
    stage.sign_in().await;
}

/// Django also ends the old access token at a refresh. A handler that still holds it asks for a newer token.
#[tokio::test]
async fn a_token_ended_by_a_refresh_is_replaced_without_another() {
    let stage = Stage::signed_in(Setup::of(Kind::Django)).await;
    let held = stage.token().await;
    stage.expire().await;
    let newer = stage.token().await;
    assert_eq!(stage.provider.user_of(held.access_token()).await, None);

    let replaced = soon(held.session().refresh(&held)).await.unwrap();

    assert_eq!(replaced.access_token(), newer.access_token());
    stage.assert_live(&replaced).await;
    assert_eq!(stage.provider.refreshes().await, 1);
}
