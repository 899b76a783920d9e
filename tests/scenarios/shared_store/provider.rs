//! Self-registered clients on several nodes.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::test_util::{MemoryStore, TestToken};
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::{App, Browser, QuickClock, app, callback, location, parameter, refusal, soon, token_of};

const HOUR: Duration = Duration::from_secs(3600);
const KEY: [u8; 32] = *b"a cookie key that all nodes have";

struct Cluster {
    osc: MockOsc,
    clock: QuickClock,
    store: MemoryStore,
}

impl Cluster {
    async fn new(osc: mock_osc::MockOscBuilder) -> Self {
        let clock = QuickClock::new();
        let store = MemoryStore::with_clock(clock.clone());
        Self { osc: osc.start().await.expect("the mock starts"), clock, store }
    }

    fn builder(&self) -> OscAuthLayerBuilder {
        let layer = OscAuthLayer::builder(OAuthClient::register("My app")).issuer(self.osc.issuer());
        layer.public_url("http://localhost:3000").clock(self.clock.clone()).store(self.store.clone())
    }

    fn node(&self) -> App {
        app(&self.builder().cookie_key(KEY).build().expect("it builds"))
    }
}

fn client_of_last(osc: &MockOsc) -> String {
    let request = osc.requests(Endpoint::Token).pop().expect("a token request");
    request.field("client_id").expect("in the body").to_owned()
}

#[tokio::test]
async fn nodes_share_one_registration() {
    let cluster = Cluster::new(MockOsc::builder()).await;
    let (one, other) = (cluster.node(), cluster.node());
    let mut browser = Browser::new(one);
    let callback = callback(&mut browser, &cluster.osc).await;
    browser.switch_app(other);
    let landed = browser.navigate(&callback).await;
    assert_eq!(landed.status(), StatusCode::SEE_OTHER, "{landed:?}");
    assert_eq!(location(&landed), "/");

    // A node refreshes the token that has never registered or looked up a client.
    cluster.clock.advance(HOUR);
    browser.switch_app(cluster.node());
    let token = token_of(&soon(browser.fetch("/")).await).expect("refreshed");
    assert!(cluster.osc.is_live(token.access_token()));
    // A third node begins sign-ins with the same client.
    let mut visitor = Browser::new(cluster.node());
    visitor.sign_in(&cluster.osc).await;
    assert_eq!(cluster.osc.count(Endpoint::Register), 1);
}

