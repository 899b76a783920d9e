//! The nodes, and the properties that must hold for them.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::test_util::{MemoryStore, TestClock};
use osc_auth_layer::{Clock, OscAuthLayer, OscToken, SessionErrorKind};
use osc_tests::{Answer, App, Browser, app, error_of, layer_for, soon, token_of};

use super::shuffled::Shuffled;
use super::{NODES, Step, Trouble};

const TURN: Duration = Duration::from_millis(5);

/// A clock that the test moves. A sleep also takes a twentieth of its length in real time.
///
/// That time is counted in turns of the runtime. On a busy machine a turn takes longer, and so does a
/// timeout.
#[derive(Clone)]
struct Hasty(TestClock);

impl Clock for Hasty {
    fn now(&self) -> SystemTime {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            for _ in 0..(duration / 20).as_millis() / TURN.as_millis() {
                tokio::time::sleep(TURN).await;
            }
        })
    }
}

pub(super) struct Cluster {
    osc: MockOsc,
    clock: Hasty,
    store: MemoryStore,
    shuffled: Shuffled,
    nodes: Vec<App>,
    /// The visitor's browser, signed in or not.
    browser: Browser,
    signed_in: bool,
    /// Browsers that still have the cookie of an ended session.
    ended: Vec<Browser>,
    store_is_up: bool,
    /// True after a failure. Requests may then be asked to retry.
    troubled: bool,
    answers_get_lost: bool,
    /// The layers of all nodes so far, because their background work continues.
    layers: Vec<OscAuthLayer>,
}

impl Cluster {
    pub(super) async fn new(seed: u64, answers_get_lost: bool) -> Self {
        // Refresh tokens rotate. A second use after the grace period revokes the grant.
        let grace = Duration::from_secs(if answers_get_lost { 10 } else { 0 });
        let osc = MockOsc::builder().refresh_grace(grace).start().await.expect("the mock");
        let clock = Hasty(TestClock::new());
        let store = MemoryStore::with_clock(clock.clone());
        let shuffled = Shuffled::new(store.clone(), seed);
        let mut cluster = Self {
            browser: Browser::new(app(&layer_for(&osc).build().expect("it builds"))),
            osc,
            clock,
            store,
            shuffled,
            nodes: Vec::new(),
            signed_in: false,
            ended: Vec::new(),
            store_is_up: true,
            troubled: false,
            answers_get_lost,
            layers: Vec::new(),
        };
        cluster.nodes = (0..NODES).map(|_| cluster.node()).collect();
        cluster.sign_in(0).await;
        cluster
    }

    fn node(&mut self) -> App {
        let layer = layer_for(&self.osc).clock(self.clock.clone()).store(self.shuffled.clone());
        let layer = layer.build().expect("it builds");
        self.layers.push(layer.clone());
        app(&layer)
    }

    fn browser_at(&self, node: usize) -> Browser {
        let mut browser = self.browser.clone();
        browser.switch_app(self.nodes[node].clone());
        browser
    }

    pub(super) async fn take(&mut self, step: &Step) {
        match step {
            Step::Requests(nodes) => {
                for answer in self.requests(nodes).await {
                    self.check_answer(&answer);
                }
            }
            Step::Pass(time) => self.time_passes(*time).await,
            Step::SignOut(at, others) => self.sign_out(*at, others).await,
            Step::SignIn(at) => self.sign_in(*at).await,
            Step::Rejected(nodes) => self.rejected(nodes).await,
            Step::Restart(node) => self.nodes[*node] = self.node(),
            Step::Store(false) => {
                if self.answers_get_lost {
                    // The retry must not fail because of the store either.
                    self.osc.clear_faults();
                    self.refreshes_end().await;
                }
                self.store.go_down();
                (self.store_is_up, self.troubled) = (false, true);
            }
            Step::Store(true) => self.store_comes_back().await,
            Step::Rotated(node) => self.rotated_without_a_store(*node).await,
            Step::Word(false) => self.store.stop_notifications(),
            Step::Word(true) if self.store_is_up => self.store.resume_notifications(),
            Step::Word(true) => {}
            Step::Provider(trouble) => {
                let (fault, times) = match trouble {
                    Trouble::Overloaded => (Fault::Status(503), 4),
                    Trouble::TooMany => (Fault::RetryAfter(429, "5".to_owned()), 2),
                    Trouble::HangUp => (Fault::HangUp, 2),
                    Trouble::Html => (Fault::Html, 3),
                    Trouble::LostAnswer => (Fault::LostAnswer, 1),
                };
                // One failure at a time. Two lost answers in a row are the documented exception.
                self.osc.clear_faults();
                self.osc.fault(Endpoint::Token, fault).times(times);
                self.troubled = true;
            }
        }
    }

    async fn requests(&self, nodes: &[usize]) -> Vec<Answer> {
        let requests = nodes.iter().map(|node| {
            let mut browser = self.browser_at(*node);
            async move { browser.fetch("/").await }
        });
        soon(join_all(requests)).await
    }

    fn check_answer(&self, answer: &Answer) {
        match token_of(answer) {
            Some(token) => {
                assert!(self.signed_in, "a token without a session");
                self.check_token(&token);
            }
            None if self.signed_in => {
                assert!(self.troubled, "refused: {answer:?}");
                assert_eq!(error_of(answer), "temporarily_unavailable", "a session is lost");
            }
            None => {
                assert!(matches!(error_of(answer).as_str(), "unauthenticated" | "temporarily_unavailable"));
            }
        }
    }

