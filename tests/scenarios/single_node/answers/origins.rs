//! The address under which browsers know the app, and requests for other addresses.

use http::Method;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::{Browser, Logs, app, callback, layer, location, parameter, refusal};
use serde_json::Value;

/// Returns a layer that uses `osc` and has no public URL yet.
fn nowhere(osc: &MockOsc) -> OscAuthLayerBuilder {
    OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
}

#[tokio::test]
async fn without_public_url_a_foreign_host_gets_500_and_the_log_names_the_setting() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&nowhere(&osc).build().unwrap());
    for (host, header) in [
        ("app.example.com", None),
        ("192.168.0.7:3000", None),
        ("localhost.evil.example", None),
        ("localhost:3000", Some(("x-forwarded-host", "app.example.com"))),
        ("localhost:3000", Some(("x-forwarded-for", "10.0.0.1"))),
        ("localhost:3000", Some(("x-forwarded-proto", "https"))),
        ("localhost:3000", Some(("forwarded", "host=app.example.com"))),
        ("localhost:3000", Some(("via", "1.1 proxy"))),
    ] {
        for accept in ["*/*", "text/html"] {
            let logs = Logs::collect();
            let mut browser = Browser::new(app.clone()).at(host);
            let headers: Vec<_> = header.into_iter().chain([("accept", accept)]).collect();

            let answer = browser.send(Method::GET, "/auth/signin", &headers).await;

            assert_eq!(refusal(&answer), (500, "misconfigured".to_owned()), "{host} {headers:?}");
            assert!(browser.cookies().is_empty());
            let text = logs.text();
            assert!(text.contains("ERROR") && text.contains("PUBLIC_URL"), "{text}");
        }
    }
    assert_eq!(osc.count(Endpoint::Metadata), 0, "no request is sent for an impossible sign-in");
}

#[tokio::test]
async fn without_public_url_the_loopback_host_sets_redirect_uri_and_cookie_name() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&nowhere(&osc).build().unwrap());
    for (host, port) in
        [("localhost:3000", 3000), ("127.0.0.1:8080", 8080), ("[::1]:8080", 8080), ("localhost", 80)]
    {
        let mut browser = Browser::new(app.clone()).at(host);
        let authorize = browser.begin_sign_in("/auth/signin").await;
        assert_eq!(parameter(&authorize, "redirect_uri"), format!("http://{host}/auth/callback"));

        browser.sign_in(&osc).await;

        assert!(browser.cookies().contains_key(&format!("osc_session_{port}")), "{:?}", browser.cookies());
        assert_eq!(browser.fetch("/").await.status(), 200, "{host}");
    }
}

#[tokio::test]
async fn a_sign_in_at_another_host_moves_to_the_public_url_first() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc))).at("127.0.0.1:3000");

    let answer = browser.navigate("/auth/signin?return_to=/a?b=c").await;

    assert_eq!(answer.status(), 303);
    osc_tests::assert_own(&answer);
    let target = location(&answer);
    assert!(target.starts_with("http://localhost:3000/auth/signin?"), "{target}");
    assert_eq!(parameter(&target, "return_to"), "/a?b=c");
    assert!(browser.cookies().is_empty(), "the callback would not find a cookie set here");
    assert_eq!(osc.count(Endpoint::Metadata), 0);
    // If a proxy rewrites the host, the browser must not be redirected in a loop.
    let authorize = browser.begin_sign_in(osc_tests::path_of(&target)).await;
    assert_eq!(parameter(&authorize, "redirect_uri"), "http://localhost:3000/auth/callback");
}

#[tokio::test]
async fn a_public_url_with_a_path_leads_everywhere_below_it() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = nowhere(&osc).public_url("http://localhost:3000/app/").after_signout("/bye").build().unwrap();
    let mut browser = Browser::new(app(&layer));

    let answer = browser.fetch("/x").await;
    let json: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(json["signin"], "/app/auth/signin");
    let page = browser.navigate("/x?y=1").await;
    let page = String::from_utf8_lossy(page.body()).into_owned();
    assert!(page.contains("href=\"/app/auth/signin?return_to=/app/x?y=1\""), "{page}");

    let authorize = browser.begin_sign_in("/auth/signin").await;
    assert_eq!(parameter(&authorize, "redirect_uri"), "http://localhost:3000/app/auth/callback");
    let callback = osc.approve(&authorize).await.unwrap();
    let path = callback.strip_prefix("http://localhost:3000/app").expect("below the public URL");
    assert_eq!(location(&browser.navigate(path).await), "/app/");
    assert_eq!(location(&browser.navigate(path).await), "/app/", "the back button");
    assert_eq!(browser.fetch("/x").await.status(), 200);

    let authorize = browser.begin_sign_in("/auth/signin?return_to=/app/x").await;
    let callback = osc.approve(&authorize).await.unwrap();
    let path = callback.strip_prefix("http://localhost:3000/app").expect("below the public URL");
    assert_eq!(location(&browser.navigate(path).await), "/app/x");
    assert_eq!(location(&browser.post_from("same-origin", "/auth/signout").await), "/app/bye");
}

#[tokio::test]
async fn the_requests_host_selects_the_public_url() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = nowhere(&osc)
        .public_url("http://localhost:3000")
        .public_url("http://127.0.0.1:3000")
        .public_url("http://app.localhost:3000/deep")
        .build()
        .unwrap();
    let app = app(&layer);
    for (host, base) in [
        ("localhost:3000", "http://localhost:3000"),
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("app.localhost:3000", "http://app.localhost:3000/deep"),
        ("LOCALHOST:3000", "http://localhost:3000"),
    ] {
        let mut browser = Browser::new(app.clone()).at(host);
        let authorize = browser.begin_sign_in("/auth/signin").await;
        assert_eq!(parameter(&authorize, "redirect_uri"), format!("{base}/auth/callback"));
    }
    // The host that a proxy forwards selects the public URL too.
    let mut browser = Browser::new(app.clone()).at("10.0.0.5");
    let forwarded = [("x-forwarded-host", "127.0.0.1:3000"), ("accept", "text/html")];
    let answer = browser.send(Method::GET, "/auth/signin", &forwarded).await;
    assert_eq!(parameter(&location(&answer), "redirect_uri"), "http://127.0.0.1:3000/auth/callback");
    // Requests for any other host are redirected to the first public URL.
    let answer = Browser::new(app).at("evil.example").navigate("/auth/signin").await;
    assert!(location(&answer).starts_with("http://localhost:3000/auth/signin?"), "{answer:?}");
}

#[tokio::test]
async fn a_sign_in_at_the_second_public_url_completes_there() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = nowhere(&osc)
        .public_url("http://localhost:3000")
        .public_url("http://127.0.0.1:3000")
        .build()
        .unwrap();
    let mut browser = Browser::new(app(&layer)).at("127.0.0.1:3000");
    let path = callback(&mut browser, &osc).await;
    assert_eq!(location(&browser.navigate(&path).await), "/");
    assert_eq!(browser.fetch("/").await.status(), 200);
    assert_eq!(browser.post_from("same-origin", "/auth/signout").await.status(), 303);
}
