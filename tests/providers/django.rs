//! Django OAuth Toolkit.

use http::StatusCode;
use osc_tests::{refusal, soon};

use crate::hold_with;
use crate::provider::{Kind, Setup};
use crate::scenarios::declined;
use crate::stage::Stage;

hold_with! {
    Kind::Django;
    s06_a_foreign_or_missing_issuer_in_the_answer_is_refused
    s08_the_provider_wants_a_challenge
    s08_a_code_of_another_attempt_is_refused
    s18_a_client_with_its_secret_in_the_form
    s18_a_client_with_basic_whatever_its_id_and_secret_hold
    s18_a_public_client
    s28_the_provider_ends_the_session_when_a_refresh_token_is_spent_twice
    s31_sign_out_leaves_a_dead_refresh_token
    s40_hundreds_of_requests_at_expiry_make_one_grant_request
    s40_tokens_of_seconds_are_renewed_before_the_provider_refuses_them
    s41_a_session_outlives_its_refresh_tokens
    an_app_that_registers_itself
    an_app_that_registers_itself_where_only_basic_is_known
    an_app_that_registers_itself_as_a_public_client
    an_issuer_with_a_path
}

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
