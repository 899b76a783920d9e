//! `check()` against providers that nobody wrote for it.

use osc_auth_layer::preflight::{Severity, Subject};
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::preflight;

use crate::provider::{Kind, Setup};
use crate::stage::Stage;

const WRONG: &str = "the secret of another app with enough letters";

pub(crate) async fn a_preflight_tells_right_settings_from_wrong_ones(kind: Kind) {
    let setup = Setup::of(kind);
    let stage = Stage::by_the_system_clock(setup).await;
    let report = preflight(&stage.layer, &[setup.client_secret()]).await;
    // A missing answer of a provider raises no alarm.
    assert!(report.findings().iter().all(|finding| finding.severity() == Severity::Unchecked), "{report}");
    assert!(!report.findings().iter().any(|finding| finding.subject() == Subject::Client), "{report}");

    let layer = |secret: &str, url: &str| {
        let client = OAuthClient::confidential(setup.client_id(), secret);
        let layer = OscAuthLayer::builder(client).issuer(stage.provider.issuer()).public_url(url);
        layer.scopes(setup.scopes().iter().copied()).build().expect("the test's layer builds")
    };
    let report = preflight(&layer(WRONG, "http://localhost:3000"), &[WRONG]).await;
    assert!(!report.is_ok() && report.findings()[0].subject() == Subject::Client, "{report}");

    let report = preflight(&layer(setup.client_secret(), "https://app.example.com"), &[]).await;
    let found = report.findings().iter().find(|finding| finding.subject() == Subject::RedirectUri);
    // Django asks for a login before it looks at the URI.
    let expected = if kind == Kind::Django { Severity::Unchecked } else { Severity::Error };
    assert_eq!(found.map(|finding| finding.severity()), Some(expected), "{report}");
}
