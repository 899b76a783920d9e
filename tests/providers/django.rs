//! Django OAuth Toolkit.

use http::StatusCode;
use osc_tests::{refusal, soon};

use crate::hold_with;
use crate::provider::{Kind, Setup};
use crate::scenarios::declined;
use crate::stage::Stage;

hold_with!(Kind::Django);

/// It announces `iss` and leaves it out of its refusals (RFC 9207 §2 wants it there too), so anybody may have sent one.
/// What she declined is not hers either way.
#[tokio::test]
async fn s07_a_refusal_that_lacks_the_announced_issuer_is_not_believed() {
    let mut stage = Stage::new(Setup::of(Kind::Django)).await;
    let callback = declined(&mut stage).await;
    assert!(!callback.contains("iss="), "it names itself now: test it as the other provider is tested");
    let answer = soon(stage.browser.navigate(&callback)).await;
    assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()));
    assert_eq!(stage.fetch().await.status(), StatusCode::UNAUTHORIZED);
    stage.sign_in().await;
}

/// With the refresh token it ends the access token it came with: a handler that still holds that one asks for a newer.
#[tokio::test]
async fn a_token_that_a_refresh_has_ended_is_replaced_without_another_refresh() {
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