    fn check_token(&self, token: &OscToken) {
        let is_good = token.expires_at() > self.clock.now();
        assert!(!is_good || self.osc.is_live(token.access_token()), "the grant was revoked: spent twice");
    }

    /// Moves time ahead, but never during a refresh. A lease that expires at the moment of sending is the
    /// documented exception.
    async fn time_passes(&self, time: Duration) {
        if self.store_is_up {
            self.refreshes_end().await;
            self.pass(time);
        } else if self.store.leases() == 0 {
            self.pass(time);
        }
    }

    async fn refreshes_end(&self) {
        let ended = async {
            while self.store_is_up && self.layers.iter().any(|layer| layer.tasks_under_way() > 0) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon(ended).await;
    }

    fn pass(&self, time: Duration) {
        self.osc.advance(time);
        self.clock.0.advance(time);
    }

    /// Signs in. The browser sends its old cookie, if it has one, and that session is replaced.
    async fn sign_in(&mut self, at: usize) {
        let old = self.browser.clone();
        let mut browser = self.browser_at(at);
        if !self.store_is_up {
            // A sign-in that could not be recorded does not begin.
            let answer = soon(browser.navigate("/auth/signin")).await;
            return assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        let answer = soon(browser.sign_in(&self.osc)).await;
        if answer.status() == StatusCode::SEE_OTHER {
            if self.signed_in {
                self.ended.push(old);
            }
            (self.browser, self.signed_in) = (browser, true);
        } else {
            assert!(self.troubled, "a sign-in failed: {answer:?}");
            let status = answer.status();
            assert!(matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE), "{status}");
        }
    }

    async fn sign_out(&mut self, at: usize, others: &[usize]) {
        if !self.signed_in {
            return;
        }
        let old = self.browser.clone();
        let mut browser = self.browser_at(at);
        let sign_out = browser.post_from("same-origin", "/auth/signout");
        // These requests get a token or not, depending on their order.
        let (answer, _) = tokio::join!(sign_out, self.requests(others));
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert!(browser.cookies().is_empty(), "the cookie is removed");
        (self.browser, self.signed_in) = (browser, false);
        self.ended.push(old);
    }

    async fn rejected(&self, nodes: &[usize]) {
        let answers = self.requests(nodes).await;
        let tokens: Vec<_> = answers.iter().filter_map(token_of).collect();
        let Some(rejected) = tokens.last() else {
            return;
        };
        let jobs = tokens.iter().map(|token| {
            let session = token.session();
            async move { session.refresh(rejected).await }
        });
        for newer in soon(join_all(jobs)).await {
            match newer {
                Ok(newer) => {
                    assert_ne!(newer.access_token(), rejected.access_token());
                    self.check_token(&newer);
                }
                // Another request forced a refresh a moment ago.
                Err(error) if error.kind() == SessionErrorKind::FreshTokenRejected => {}
                Err(error) => {
                    assert!(self.troubled, "{error}");
                    assert_eq!(error.kind(), SessionErrorKind::Unavailable);
                }
            }
        }
    }

    async fn rotated_without_a_store(&mut self, node: usize) {
        if !self.signed_in || !self.store_is_up || self.answers_get_lost {
            return;
        }
        self.time_passes(Duration::from_secs(60 * 60)).await;
        let hold = self.osc.hold(Endpoint::Token);
        let mut browser = self.browser_at(node);
        let mut request = Box::pin(async move { browser.fetch("/").await });
        // The layer may avoid a failing provider.
        let is_sent = tokio::select! {
            () = hold.arrived(1) => true,
            _ = &mut request => false,
        };
        if is_sent {
            self.troubled = true;
            self.store.go_down();
            hold.release();
            let answer = soon(request).await;
            assert!(token_of(&answer).is_none(), "a token before it was stored");
            self.store_comes_back().await;
        }
    }

    async fn store_comes_back(&mut self) {
        self.store.come_back();
        self.store_is_up = true;
        // The store hears of ended sessions within a moment. The layer decides how soon.
        let told = async {
            while self.store.sessions() > usize::from(self.signed_in) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon(told).await;
    }

    /// Checks that no node gives a token to an ended session.
    pub(super) async fn check(&self) {
        for ended in &self.ended {
            for node in &self.nodes {
                let mut browser = ended.clone();
                browser.switch_app(node.clone());
                let answer = soon(browser.fetch("/")).await;
                assert!(token_of(&answer).is_none(), "a session that ended is back");
            }
        }
    }

    /// Ends all failures. A session that nobody ended must then be valid on every node, and no other grant
    /// may be left.
    pub(super) async fn calm_down(mut self) {
        self.osc.clear_faults();
        self.store_comes_back().await;
        self.store.resume_notifications();
        // This is longer than any backoff for a failing provider, and the token expires.
        self.time_passes(Duration::from_secs(2 * 60 * 60)).await;
        let was_troubled = std::mem::take(&mut self.troubled);
        let all: Vec<_> = (0..NODES).cycle().take(3 * NODES).collect();
        for answer in self.requests(&all).await {
            self.check_answer(&answer);
        }
        self.check().await;
        if !was_troubled && self.ended.is_empty() {
            assert_eq!(self.osc.live_refresh_tokens(), 1);
        }
    }
}
