//! One account's failures are not an outage. Other users notice nothing.

use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::TestToken;
use osc_tests::{Browser, EXPIRED, Stage, error_of, soon};

const HEALTHY: usize = 5;
const OF_ONE_ACCOUNT: [usize; 4] = [1, 6, 20, 70];
/// Longer than any test.
const HANGS: Duration = Duration::from_secs(3600);

fn faults() -> [Fault; 3] {
    [Fault::RetryAfter(429, "300".to_owned()), Fault::Status(500), Fault::Latency(HANGS)]
}

/// Returns a token like OSC's, whose claims name the user.
fn token(user: &str, number: usize) -> TestToken {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = format!(r#"{{"tenantId":"team","userId":"{user}","patId":"{number}"}}"#);
    TestToken::new(format!("e30.{}.{number}", URL_SAFE_NO_PAD.encode(claims)))
        .refresh_token(format!("refresh-{user}-{number}"))
}

/// Returns a token without readable claims.
fn opaque(user: &str, number: usize) -> TestToken {
    TestToken::new(format!("pat-{user}-{number}")).refresh_token(format!("refresh-{user}-{number}"))
}

struct Visitors {
    stage: Stage,
    troubled: Vec<Browser>,
    healthy: Vec<Browser>,
}

impl Visitors {
    /// Returns visitors whose tokens have expired. The provider fails in this way for one account and serves
    /// the others.
    async fn new(sessions: usize, trouble: Fault, token: fn(&str, usize) -> TestToken) -> Self {
        let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
        let (mut troubled, mut healthy) = (Vec::new(), Vec::new());
        for number in 0..sessions {
            troubled.push(stage.browser_with(token("ada", number)).await);
        }
        for number in 0..HEALTHY {
            healthy.push(stage.browser_with(token("grace", number)).await);
        }
        let is_adas = |request: &mock_osc::Recorded| {
            request.field("refresh_token").is_some_and(|token| token.contains("-ada-"))
        };
        stage.osc.fault(Endpoint::Token, trouble).when(is_adas);
        let served = r#"{"access_token":"new","refresh_token":"next","expires_in":3600}"#.to_owned();
        stage.osc.fault(Endpoint::Token, Fault::Answer(200, "application/json", served));
        stage.pass(EXPIRED);
        Self { stage, troubled, healthy }
    }

    /// Sends the failing account's requests. They are still running if the provider hangs.
    fn trouble(&self) -> impl Future<Output = Vec<osc_tests::Answer>> + use<> {
        join_all(self.troubled.clone().into_iter().map(|mut browser| async move { browser.fetch("/").await }))
    }

    async fn healthy_are_served(&mut self) {
        for browser in &mut self.healthy {
            let answer = soon(browser.fetch("/")).await;
            assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn s76_failing_sessions_of_one_user_affect_nobody_else() {
    for fault in faults() {
        for sessions in OF_ONE_ACCOUNT {
            let mut visitors = Visitors::new(sessions, fault.clone(), token).await;
            let clock = visitors.stage.clock.clone();
            let mut trouble = Box::pin(clock.through_second_tries(visitors.trouble()));
            if matches!(fault, Fault::Latency(_)) {
                let asked = sessions.min(64);
                let hanging = async {
                    visitors.stage.osc.wait_for_requests(Endpoint::Token, asked).await;
                    // Hanging refreshes release their permits to others.
                    clock.slept(SLOW..=SLOW, asked).await;
                };
                tokio::select! {
                    _ = &mut trouble => panic!("the provider does not hang"),
                    () = soon(hanging) => clock.advance(SLOW),
                }
            } else {
                soon(trouble).await;
            }
            visitors.healthy_are_served().await;
        }
    }
}

const SLOW: Duration = Duration::from_secs(2);

#[tokio::test]
async fn s76_failing_sessions_of_unknown_users_affect_nobody_else() {
    for fault in &faults()[..2] {
        for sessions in OF_ONE_ACCOUNT {
            let mut visitors = Visitors::new(sessions, fault.clone(), opaque).await;
            let clock = visitors.stage.clock.clone();
            for _ in 0..5 {
                // The requests fail repeatedly, each time after the announced pause.
                clock.through_second_tries(visitors.trouble()).await;
                clock.advance(Duration::from_secs(451));
            }
            clock.through_second_tries(visitors.trouble()).await;
            // With this many failures, one other session asks the provider as a check. Then one more step
            // must pass.
            if sessions > 64 {
                clock.advance(Duration::from_secs(90));
            }
            visitors.healthy_are_served().await;
        }
    }
}

#[tokio::test]
async fn s76_retry_after_applies_to_the_session_that_received_it() {
    let mut visitors = Visitors::new(6, Fault::RetryAfter(429, "300".to_owned()), opaque).await;
    for browser in &mut visitors.troubled {
        assert_eq!(error_of(&soon(browser.fetch("/")).await), "temporarily_unavailable");
    }
    // Some were refused without a request, because an outage was likely. That must not last for five minutes.
    visitors.stage.clock.advance(Duration::from_secs(2));
    visitors.healthy_are_served().await;
    let asked = visitors.stage.refreshes();
    for browser in &mut visitors.troubled[..3] {
        assert_eq!(error_of(&soon(browser.fetch("/")).await), "temporarily_unavailable");
    }
    assert_eq!(visitors.stage.refreshes(), asked, "asked again before the time the provider named");
}

#[tokio::test]
async fn s76_a_real_outage_costs_one_request_per_step() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let mut browsers = Vec::new();
    for number in 0..100 {
        browsers.push(stage.browser_with(token(&format!("user{number}"), number)).await);
    }
    stage.osc.fault(Endpoint::Token, Fault::Status(429));
    stage.pass(EXPIRED);
    for browser in &mut browsers {
        assert_eq!(error_of(&soon(browser.fetch("/")).await), "temporarily_unavailable");
    }
    assert_eq!(stage.refreshes(), 4, "three failures and one check");
    for step in 1..30 {
        // No step is longer than a minute and a half.
        stage.clock.advance(Duration::from_secs(92));
        for browser in &mut browsers {
            assert_eq!(error_of(&soon(browser.fetch("/")).await), "temporarily_unavailable");
        }
        assert_eq!(stage.refreshes(), 4 + step);
    }
    stage.osc.clear_faults();
}
