//! `oidc-provider`, certified by the OpenID Foundation.

use http::StatusCode;
use osc_tests::{parameter, refusal, soon};

use crate::hold_with;
use crate::provider::{Kind, Setup};
use crate::scenarios::declined;
use crate::stage::Stage;

hold_with!(Kind::OidcProvider);

/// The provider sends `iss` in refusals too (RFC 9207 §2).
#[tokio::test]
async fn s07_a_declined_consent_is_reported() {
    let mut stage = Stage::new(Setup::of(Kind::OidcProvider)).await;
    let callback = declined(&mut stage).await;
    assert_eq!(parameter(&callback, "iss"), stage.provider.issuer());
    let answer = soon(stage.browser.navigate(&callback)).await;
    assert_eq!(refusal(&answer), (401, "access_denied".to_owned()));
    assert_eq!(stage.fetch().await.status(), StatusCode::UNAUTHORIZED);
}

/// The provider offers pushed requests by default, and the layer uses them (RFC 9126).
#[tokio::test]
async fn sign_in_requests_are_pushed() {
    let stage = Stage::signed_in(Setup::of(Kind::OidcProvider)).await;
    let pushed = stage.provider.asked("pushed_authorization_request").await;
    assert_eq!(pushed.len(), 1);
    assert_eq!((pushed[0]["status"].as_u64(), pushed[0]["proof"].as_str()), (Some(201), Some("post")));
}
