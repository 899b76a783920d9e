//! Answers of the provider to a sign-in, and the checks of the layer.

use osc_tests::{parameter, refusal, soon};

use crate::provider::{CALLBACK, Kind, Setup};
use crate::stage::Stage;

/// RFC 9207 §2.4: such an answer does not come from the provider that the visitor was redirected to.
pub(crate) async fn s06_a_foreign_or_missing_issuer_in_the_answer_is_refused(kind: Kind) {
    let mut stage = Stage::new(Setup::of(kind)).await;
    let mut foreign = stage.callback().await;
    let iss: String = form_urlencoded::byte_serialize(stage.provider.issuer().as_bytes()).collect();
    assert_eq!(parameter(&foreign, "iss"), stage.provider.issuer());
    foreign = foreign.replace(&iss, "https%3A%2F%2Fevil.example");
    assert_eq!(parameter(&foreign, "iss"), "https://evil.example");
    let missing = stage.callback().await.replace("iss=", "no_iss=");
    for callback in [foreign, missing] {
        let answer = soon(stage.browser.navigate(&callback)).await;
        assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()), "{callback}");
    }
    assert!(stage.provider.asked("token").await.is_empty(), "the code was taken to the provider");
    stage.sign_in().await;
}

/// Signs the visitor in and declines. Returns path and query of the callback.
pub(crate) async fn declined(stage: &mut Stage) -> String {
    let authorize = soon(stage.browser.begin_sign_in("/auth/signin")).await;
    let callback = stage.person.decline(&authorize).await;
    assert_eq!(parameter(&callback, "error"), "access_denied");
    callback
}

/// The next scenario depends on this.
pub(crate) async fn s08_the_provider_requires_a_challenge(kind: Kind) {
    let mut stage = Stage::new(Setup::of(kind)).await;
    let endpoint = stage.provider.endpoint("authorization_endpoint").await;
    let callback: String = form_urlencoded::byte_serialize(CALLBACK.as_bytes()).collect();
    let bare =
        format!("{endpoint}?response_type=code&client_id=app&scope=read&state=s&redirect_uri={callback}");
    let answer = stage.person.allow(&bare).await;
    assert_eq!(parameter(&answer, "error"), "invalid_request");
}

/// RFC 9700 §4.5: a stolen code does not match the verifier of another sign-in.
pub(crate) async fn s08_a_code_of_another_attempt_is_refused(kind: Kind) {
    let mut stage = Stage::new(Setup::of(kind)).await;
    let stolen = parameter(&stage.callback().await, "code");
    let own = stage.callback().await;
    let injected = own.replace(&parameter(&own, "code"), &stolen);
    assert_ne!(injected, own);

    let answer = soon(stage.browser.navigate(&injected)).await;

    assert_eq!(refusal(&answer), (401, "sign_in_failed".to_owned()));
    let asked = stage.provider.asked("token").await;
    assert_eq!(asked.len(), 1);
    assert_ne!(asked[0]["status"], 200);
}
