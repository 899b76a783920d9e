//! The pages of the layer, and the requests that may begin a sign-in.

use http::Method;
use mock_osc::{Endpoint, MockOsc};
use osc_tests::{Browser, Logs, app, callback, is_page, layer, layer_for, path_of, refusal};

use super::{everything, keeps_all_cookies};

#[tokio::test]
async fn s14_s67_provider_error_text_is_logged_and_not_shown() {
    let osc = MockOsc::builder().start().await.unwrap();
    let logs = Logs::collect();
    let mut browser = Browser::new(app(&layer(&osc)));
    let path = callback(&mut browser, &osc).await;
    let script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let path = path.replace("code=", &format!("error=oh%0Ano&error_description={script}&x="));

    let answer = browser.navigate(&path).await;

    assert_eq!(refusal(&answer), (401, "sign_in_failed".to_owned()));
    let text = everything(&answer);
    assert!(!text.contains("alert") && !text.contains("oh"), "{text}");
    assert!(logs.text().contains("<script>alert(1)</script>"), "{}", logs.text());
    assert!(logs.text().contains("oh no"), "a line of the log stays one line: {}", logs.text());
}

#[tokio::test]
async fn s14_the_address_of_a_request_cannot_break_out_of_the_page() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    for path in ["/\"onmouseover=alert(1)", "/x?a='b&c=d&amp;", "/x?{{style}}", "/%3Cscript%3E"] {
        let answer = browser.navigate(path).await;
        assert_eq!(refusal(&answer), (401, "unauthenticated".to_owned()));
        let page = String::from_utf8_lossy(answer.body()).into_owned();
        let (_, link) = page.split_once("href=\"").expect("a link");
        let (link, rest) = link.split_once('"').expect("the end of the link");
        assert!(link.starts_with("/auth/signin?return_to=/"), "{link}");
        assert!(rest.starts_with(">Sign in with OSC</a>"), "{page}");
        assert_eq!(osc_tests::parameter(&link.replace("&amp;", "&"), "return_to"), path);
    }
}

#[tokio::test]
async fn s14_configured_text_is_escaped_too() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer_for(&osc).public_url("http://127.0.0.1:3000/a&lt/b'c").build().unwrap();
    let answer = Browser::new(app(&layer)).at("127.0.0.1:3000").navigate("/").await;
    let page = String::from_utf8_lossy(answer.body()).into_owned();
    assert!(page.contains("href=\"/a&amp;lt/b&#39;c/auth/signin?return_to="), "{page}");
}

#[tokio::test]
async fn a_person_is_returned_to_the_page_they_asked_for() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let page = browser.navigate("/reports/7?sort=name&page=2").await;
    let page = String::from_utf8_lossy(page.body()).into_owned();

    let authorize = browser.begin_sign_in(&osc_tests::first_link(&page)).await;
    let callback = osc.approve(&authorize).await.unwrap();
    let answer = browser.navigate(path_of(&callback)).await;

    assert_eq!(osc_tests::location(&answer), "/reports/7?sort=name&page=2");
}

#[tokio::test]
async fn s58_prefetches_frames_and_subresources_start_no_sign_in() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let navigate = ("sec-fetch-mode", "navigate");
    let document = ("sec-fetch-dest", "document");
    for headers in [
        vec![navigate, document, ("sec-purpose", "prefetch")],
        vec![navigate, document, ("sec-purpose", "prefetch;prerender")],
        vec![navigate, document, ("purpose", "prefetch")],
        vec![navigate, document, ("purpose", "preview")],
        vec![("x-moz", "prefetch")],
        vec![navigate, ("sec-fetch-dest", "iframe")],
        vec![navigate, ("sec-fetch-dest", "frame")],
        vec![navigate, ("sec-fetch-dest", "object")],
        vec![navigate, ("sec-fetch-dest", "embed")],
        vec![("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
        vec![("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")],
        vec![("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
    ] {
        let answer = browser.send(Method::GET, "/auth/signin", &headers).await;
        assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()), "{headers:?}");
        assert!(keeps_all_cookies(&answer), "{headers:?}");
    }
    assert_eq!(osc.count(Endpoint::Metadata), 0);
    // A browser without fetch metadata, and one that reports a user's click.
    for headers in [vec![], vec![navigate, document, ("sec-fetch-user", "?1")]] {
        let answer = browser.send(Method::GET, "/auth/signin", &headers).await;
        assert_eq!(answer.status(), 303, "{headers:?}");
    }
}

#[tokio::test]
async fn s39_every_page_is_the_layers_own_and_cannot_be_framed() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    for path in ["/", "/auth/callback", "/auth/callback?state=%", "/auth/signout", "/auth/signin?return_to=%"]
    {
        let answer = browser.navigate(path).await;
        assert!(is_page(&answer));
        // This checks the policy too, and that the page loads nothing from elsewhere.
        refusal(&answer);
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer", "the callback's address holds a code");
    }
}
