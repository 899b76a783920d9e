//! Malformed input from browsers.

use http::{HeaderValue, Request, StatusCode, header};
use mock_osc::{Endpoint, MockOsc};
use osc_tests::{Answer, Body, Browser, app, callback, layer, refusal};

async fn with_cookie(browser: &Browser, path: &str, cookie: &[u8]) -> Answer {
    let request = Request::get(path)
        .header(header::HOST, "localhost:3000")
        .header(header::COOKIE, HeaderValue::from_bytes(cookie).expect("a header value"));
    browser.clone().send_raw(request.body(Body::default()).expect("a request")).await
}

fn is(answer: &Answer, status: u16, error: &str) {
    assert_eq!(refusal(answer), (status, error.to_owned()), "{answer:?}");
}

#[tokio::test]
async fn malformed_cookies_are_ignored_beside_a_valid_session() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    browser.sign_in(&osc).await;
    let ours = format!("osc_session_3000={}", browser.cookies()["osc_session_3000"]).into_bytes();
    let long = [b"a=".as_slice(), &[b'x'; 60_000]].concat();
    let many = "a=b; ".repeat(10_000).into_bytes();
    for nonsense in [
        &b"\xff\xfe\xfd"[..],
        b"\xff=\xff",
        b"caf\xc3\xa9=\xc3",
        b"",
        b";",
        b";;;===;;=;",
        b"=",
        b"=value",
        b"name",
        b"a=\"b;c\"",
        b"a=%",
        b"a=%zz%ff",
        b"osc_session_3000",
        b"\t",
        &long,
        &many,
    ] {
        is(&with_cookie(&browser, "/", nonsense).await, 401, "unauthenticated");
        is(&with_cookie(&browser, "/auth/callback", nonsense).await, 400, "invalid_state");
        for both in [[nonsense, b"; ", &ours].concat(), [&ours, &b"; "[..], nonsense].concat()] {
            let answer = with_cookie(&browser, "/", &both).await;
            assert_eq!(answer.status(), StatusCode::OK, "{:?}", nonsense.get(..20));
            let answer = with_cookie(&browser, "/auth/callback", &both).await;
            assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{:?}", nonsense.get(..20));
        }
    }
}

#[tokio::test]
async fn session_cookies_that_cannot_be_ours_are_no_session() {
    let osc = MockOsc::builder().start().await.unwrap();
    let browser = Browser::new(app(&layer(&osc)));
    let not_canonical = format!("{}B", "A".repeat(42));
    for value in [
        &b""[..],
        b"\xff\xff\xff",
        b"%41",
        b"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
        not_canonical.as_bytes(),
        &[b'A'; 42],
        &[b'A'; 44],
        &[b'='; 43],
        &[b'+'; 43],
        &[b'A'; 4096],
    ] {
        let cookie = [b"osc_session_3000=", value].concat();
        is(&with_cookie(&browser, "/", &cookie).await, 401, "unauthenticated");
        is(&with_cookie(&browser, "/auth/callback", &cookie).await, 400, "invalid_state");
        assert_eq!(with_cookie(&browser, "/public", &cookie).await.body(), "anonymous");
    }
}

#[tokio::test]
async fn oversized_cookies_of_ours_are_refused() {
    let osc = MockOsc::builder().start().await.unwrap();
    let browser = Browser::new(app(&layer(&osc)));
    for size in [4097, 60_000] {
        let session = [&b"osc_session_3000="[..], &vec![b'A'; size]].concat();
        let pending = [&b"osc_session_3000_signin_AAAAAAAA="[..], &vec![b'A'; size]].concat();
        for (path, cookie) in [
            ("/", &session),
            ("/auth/signin", &session),
            ("/auth/callback?state=a", &session),
            ("/auth/callback?code=a&state=AAAAAAAAA", &pending),
        ] {
            is(&with_cookie(&browser, path, cookie).await, 400, "invalid_request");
        }
    }
}

