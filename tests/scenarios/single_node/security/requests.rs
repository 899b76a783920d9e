//! The claims of a request, and which of them the layer accepts.

use std::convert::Infallible;

use http::{Method, Request, StatusCode, header};
use mock_osc::MockOsc;
use osc_auth_layer::OscToken;
use osc_tests::{Answer, Body, Browser, app, boxed, echo, layer, layer_for, refusal, token_of};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test]
async fn s34_a_foreign_extension_never_passes_as_a_token() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    let foreign = token_of(&browser.fetch("/").await).unwrap();
    // An outer layer adds a token, by mistake or on purpose.
    let inner = layer.layer(service_fn(echo::<Body>));
    let outside = boxed(service_fn(move |mut request: Request<Body>| {
        request.extensions_mut().insert(foreign.clone());
        inner.clone().oneshot(request)
    }));
    let mut stranger = Browser::new(outside);

    assert_eq!(stranger.fetch("/public").await.body(), "anonymous");
    assert_eq!(stranger.fetch("/").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn s34_identity_headers_are_not_trusted() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut signed_in = Browser::new(app(&layer(&osc)));
    signed_in.sign_in(&osc).await;
    let token = token_of(&signed_in.fetch("/").await).unwrap();
    let id = signed_in.cookies()["osc_session_3000"].clone();
    // The token belongs to a live session of the same app.
    let mut stranger = signed_in.clone();
    stranger.forget_cookies("");
    for (name, value) in [
        ("authorization", format!("Bearer {}", token.access_token())),
        ("x-pat-jwt", format!("Bearer {}", token.access_token())),
        ("x-jwt", format!("Bearer {}", token.access_token())),
        ("authorization", format!("Bearer {id}")),
        ("x-forwarded-user", "ada".to_owned()),
        ("x-osc-session", id.clone()),
        ("x-cookie", format!("osc_session_3000={id}")),
    ] {
        let answer = stranger.send(Method::GET, "/", &[(name, &value)]).await;
        assert_eq!(refusal(&answer), (401, "unauthenticated".to_owned()), "{name}");
        let answer = stranger.send(Method::GET, "/public", &[(name, &value)]).await;
        assert_eq!(answer.body(), "anonymous", "{name}");
    }
    let answer =
        stranger.fetch(&format!("/?osc_session_3000={id}&access_token={}", token.access_token())).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn s38_characters_that_normalise_to_a_delimiter_need_a_session() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    for path in
        ["/assets/caf%C3%A9", "/assets/cafe%CC%81", "/assets/%E6%9D%B1%20%E2%80%93%20%F0%9F%97%BC.css"]
    {
        assert_eq!(browser.fetch(path).await.body(), "anonymous", "{path}");
    }
    for path in [
        "/assets/%ef%bc%8e%ef%bc%8e/admin",
        "/assets/%EF%BC%8E./admin",
        "/assets/..%ef%bc%8fadmin",
        "/assets/..%ef%bc%bcadmin",
        "/assets/..%ef%b9%a8admin",
        "/assets/%e2%80%a4%e2%80%a4/admin",
        "/assets/%e2%80%a5/admin",
        "/assets/%ef%b9%92%ef%b9%92/admin",
        "/assets/..%e2%81%84admin",
        "/assets/..%e2%88%95admin",
        "/assets/%ef%bc%85%32e/admin",
        "/assets/%e2%80%8b../admin",
        "/assets/.%ef%bb%bf./admin",
    ] {
        let answer = browser.fetch(path).await;
        assert_eq!(refusal(&answer), (401, "unauthenticated".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn s38_a_path_that_could_be_read_as_another_needs_a_session() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    for path in
        ["/public", "/public?next=/../admin", "/assets", "/assets/", "/assets/a/b.css", "/assets/a%20b"]
    {
        assert_eq!(browser.fetch(path).await.body(), "anonymous", "{path}");
    }
    for path in [
        "/assets/../admin",
        "/assets/..",
        "/assets/./admin",
        "/assets//admin",
        "//assets/a",
        "/assets/..%2fadmin",
        "/assets/..%2Fadmin",
        "/assets/%2e%2e/admin",
        "/assets/%2E%2E/admin",
        "/assets/.%2e/admin",
        "/assets/..%5cadmin",
        "/assets/%252e%252e/admin",
        "/assets/..%252fadmin",
        "/assets;/../admin",
        "/assets;x=y/admin",
        "/assets/a;jsessionid=1",
        "/assets/..\\admin",
        "/assets/\\admin",
        "/assets/*",
        "/assets/%2fadmin",
        "/assets/%5cadmin",
        "/assets/a%",
        "/assets/\u{ff0e}\u{ff0e}/admin",
        "/ASSETS/a",
        "/Assets/a",
        "/assetsx",
        "/assets%2fa",
        "/x/assets/a",
        "/public/",
        "/public/..",
        "/public/x",
        "/PUBLIC",
        "/publi%63",
        "/%70ublic",
        "/public;",
        "/public%00",
        "/public%20",
        "/",
        "/admin?/public",
    ] {
        let answer = browser.fetch(path).await;
        assert_eq!(refusal(&answer), (401, "unauthenticated".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn s38_an_absolute_target_is_matched_by_its_path() {
    let osc = MockOsc::builder().start().await.unwrap();
    let browser = Browser::new(app(&layer(&osc)));
    for (target, status) in
        [("http://localhost:3000/public", 200), ("http://public/", 401), ("http://assets/", 401)]
    {
        let request = Request::get(target).body(Body::default()).unwrap();
        assert_eq!(browser.clone().send_raw(request).await.status(), status, "{target}");
    }
    let request = Request::options("*").body(Body::default()).unwrap();
    assert_eq!(browser.clone().send_raw(request).await.status(), 401);
}

async fn upgrade(browser: &mut Browser, path: &str, origin: Option<&str>) -> Answer {
    let mut headers =
        vec![("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-fetch-mode", "websocket")];
    headers.extend(origin.map(|origin| ("origin", origin)));
    browser.send(Method::GET, path, &headers).await
}

#[tokio::test]
async fn s57_a_cross_origin_upgrade_gets_no_token() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer_for(&osc).public_url("http://127.0.0.1:3000").build().unwrap();
    let mut browser = Browser::new(app(&layer));
    browser.sign_in(&osc).await;
    for origin in [
        "https://evil.example",
        "null",
        "",
        "http://localhost:3001",
        "http://localhost",
        "http://localhost:3000.evil.example",
        "http://evil.example/http://localhost:3000",
    ] {
        let answer = upgrade(&mut browser, "/socket", Some(origin)).await;
        assert_eq!(refusal(&answer), (401, "unauthenticated".to_owned()), "{origin:?}");
        let answer = upgrade(&mut browser, "/public", Some(origin)).await;
        assert_eq!(answer.body(), "anonymous", "{origin:?}");
    }
    for origin in [Some("http://localhost:3000"), Some("http://127.0.0.1:3000"), None] {
        let answer = upgrade(&mut browser, "/socket", origin).await;
        assert!(token_of(&answer).is_some(), "{origin:?}");
    }
    // Requests without an upgrade are left to the app's CORS layer.
    let answer = browser.send(Method::GET, "/", &[("origin", "https://evil.example")]).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn s57_a_cross_origin_http2_upgrade_gets_no_token() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    browser.sign_in(&osc).await;
    let cookie = format!("osc_session_3000={}", browser.cookies()["osc_session_3000"]);
    for (origin, passes) in [("https://evil.example", false), ("http://localhost:3000", true)] {
        let request = Request::builder()
            .method(Method::CONNECT)
            .uri("http://localhost:3000/socket")
            .header(header::ORIGIN, origin)
            .header(header::COOKIE, &cookie)
            .body(Body::default())
            .unwrap();
        let answer = browser.send_raw(request).await;
        assert_eq!(token_of(&answer).is_some(), passes, "{origin}");
    }
}

#[tokio::test]
async fn s34_a_handler_sees_the_token_and_no_refresh_token() {
    let osc = MockOsc::builder().start().await.unwrap();
    let shown = service_fn(async |request: Request<Body>| {
        let token = request.extensions().get::<OscToken>();
        let text = format!("{token:?} {:?} {:?}", token.map(OscToken::bearer), token.map(OscToken::session));
        Ok::<_, Infallible>(http::Response::new(Body::from(text)))
    });
    let mut browser = Browser::new(boxed(layer(&osc).layer(shown)));
    browser.sign_in(&osc).await;
    let answer = browser.fetch("/").await;
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    assert!(text.contains("OscToken") && text.contains("OscSession"), "{text}");
    for secret in osc.issued_tokens() {
        assert!(!text.contains(&secret), "{text}");
    }
    assert!(!text.contains(&browser.cookies()["osc_session_3000"]), "{text}");
}
