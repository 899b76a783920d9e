//! Every page offers a way on.

use http::Method;
use mock_osc::MockOsc;
use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::{Answer, Browser, EXPIRED, Stage, app, callback, first_link, refusal, soon};

use super::text_of;

/// Returns the buttons of a page: label and target.
fn buttons(answer: &Answer) -> Vec<(String, String)> {
    let page = text_of(answer);
    let links = page.split("<a class=\"button").skip(1).map(|link| {
        let label = link.split_once('>').and_then(|(_, rest)| rest.split_once("</a>")).expect("a label").0;
        (label.to_owned(), first_link(link))
    });
    links.collect()
}

#[track_caller]
fn offers(answer: &Answer, error: &str, expected: &[(&str, &str)]) {
    assert_eq!(refusal(answer).1, error);
    let buttons = buttons(answer);
    let shown: Vec<_> = buttons.iter().map(|(label, target)| (label.as_str(), target.as_str())).collect();
    assert_eq!(shown, expected, "{error}");
}

fn below_app(osc: &MockOsc) -> OscAuthLayerBuilder {
    OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .public_url("http://localhost:3000/app")
}

const APP: (&str, &str) = ("Go to the app", "/app/");

#[tokio::test]
async fn dead_ends_lead_to_the_app() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&below_app(&osc).build().unwrap()));
    offers(&browser.navigate("/auth/signout").await, "method_not_allowed", &[APP]);
    let post = browser.send(Method::POST, "/auth/signin", &[("accept", "text/html")]).await;
    offers(&post, "method_not_allowed", &[APP]);
    offers(&browser.post_from("cross-site", "/auth/signout").await, "forbidden", &[APP]);

    let path = callback(&mut browser, &osc).await;
    let path = path.strip_prefix("/app").unwrap();
    let declined = browser.navigate(&path.replace("code=", "error=access_denied&x=")).await;
    offers(&declined, "access_denied", &[("Sign in with OSC", "/app/auth/signin"), APP]);

    let mut nobody = Browser::new(app(&below_app(&osc).authorize(|_| false).build().unwrap()));
    let path = callback(&mut nobody, &osc).await;
    let refused = nobody.navigate(path.strip_prefix("/app").unwrap()).await;
    offers(&refused, "not_allowed", &[("Sign in with another account", "/app/auth/signin"), APP]);

    let elsewhere = OscAuthLayer::builder(OAuthClient::public("cli")).build().unwrap();
    let mut browser = Browser::new(app(&elsewhere)).at("app.example.com");
    offers(&browser.navigate("/auth/signin").await, "misconfigured", &[("Go to the app", "/")]);
}

#[tokio::test]
async fn an_outage_offers_to_try_the_same_page_again() {
    let store = MemoryStore::new();
    let mut stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer.store(store.clone())).await;
    store.go_down();
    let answer = soon(stage.browser.navigate("/auth/signin")).await;
    offers(&answer, "store_unavailable", &[("Try again", "/auth/signin")]);
    store.come_back();
    let mut stage = stage.sign_in().await;
    stage.pass(EXPIRED);
    stage.osc.stop_listening().await;
    let answer = soon(stage.browser.navigate("/reports/7?page=2")).await;
    offers(&answer, "temporarily_unavailable", &[("Try again", "/reports/7?page=2")]);
    // A form must not be sent again by a link.
    let answer = soon(stage.browser.post_from("same-origin", "/reports")).await;
    offers(&answer, "temporarily_unavailable", &[("Go to the app", "/")]);
}