#[tokio::test]
async fn concurrent_registrations_agree_on_the_first_in_the_store() {
    let cluster = Cluster::new(MockOsc::builder()).await;
    let hold = cluster.osc.hold(Endpoint::Register);
    let sign_ins: Vec<_> = (0..3)
        .map(|_| {
            let mut browser = Browser::new(cluster.node());
            tokio::spawn(async move { browser.begin_sign_in("/auth/signin").await })
        })
        .collect();
    soon(hold.arrived(3)).await;
    hold.release();
    let begun = join_all(sign_ins).await;
    let ids: Vec<_> = begun.iter().map(|url| parameter(url.as_ref().unwrap(), "client_id")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn s55_a_renewed_registration_keeps_the_sessions_of_the_old_one_on_every_node() {
    let cluster = Cluster::new(MockOsc::builder().registered_secret_ttl(10 * HOUR)).await;
    let mut old = Browser::new(cluster.node());
    old.sign_in(&cluster.osc).await;
    let old_client = client_of_last(&cluster.osc);
    cluster.clock.advance(HOUR * 10 - Duration::from_secs(300));
    let mut new = Browser::new(cluster.node());
    assert_eq!(new.sign_in(&cluster.osc).await.status(), StatusCode::SEE_OTHER);
    assert_ne!(client_of_last(&cluster.osc), old_client);
    assert_eq!(cluster.osc.count(Endpoint::Register), 2);
    old.switch_app(cluster.node());
    assert!(token_of(&soon(old.fetch("/")).await).is_some());
    assert_eq!(client_of_last(&cluster.osc), old_client);
}

#[tokio::test]
async fn s17_a_registration_expired_by_a_nodes_clock_completes_sign_in() {
    let cluster = Cluster::new(MockOsc::builder().registered_secret_ttl(HOUR)).await;
    cluster.clock.advance(2 * HOUR);
    let mut browser = Browser::new(cluster.node());
    let callback = callback(&mut browser, &cluster.osc).await;
    assert_eq!(cluster.osc.count(Endpoint::Register), 1);
    cluster.clock.advance(Duration::from_secs(540));
    browser.switch_app(cluster.node());
    let landed = browser.navigate(&callback).await;
    assert_eq!(landed.status(), StatusCode::SEE_OTHER, "{landed:?}");
    assert_eq!(cluster.osc.count(Endpoint::Register), 1);
}

#[tokio::test]
async fn s25_a_dump_of_the_store_yields_no_registered_secret() {
    let cluster = Cluster::new(MockOsc::builder()).await;
    let mut browser = Browser::new(cluster.node());
    browser.sign_in(&cluster.osc).await;
    let request = cluster.osc.requests(Endpoint::Token).pop().expect("the exchange");
    let secret = request.field("client_secret").expect("a confidential client");
    let dump = cluster.store.dump();
    assert!(dump.len() > 100 && secret.len() > 8);
    assert!(!osc_tests::holds(&dump, secret.as_bytes()));
}

#[tokio::test]
async fn a_registration_that_no_key_opens_is_replaced() {
    let cluster = Cluster::new(MockOsc::builder()).await;
    let mut browser = Browser::new(cluster.node());
    browser.sign_in(&cluster.osc).await;
    for _ in 0..2 {
        let another_key = cluster.builder().cookie_key([7; 32]).build().expect("it builds");
        let mut visitor = Browser::new(app(&another_key));
        assert_eq!(visitor.sign_in(&cluster.osc).await.status(), StatusCode::SEE_OTHER);
        assert_eq!(cluster.osc.count(Endpoint::Register), 2);
    }
    assert!(token_of(&soon(browser.fetch("/")).await).is_some());
}

#[tokio::test]
async fn a_store_outage_fails_one_sign_in_and_the_next_works() {
    let cluster = Cluster::new(MockOsc::builder()).await;
    let mut browser = Browser::new(cluster.node());
    cluster.store.go_down();
    let answer = soon(browser.navigate("/auth/signin")).await;
    assert_eq!(refusal(&answer), (503, "store_unavailable".to_owned()));
    assert_eq!(cluster.osc.count(Endpoint::Register), 0);
    cluster.store.come_back();
    assert_eq!(browser.sign_in(&cluster.osc).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_unstored_registration_is_shared_at_the_next_sign_in() {
    let cluster = Cluster::new(MockOsc::builder()).await;
    let app = cluster.node();
    for _ in 0..3 {
        let hold = cluster.osc.hold(Endpoint::Register);
        let mut browser = Browser::new(app.clone());
        let sign_in = tokio::spawn(async move { browser.navigate("/auth/signin").await });
        if cluster.osc.count(Endpoint::Register) == 0 {
            soon(hold.arrived(1)).await;
            cluster.store.go_down();
        }
        drop(hold);
        let answer = soon(sign_in).await.unwrap();
        assert_eq!(refusal(&answer), (503, "store_unavailable".to_owned()));
    }
    cluster.store.come_back();
    let mut browser = Browser::new(app);
    assert_eq!(browser.sign_in(&cluster.osc).await.status(), StatusCode::SEE_OTHER);
    let mut other = Browser::new(cluster.node());
    assert_eq!(other.sign_in(&cluster.osc).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(cluster.osc.count(Endpoint::Register), 1);
}

#[tokio::test]
async fn huge_timeouts_mean_no_timeout() {
    let layer = OscAuthLayer::builder(OAuthClient::public("cli")).cookie_key(KEY).store(MemoryStore::new());
    let layer = layer.idle_timeout(Duration::MAX).absolute_timeout(Duration::MAX).build().expect("it builds");
    layer.sign_in_for_test(TestToken::new("pat")).await;
}

#[test]
fn with_a_store_a_short_secret_needs_a_cookie_key() {
    let with = |client| OscAuthLayer::builder(client).store(MemoryStore::new());
    for client in [
        OAuthClient::register("My app"),
        OAuthClient::public("cli"),
        OAuthClient::confidential("id", "under 32 characters"),
    ] {
        let error = with(client.clone()).build().unwrap_err().to_string();
        assert!(error.starts_with("COOKIE_KEY / cookie_key is not set. "), "{error}");
        assert!(with(client).cookie_key(KEY).build().is_ok());
    }
    assert!(with(OAuthClient::confidential("id", "a secret of 32 characters or more")).build().is_ok());
}