#[tokio::test]
async fn queries_that_cannot_be_read_are_refused() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let huge = format!("a={}", "x".repeat(9000));
    let huge_name = "x".repeat(9000);
    for query in [
        "a=%",
        "a=%2",
        "a=%zz",
        "%=a",
        "a=%ff",
        "a=%c3%28",
        "state=%e2%82",
        "a=b&a=c",
        "a&a",
        &huge,
        &huge_name,
    ] {
        for path in ["/auth/signin", "/auth/callback"] {
            let answer = browser.navigate(&format!("{path}?{query}")).await;
            is(&answer, 400, "invalid_request");
        }
        // On the app's own paths, the layer does not judge the query.
        is(&browser.fetch(&format!("/x?{query}")).await, 401, "unauthenticated");
    }
    assert!(browser.cookies().is_empty());
    assert_eq!(osc.count(Endpoint::Metadata), 0);
}

#[tokio::test]
async fn s13_duplicate_parameters_are_refused_and_the_attempt_stays_good() {
    let osc = MockOsc::builder().iss(true).start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let path = callback(&mut browser, &osc).await;
    for name in ["code", "state", "iss"] {
        let value = osc_tests::parameter(&path, name);
        for twice in
            [format!("{path}&{name}={value}"), format!("{path}&{name}=other"), format!("{path}&{name}=")]
        {
            is(&browser.navigate(&twice).await, 400, "invalid_request");
        }
        let escaped = format!("{path}&%{:02x}{}={value}", name.as_bytes()[0], &name[1..]);
        is(&browser.navigate(&escaped).await, 400, "invalid_request");
    }
    is(&browser.navigate(&format!("{path}&error=a&error=b")).await, 400, "invalid_request");
    assert_eq!(osc.count(Endpoint::Token), 0);
    assert_eq!(browser.navigate(&path).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn s65_an_answer_with_a_code_and_an_error_is_an_error() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let path = callback(&mut browser, &osc).await;
    let answer = browser.navigate(&format!("{path}&error=access_denied")).await;
    is(&answer, 401, "access_denied");
    assert_eq!(osc.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn malformed_hosts_break_nothing() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    for host in [
        &b""[..],
        b"\xff",
        b":",
        b":3000",
        b"localhost:",
        b"localhost:99999",
        b"[",
        b"a b",
        b"@",
        b"%",
        b"//",
    ] {
        let mut request = Request::get("/auth/signin").body(Body::default()).unwrap();
        let host = HeaderValue::from_bytes(host).unwrap();
        request.headers_mut().insert(header::HOST, host.clone());
        request.headers_mut().insert("x-forwarded-host", host.clone());
        let answer = Browser::new(app.clone()).send_raw(request).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{host:?}");
        assert!(osc_tests::location(&answer).starts_with("http://localhost:3000/auth/signin?"), "{host:?}");
    }
    let request = Request::get("/").body(Body::default()).unwrap();
    is(&Browser::new(app).send_raw(request).await, 401, "unauthenticated");
}

#[tokio::test]
async fn headers_that_are_not_text_break_nothing() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    browser.sign_in(&osc).await;
    let session = format!("osc_session_3000={}", browser.cookies()["osc_session_3000"]);
    let names =
        ["accept", "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-purpose", "upgrade"];
    for name in names {
        for path in ["/", "/auth/signin", "/auth/callback", "/auth/signout"] {
            let mut request = Request::get(path).body(Body::default()).unwrap();
            let headers = request.headers_mut();
            headers.insert(header::HOST, HeaderValue::from_static("localhost:3000"));
            headers.insert(header::COOKIE, HeaderValue::try_from(&session).unwrap());
            headers.insert(name, HeaderValue::from_bytes(b"\xff\xfe").unwrap());
            let status = browser.clone().send_raw(request).await.status();
            assert!(status.as_u16() < 500, "{name} {path} {status}");
        }
    }
    assert_eq!(browser.fetch("/").await.status(), StatusCode::OK);
}
