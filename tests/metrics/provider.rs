//! Requests to each endpoint of the provider, with every kind of answer.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, Fault, Hold, MockOsc};
use osc_tests::{EXPIRED, Stage, refusal, soon};

/// A revocation that the provider does not answer in time. The time limit is that of the system's clock.
pub(crate) struct Slow {
    stage: Stage,
    _hold: Hold,
}

pub(crate) async fn begin_a_timeout() -> Slow {
    let mut stage = Stage::signed_in().await;
    let hold = stage.osc.hold(Endpoint::Revoke);
    stage.browser.post_from("same-origin", "/auth/signout").await;
    soon(hold.arrived(1)).await;
    Slow { stage, _hold: hold }
}

pub(crate) async fn drive(slow: Slow) {
    at_a_sign_in().await;
    soon(slow.stage.layer.shutdown(Duration::from_secs(60 * 60))).await.expect("the revocation ends");
}

async fn at_a_sign_in() {
    let mut stage = Stage::before_sign_in(MockOsc::builder().par(true), |layer| layer).await;
    for fault in [Fault::Status(500), Fault::HangUp, Fault::Redirect("https://evil.example/".to_owned())] {
        stage.osc.fault(Endpoint::Par, fault).once();
        assert_eq!(refusal(&stage.browser.navigate("/auth/signin").await).1, "provider_unavailable");
    }
    stage.osc.fault(Endpoint::Par, Fault::OAuth("invalid_request")).once();
    assert_eq!(refusal(&stage.browser.navigate("/auth/signin").await).1, "misconfigured");
    assert_eq!(stage.browser.sign_in(&stage.osc).await.status(), StatusCode::SEE_OTHER);
    stage.osc.stop_listening().await;
    assert_eq!(refusal(&stage.browser.navigate("/auth/signin").await).1, "provider_unavailable");
    assert!(soon(stage.layer.shutdown(EXPIRED)).await.is_ok());
}
