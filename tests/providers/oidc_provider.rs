//! `oidc-provider`, certified by the OpenID Foundation.

use http::StatusCode;
use osc_tests::{parameter, refusal, soon};

use crate::hold_with;
use crate::provider::{Kind, Setup};
use crate::scenarios::declined;
use crate::stage::Stage;

hold_with! {
    Kind::OidcProvider;
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

/// The provider names itself in its refusals too (RFC 9207 §2).
#[tokio::test]
async fn s07_a_visitor_who_declines_is_told_so() {
    let mut stage = Stage::new(Setup::of(Kind::OidcProvider)).await;
    let callback = declined(&mut stage).await;
    assert_eq!(parameter(&callback, "iss"), stage.provider.issuer());
    let answer = soon(stage.browser.navigate(&callback)).await;
    assert_eq!(refusal(&answer), (401, "access_denied".to_owned()));
    assert_eq!(stage.fetch().await.status(), StatusCode::UNAUTHORIZED);
}

/// Pushed requests are on by default there, and the layer takes the offer (RFC 9126).
#[tokio::test]
async fn sign_in_requests_are_pushed() {
    let stage = Stage::signed_in(Setup::of(Kind::OidcProvider)).await;
    let pushed = stage.provider.asked("pushed_authorization_request").await;
    assert_eq!(pushed.len(), 1);
    assert_eq!((pushed[0]["status"].as_u64(), pushed[0]["proof"].as_str()), (Some(201), Some("post")));
}
