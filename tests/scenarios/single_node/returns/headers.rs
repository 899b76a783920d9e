//! Sign-ins leave room in the headers for the app's own cookies.

use http::header;
use mock_osc::MockOsc;
use osc_auth_layer::OscAuthLayer;
use osc_tests::{Browser, app, assert_own, layer_for, location, path_of};

use super::signin_for;

/// HTTP/2 counts each field with its name, its value and 32 bytes. Browsers send each cookie as a field of its own
/// (RFC 9113 §8.2.3, §10.5.1). This is the default limit of hyper and others.
const MOST_HEADERS: usize = 16 * 1024;

/// The headers of Chromium 150 beside cookies: 16 fields.
const OF_THE_BROWSER: usize = 16 * 32 + 700;

fn layer(osc: &MockOsc) -> OscAuthLayer {
    layer_for(osc).build().expect("it builds")
}

/// Returns the bytes of the request's headers by the count of HTTP/2.
fn header_list(browser: &Browser, path: &str) -> usize {
    let cookies = browser.cookies().iter();
    let crumbs: usize = cookies.map(|(name, value)| "cookie".len() + name.len() + 1 + value.len() + 32).sum();
    OF_THE_BROWSER + path.len() + crumbs
}

/// Gives the browser 12 KB of the app's own cookies.
fn with_12_kb(browser: &mut Browser) {
    for n in 0..6 {
        browser.set_cookie(&format!("app_{n}"), &"x".repeat(2048 - 6));
    }
}

#[tokio::test]
async fn twelve_kilobytes_of_the_apps_cookies_leave_room_for_a_sign_in() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    for (length, lands_whole) in [(10, true), (200, true), (500, true), (700, true), (2000, false)] {
        let mut browser = Browser::new(app(&layer));
        with_12_kb(&mut browser);
        let page = format!("/list?{}", "q".repeat(length));
        for _ in 0..5 {
            browser.begin_sign_in(&signin_for(&page)).await;
        }
        let authorize = browser.begin_sign_in(&signin_for(&page)).await;
        let callback = osc.approve(&authorize).await.unwrap();
        let bytes = header_list(&browser, path_of(&callback));
        assert!(bytes <= MOST_HEADERS, "{bytes} bytes for {length}");
        let back = location(&browser.navigate(path_of(&callback)).await);
        assert_eq!(back, if lands_whole { &page } else { "/list" });
    }
}

#[tokio::test]
async fn twenty_tabs_at_once_leave_room_beside_twelve_kilobytes_of_cookies() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    let mut browser = Browser::new(app(&layer));
    with_12_kb(&mut browser);
    let mut last = String::new();
    for tab in 0..20 {
        let mut alone = Browser::new(app(&layer));
        last = alone.begin_sign_in(&signin_for(&format!("/report/{tab}?view=list"))).await;
        alone.cookies().iter().for_each(|(name, value)| browser.set_cookie(name, value));
    }
    let callback = osc.approve(&last).await.unwrap();
    let bytes = header_list(&browser, path_of(&callback));
    assert!(bytes <= MOST_HEADERS, "{bytes} bytes");
    assert_eq!(location(&browser.navigate(path_of(&callback)).await), "/report/19?view=list");
}

/// A request with more cookies than a server accepts would lock the browser out until they expire.
#[tokio::test]
async fn s23_twenty_tabs_at_once_with_the_longest_pages_lock_nobody_out() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    for length in [150, 600, 1000, 2000] {
        let mut browser = Browser::new(app(&layer));
        let mut begun = Vec::new();
        for tab in 0..20 {
            let mut alone = Browser::new(app(&layer));
            let page = format!("/report/{tab}?{}", "q".repeat(length));
            begun.push(alone.begin_sign_in(&signin_for(&page)).await);
            alone.cookies().iter().for_each(|(name, value)| browser.set_cookie(name, value));
        }
        for (tab, authorize) in begun.iter().enumerate() {
            let callback = osc.approve(authorize).await.unwrap();
            let bytes = header_list(&browser, path_of(&callback));
            assert!(bytes <= MOST_HEADERS, "{bytes} bytes for {length}");
            let mut back = location(&browser.navigate(path_of(&callback)).await);
            if back.starts_with(&osc.issuer()) {
                let callback = osc.approve(&back).await.unwrap();
                back = location(&browser.navigate(path_of(&callback)).await);
            }
            assert!(back.starts_with(&format!("/report/{tab}")), "{back}");
        }
    }
}

#[tokio::test]
async fn a_redirect_to_the_public_url_keeps_its_headers_short() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = layer(&osc);
    let mut browser = Browser::new(app(&layer)).at("elsewhere.example");
    for (page, kept) in
        [("/x?".to_owned() + &"'".repeat(2000), "/x"), ("/x?".to_owned() + &"q".repeat(2000), "")]
    {
        let answer = browser.navigate(&signin_for(&page)).await;
        assert_own(&answer);
        let kept = if kept.is_empty() { &page } else { kept };
        assert_eq!(osc_tests::parameter(&location(&answer), "return_to"), kept);
    }
}

#[tokio::test]
async fn pending_sign_ins_never_take_more_than_four_kilobytes() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    for n in 0..12 {
        let page = format!("/{n}?{}", "q".repeat(150 * n));
        let answer = browser.navigate(&signin_for(&page)).await;
        assert_own(&answer);
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            assert!(cookie.len() <= 4096);
        }
        let bytes: usize = browser.cookies().iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes <= 4096 + 200, "{bytes} bytes");
        assert!((1..=4).contains(&browser.cookies().len()));
    }
}

#[tokio::test]
async fn the_longest_page_fits_beside_long_settings() {
    let osc = MockOsc::builder().loose_redirect_uris().start().await.unwrap();
    let layer = layer_for(&osc).public_url("http://127.0.0.1:3000/some/base").scopes(["openid", "profile"]);
    let layer = layer.authorization_param("audience", "a".repeat(100)).build().unwrap();
    let mut browser = Browser::new(app(&layer)).at("127.0.0.1:3000");
    let page = format!("/some/base/{}", "%2F".repeat(679));
    let answer = browser.navigate(&signin_for(&page)).await;
    assert_own(&answer);
    let callback = osc.approve(&location(&answer)).await.unwrap();
    let path = path_of(&callback).strip_prefix("/some/base").expect("the public URL");
    assert_eq!(location(&browser.navigate(path).await), page);
}
