//! The end of an outage. Many sessions have waited for it and must not overload the provider.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::TestToken;
use osc_tests::{Browser, EXPIRED, Stage, error_of, retry_after, soon, token_of};

const SESSIONS: usize = 500;
const AT_ONCE: usize = 64;

/// Returns browsers with one session each.
async fn signed_in(stage: &Stage) -> Vec<Browser> {
    let mut browsers = Vec::new();
    for visitor in 0..SESSIONS {
        let token = TestToken::new(format!("pat-{visitor}")).refresh_token(format!("refresh-{visitor}"));
        browsers.push(stage.browser_with(token).await);
    }
    browsers
}

#[tokio::test]
async fn the_end_of_an_outage_lets_at_most_64_refreshes_loose_at_once() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let mut browsers = signed_in(&stage).await;
    // In the outage, all tokens expire, and every browser gets an error.
    stage.osc.stop_listening().await;
    stage.pass(EXPIRED);
    let answers = join_all(browsers.iter_mut().map(|browser| browser.fetch("/"))).await;
    assert!(answers.iter().all(|answer| error_of(answer) == "temporarily_unavailable"));
    assert!(browsers.iter().all(|browser| browser.cookies().len() == 1), "a session was lost");

    // The outage ends, and all browsers return at the same moment.
    stage.osc.resume_listening().await.unwrap();
    let answer = r#"{"access_token":"new","refresh_token":"next","expires_in":3600}"#.to_owned();
    stage.osc.fault(Endpoint::Token, Fault::Answer(200, "application/json", answer));
    stage.pass(Duration::from_secs(2));
    // One request checks whether the outage is over. After it, all requests may ask.
    let mut first = browsers.pop().expect("there are some");
    assert!(token_of(&soon(first.fetch("/")).await).is_some());
    assert_eq!(stage.refreshes(), 1);
    let mut hold = stage.osc.hold(Endpoint::Token);
    let mut requests = pin!(join_all(browsers.iter_mut().map(|browser| browser.fetch("/"))));
    assert!(requests.as_mut().now_or_never().is_none());
    let mut seen = 1;
    while seen < SESSIONS {
        let wave = AT_ONCE.min(SESSIONS - seen);
        soon(hold.arrived(wave)).await;
        seen += wave;
        // Any other requests of the same batch arrive before these answers.
        fence(&stage).await;
        assert_eq!(stage.refreshes(), seen);
        // The next requests are held before these are released.
        hold = stage.osc.hold(Endpoint::Token);
    }
    drop(hold);

    let answers = soon(requests).await;

    assert!(answers.iter().all(|answer| token_of(answer).is_some()));
    assert_eq!(stage.refreshes(), SESSIONS);
    assert_eq!(stage.osc.count(Endpoint::Metadata), 1, "fetched once for all");
}

#[tokio::test]
async fn in_an_outage_one_session_probes_and_the_others_do_not_wait() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let mut browsers = signed_in(&stage).await;
    stage.pass(EXPIRED);
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "1".to_owned()));
    for browser in &mut browsers[..3] {
        assert_eq!(error_of(&soon(browser.fetch("/")).await), "temporarily_unavailable");
    }
    assert_eq!(stage.refreshes(), 3);

    // Those three failures may have separate causes, so one of the others asks. The rest learn from its
    // failure.
    let answers = soon(join_all(browsers[3..].iter_mut().map(|browser| browser.fetch("/")))).await;
    assert!(answers.iter().all(|answer| error_of(answer) == "temporarily_unavailable"));
    assert_eq!(stage.refreshes(), 4);

    // After the delay, one request asks in the background, and the others do not wait for it.
    stage.pass(Duration::from_secs(2));
    let hold = stage.osc.hold(Endpoint::Token);
    let mut probe = browsers.pop().expect("there are some");
    let mut probing = pin!(probe.fetch("/"));
    assert!(probing.as_mut().now_or_never().is_none());
    soon(hold.arrived(1)).await;
    let answers = soon(join_all(browsers[3..].iter_mut().map(|browser| browser.fetch("/")))).await;
    assert!(answers.iter().all(|answer| error_of(answer) == "temporarily_unavailable"));
    assert_eq!(stage.refreshes(), 5);

    stage.osc.clear_faults();
    hold.release();
    soon(probing).await;
}

/// Makes round trips to the provider on a separate connection, so that earlier requests have arrived.
async fn fence(stage: &Stage) {
    let client = reqwest::Client::new();
    for _ in 0..5 {
        client.post(format!("{}/api/connect/revoke", stage.osc.issuer())).send().await.expect("an answer");
    }
}

#[tokio::test]
async fn sessions_that_failed_together_do_not_come_back_together() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let mut browsers = signed_in(&stage).await;
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "60".to_owned()));
    stage.pass(EXPIRED);
    let answers = join_all(browsers.iter_mut().map(|browser| browser.fetch("/"))).await;
    // The long pause applies only to the session that received it. The others only back off briefly.
    let (asked, others): (Vec<_>, Vec<_>) =
        answers.iter().map(retry_after).partition(|time| time.as_secs() >= 60);
    assert_eq!(asked.len(), stage.refreshes());
    let times: BTreeSet<_> = asked.iter().collect();
    assert!(times.len() > 20, "{times:?}");
    assert!(times.iter().all(|time| (60..=90).contains(&time.as_secs())), "{times:?}");
    assert!(others.iter().all(|time| time.as_secs() <= 2), "{others:?}");
}
