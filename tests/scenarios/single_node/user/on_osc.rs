//! An app that runs on OSC. OSC provides its host name, but not a customer's own domain.

use http::{Method, StatusCode};
use mock_osc::MockOsc;
use osc_tests::{Browser, NodeSetup, Sample, SampleNode, location, refusal};

const GIVEN: &str = "abc123.apps.osaas.io";
const OWN: &str = "shop.example";

async fn app_on_osc(osc: &MockOsc) -> SampleNode {
    let setup = NodeSetup::new(Sample::Axum, osc, 3000, "memory:").with("PUBLIC_URL", "");
    setup.with("OSC_HOSTNAME", GIVEN).start().await
}

#[tokio::test]
async fn osc_hostname_sets_the_redirect_uri() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    let node = app_on_osc(&osc).await;
    let mut browser = Browser::new(node.app()).at(GIVEN);
    let headers = [("x-forwarded-proto", "https"), ("x-forwarded-host", GIVEN), ("accept", "text/html")];
    let answer = browser.send(Method::GET, "/auth/signin", &headers).await;
    let to = location(&answer);
    assert!(to.contains("redirect_uri=https%3A%2F%2Fabc123.apps.osaas.io%2Fauth%2Fcallback"), "{to}");
    let cookies = browser.cookies();
    assert!(cookies.keys().all(|name| name.starts_with("__Host-")), "{cookies:?}");
}

#[tokio::test]
async fn an_unknown_domain_gets_a_page_that_names_the_setting() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    let node = app_on_osc(&osc).await;
    let mut browser = Browser::new(node.app()).at(GIVEN);
    for _ in 0..3 {
        let headers = [("x-forwarded-host", OWN), ("accept", "text/html")];
        let answer = browser.send(Method::GET, "/auth/signin", &headers).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(refusal(&answer), (500, "misconfigured".to_owned()));
        let page = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(page.contains(OWN) && page.contains("PUBLIC_URL"), "{page}");
    }
    let hostile = [("x-forwarded-host", "<script>alert(1)</script>"), ("accept", "text/html")];
    let answer = browser.send(Method::GET, "/auth/signin", &hostile).await;
    assert!(!String::from_utf8_lossy(answer.body()).contains("<script"));
    node.wrote("https://shop.example").await;
    assert_eq!(node.log().matches("which PUBLIC_URL does not name").count(), 1, "{}", node.log());
}
