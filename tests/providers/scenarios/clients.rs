//! Client authentication, and how the layer finds the provider's endpoints.

use osc_auth_layer::OAuthClient;
use osc_auth_layer::test_util::TestClock;

use crate::provider::{Kind, Proof, Provider, Setup};
use crate::stage::Stage;

/// Signs in, refreshes and signs out. Each request must authenticate with this method, and the provider must
/// accept it.
async fn all_requests(mut stage: Stage, proof: &str) -> Provider {
    stage.sign_in().await;
    let first = stage.token().await;
    stage.assert_live(&first).await;
    stage.clock.set(first.expires_at());
    let second = stage.token().await;
    assert_ne!(second.access_token(), first.access_token());
    stage.assert_live(&second).await;
    stage.sign_out().await;
    assert_eq!(stage.provider.user_of(second.access_token()).await, None);

    let token = stage.provider.asked("token").await;
    let grants: Vec<_> =
        token.iter().map(|request| request["grant_type"].as_str().unwrap_or_default()).collect();
    assert_eq!(grants, ["authorization_code", "refresh_token"]);
    let revocation = stage.provider.asked("revocation").await;
    assert_eq!(revocation.len(), 1);
    for request in token.iter().chain(&revocation) {
        assert_eq!(
            (request["status"].as_u64(), request["proof"].as_str()),
            (Some(200), Some(proof)),
            "{request}"
        );
    }
    for answer in ["access_token", "refresh_token"] {
        assert!(!stage.browser.seen().contains(answer), "{answer}");
    }
    assert!(!stage.browser.seen().contains(second.access_token()));
    stage.provider
}

pub(crate) async fn s18_a_client_with_its_secret_in_the_form(kind: Kind) {
    all_requests(Stage::new(Setup::of(kind)).await, "post").await;
}

pub(crate) async fn s18_a_client_with_basic_and_special_characters(kind: Kind) {
    let setup = Setup { proof: Proof::Basic, ..Setup::of(kind) };
    all_requests(Stage::new(setup).await, "Basic").await;
}

pub(crate) async fn s18_a_public_client(kind: Kind) {
    let setup = Setup { proof: Proof::None, ..Setup::of(kind) };
    all_requests(Stage::new(setup).await, "none").await;
}

/// Registers a client that uses one authentication method, and uses it.
async fn registers(setup: Setup, proof: &str) {
    let clock = TestClock::new();
    let client = OAuthClient::register("An app that registers itself");
    let stage = Stage::with(setup, client, clock.clone(), |layer| layer.clock(clock)).await;
    let provider = all_requests(stage, proof).await;
    assert_eq!(provider.asked("registration").await.len(), 1);
}

pub(crate) async fn an_app_that_registers_itself(kind: Kind) {
    // Django registers every client for Basic, whatever it requests, and reports that (RFC 7591 §3.2.1).
    let proof = if kind == Kind::Django { "Basic" } else { "post" };
    registers(Setup::of(kind), proof).await;
}

pub(crate) async fn an_app_that_registers_itself_where_only_basic_is_known(kind: Kind) {
    registers(Setup { proof: Proof::Basic, ..Setup::of(kind) }, "Basic").await;
}

pub(crate) async fn an_app_that_registers_itself_as_a_public_client(kind: Kind) {
    registers(Setup { proof: Proof::None, ..Setup::of(kind) }, "none").await;
}

/// RFC 8414 §3.1: the well-known path goes between host and path. The provider serves no metadata elsewhere.
pub(crate) async fn an_issuer_with_a_path(kind: Kind) {
    let stage = Stage::new(Setup { path: "/tenant/one", ..Setup::of(kind) }).await;
    assert!(stage.provider.issuer().ends_with("/tenant/one"));
    all_requests(stage, "post").await;
}
