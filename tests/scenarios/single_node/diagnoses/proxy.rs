//! A proxy that does not remove the path of `PUBLIC_URL`.

use axum::Router;
use axum::routing::get;
use http::Method;
use mock_osc::MockOsc;
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::{Answer, Browser, Logs, app, boxed, callback, first_link, location, refusal};

use super::{lines, text_of};

fn below_app(osc: &MockOsc) -> OscAuthLayerBuilder {
    OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .public_url("http://localhost:3000/app")
        .redirect_to_signin()
}

/// Asserts that the answer names the proxy and the prefix.
fn names_the_proxy(answer: &Answer) {
    let text = text_of(answer);
    assert_eq!(refusal(answer), (500, "misconfigured".to_owned()), "{text}");
    for part in ["proxy", "/app", "PUBLIC_URL", "proxy_pass"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn a_prefix_that_the_proxy_keeps_ends_the_redirects_with_the_remedy() {
    let osc = MockOsc::builder().start().await.unwrap();
    for prefix in ["/app", "/"] {
        let logs = Logs::collect();
        let mut browser = Browser::new(app(&below_app(&osc).build().unwrap()));
        // `location /app/ { proxy_pass http://app; }`, and `location /app { proxy_pass http://app/; }`.
        let page = browser.navigate(&format!("{prefix}/dashboard")).await;
        let signin = location(&page);
        let arrives_as = signin.replacen("/app", prefix, 1);
        for answer in [browser.navigate(&arrives_as).await, browser.fetch(&arrives_as).await] {
            names_the_proxy(&answer);
        }
        for path in ["auth/callback?code=c&state=s", "auth/signout", "auth/session"] {
            names_the_proxy(&browser.send(Method::POST, &format!("{prefix}/{path}"), &[]).await);
        }
        let errors = lines(&logs, "ERROR");
        assert_eq!(errors.len(), 1, "at most once a minute: {errors:?}");
        assert!(errors[0].contains("location /app/ { proxy_pass http://app:3000/; }"), "{errors:?}");
        assert!(errors[0].contains("axum's nest"), "{errors:?}");
    }
}

#[tokio::test]
async fn without_redirects_the_button_leads_to_the_remedy_too() {
    let osc = MockOsc::builder().start().await.unwrap();
    let client = OAuthClient::confidential(osc.client_id(), osc.client_secret());
    let auth = OscAuthLayer::builder(client).issuer(osc.issuer()).public_url("http://localhost:3000/app");
    let mut browser = Browser::new(app(&auth.build().unwrap()));
    // A cookie of an earlier session, which a store would have to look up.
    browser.set_cookie("osc_session_3000", &"A".repeat(43));
    let page = text_of(&browser.navigate("/app/dashboard").await);
    names_the_proxy(&browser.navigate(&first_link(&page)).await);
}

#[tokio::test]
async fn an_app_with_a_route_of_that_name_keeps_it() {
    let osc = MockOsc::builder().start().await.unwrap();
    let own = "/app/auth/signin";
    // The proxy removes the prefix, so a browser's `/app/app/auth/signin` is the app's own route.
    let mut browser = Browser::new(app(&below_app(&osc).build().unwrap()));
    let authorize = browser.begin_sign_in("/auth/signin").await;
    assert_eq!(
        refusal(&browser.fetch(own).await),
        (401, "unauthenticated".to_owned()),
        "a sign-in went right"
    );
    let callback = osc.approve(&authorize).await.unwrap();
    browser.navigate(osc_tests::path_of(&callback).strip_prefix("/app").unwrap()).await;
    assert_eq!(browser.fetch(own).await.body(), "signed in");

    let mut visitor = Browser::new(app(&below_app(&osc).public_prefix("/app").build().unwrap()));
    assert_eq!(visitor.fetch(own).await.body(), "anonymous", "public");
}

#[tokio::test]
async fn a_router_that_removes_the_prefix_is_not_suspected() {
    let osc = MockOsc::builder().start().await.unwrap();
    let page = || Router::new().route("/dashboard", get(async || "dashboard"));
    let auth = below_app(&osc).build().unwrap();
    let logs = Logs::collect();
    for router in [
        Router::new().nest_service("/app", page().layer(auth.clone())),
        Router::new().nest("/app", page().layer(auth.clone()).merge(auth.routes())),
        Router::new()
            .route("/app/dashboard", get(async || "dashboard"))
            .route_layer(auth.clone())
            .nest("/app", auth.routes()),
    ] {
        let mut browser = Browser::new(boxed(router));
        let signin = location(&browser.navigate("/app/dashboard").await);
        assert!(signin.starts_with("/app/auth/signin?"), "{signin}");
        let authorize = browser.begin_sign_in("/app/auth/signin").await;
        let callback = osc.approve(&authorize).await.unwrap();
        assert_eq!(location(&browser.navigate(osc_tests::path_of(&callback)).await), "/app/");
        assert_eq!(browser.fetch("/app/dashboard").await.body(), "dashboard");
    }
    assert!(lines(&logs, "ERROR").is_empty(), "{}", logs.text());
}

#[tokio::test]
async fn without_a_path_in_public_url_nothing_is_suspected() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&osc_tests::layer(&osc)));
    for path in ["/app/auth/signin", "//auth/signin"] {
        assert_eq!(refusal(&browser.fetch(path).await), (401, "unauthenticated".to_owned()), "{path}");
    }
    callback(&mut browser, &osc).await;
}
