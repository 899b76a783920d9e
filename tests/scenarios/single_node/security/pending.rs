//! The bindings of a sign-in in progress (row 49).

use std::time::Duration;

use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::test_util::TestClock;
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::{Browser, app, callback, layer_for, location, refusal};

const KEY: [u8; 32] = [1; 32];
const OTHER_KEY: [u8; 32] = [2; 32];

fn keyed(osc: &MockOsc, keys: &[[u8; 32]]) -> OscAuthLayerBuilder {
    keys.iter().fold(layer_for(osc), |layer, key| layer.cookie_key(*key))
}

fn built(builder: OscAuthLayerBuilder) -> osc_tests::App {
    app(&builder.build().expect("it builds"))
}

async fn is_refused(browser: &mut Browser, path: &str) {
    let answer = browser.navigate(path).await;
    assert_eq!(refusal(&answer), (400, "invalid_state".to_owned()));
}

#[tokio::test]
async fn s49_a_pending_sign_in_opens_on_every_node_that_has_the_key() {
    let osc = MockOsc::builder().start().await.unwrap();
    for (sealing, opening) in [
        (keyed(&osc, &[KEY]), keyed(&osc, &[KEY])),
        // A rotation: the new key seals, and the old key still opens.
        (keyed(&osc, &[KEY]), keyed(&osc, &[OTHER_KEY, KEY])),
        // Without a configured key, the layer derives one from the client secret.
        (layer_for(&osc), layer_for(&osc)),
    ] {
        let mut browser = Browser::new(built(sealing));
        let path = callback(&mut browser, &osc).await;
        browser.switch_app(built(opening));
        assert_eq!(location(&browser.navigate(&path).await), "/");
    }
}

#[tokio::test]
async fn s49_a_pending_sign_in_of_another_key_is_refused() {
    let osc = MockOsc::builder().start().await.unwrap();
    for (sealing, opening) in [
        (keyed(&osc, &[KEY]), keyed(&osc, &[OTHER_KEY])),
        (keyed(&osc, &[OTHER_KEY, KEY]), keyed(&osc, &[KEY])),
        (keyed(&osc, &[KEY]), layer_for(&osc)),
    ] {
        let mut browser = Browser::new(built(sealing));
        let path = callback(&mut browser, &osc).await;
        browser.switch_app(built(opening));
        is_refused(&mut browser, &path).await;
    }
    assert_eq!(osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn s49_a_short_secret_or_a_public_client_has_no_key_to_share() {
    let osc = MockOsc::builder()
        .client_secret("short")
        .public_client("cli", &["http://localhost:3000/auth/callback"]);
    let osc = osc.start().await.unwrap();
    let public = || {
        OscAuthLayer::builder(OAuthClient::public("cli"))
            .issuer(osc.issuer())
            .public_url("http://localhost:3000")
    };
    for (one, two) in [(layer_for(&osc), layer_for(&osc)), (public(), public())] {
        let one = built(one);
        let mut browser = Browser::new(one.clone());
        let path = callback(&mut browser, &osc).await;
        let mut elsewhere = browser.clone();
        elsewhere.switch_app(built(two));
        is_refused(&mut elsewhere, &path).await;
        assert_eq!(location(&browser.navigate(&path).await), "/");
    }
}

#[tokio::test]
async fn s49_an_altered_or_renamed_pending_sign_in_is_refused() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = built(layer_for(&osc));
    let mut browser = Browser::new(app.clone());
    let path = callback(&mut browser, &osc).await;
    let (name, value) = browser.cookies().first_key_value().map(|(n, v)| (n.clone(), v.clone())).unwrap();
    for at in [0, value.len() / 2, value.len() - 3] {
        let mut altered = value.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let mut browser = browser.clone();
        browser.set_cookie(&name, std::str::from_utf8(&altered).unwrap());
        is_refused(&mut browser, &path).await;
    }
    for cut in ["", "AAAA", &value[..value.len() - 4]] {
        let mut browser = browser.clone();
        browser.set_cookie(&name, cut);
        is_refused(&mut browser, &path).await;
    }
    // The cookie of another sign-in under the name of this one.
    let mut other = Browser::new(app);
    callback(&mut other, &osc).await;
    let mut swapped = browser.clone();
    swapped.set_cookie(&name, other.cookies().values().next().unwrap());
    is_refused(&mut swapped, &path).await;
    assert_eq!(osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn s49_a_pending_sign_in_is_bound_to_issuer_and_client() {
    let osc = MockOsc::builder().client("other", Some("secret"), &["http://localhost:3000/auth/callback"]);
    let (osc, elsewhere) = (osc.start().await.unwrap(), MockOsc::builder().start().await.unwrap());
    let as_other = || {
        OscAuthLayer::builder(OAuthClient::confidential("other", "secret"))
            .issuer(osc.issuer())
            .public_url("http://localhost:3000")
            .cookie_key(KEY)
    };
    let at_elsewhere = || {
        OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
            .issuer(elsewhere.issuer())
            .public_url("http://localhost:3000")
            .cookie_key(KEY)
    };
    for opening in [as_other(), at_elsewhere()] {
        let mut browser = Browser::new(built(keyed(&osc, &[KEY])));
        let path = callback(&mut browser, &osc).await;
        browser.switch_app(built(opening));
        is_refused(&mut browser, &path).await;
    }
    assert_eq!(osc.count(Endpoint::Token) + elsewhere.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn s49_a_pending_sign_in_is_bound_to_its_redirect_uri() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(built(keyed(&osc, &[KEY])));
    let path = callback(&mut browser, &osc).await;
    browser.switch_app(built(keyed(&osc, &[KEY]).public_url("http://127.0.0.1:3000")));
    browser.navigate(&path).await;
    let request = osc.requests(Endpoint::Token).pop().unwrap();
    assert_eq!(request.field("redirect_uri"), Some("http://localhost:3000/auth/callback"));
}

#[tokio::test]
async fn s49_a_pending_sign_in_expires_even_if_the_browser_keeps_it() {
    let osc = MockOsc::builder().start().await.unwrap();
    let clock = TestClock::new();
    let mut browser = Browser::new(built(layer_for(&osc).clock(clock.clone())));
    let answer = browser.navigate("/auth/signin").await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("Max-Age=3600"), "{cookie}");
    let callback = osc.approve(&location(&answer)).await.unwrap();
    clock.advance(Duration::from_secs(600));
    is_refused(&mut browser, osc_tests::path_of(&callback)).await;
}
