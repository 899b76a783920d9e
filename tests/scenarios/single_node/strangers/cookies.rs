//! Many of the layer's cookies, and two with the same name.

use http::{Method, Request, StatusCode, header};
use mock_osc::{Endpoint, MockOsc};
use osc_tests::{
    Answer, App, Body, Browser, app, callback, is_page, layer, layer_for, location, path_of, refusal,
    token_of,
};

const SESSION: &str = "osc_session_3000";
const MANY: usize = 9_999;

async fn send(app: &App, method: Method, path: &str, cookies: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost:3000")
        .header(header::ACCEPT, "text/html")
        .header(header::COOKIE, cookies);
    Browser::new(app.clone()).send_raw(request.body(Body::default()).expect("a request")).await
}

/// Returns this many cookies of sign-ins that were never begun.
fn made_up(number: usize) -> String {
    let cookies: Vec<_> = (0..number).map(|n| format!("{SESSION}_signin_{n:08}=x")).collect();
    cookies.join("; ")
}

fn removals(answer: &Answer) -> Vec<String> {
    let cookies = answer.headers().get_all(header::SET_COOKIE).iter();
    let cookies = cookies.map(|cookie| cookie.to_str().expect("ASCII").to_owned());
    cookies.filter(|cookie| cookie.contains("Max-Age=0")).collect()
}

#[tokio::test]
async fn s35_two_session_cookies_are_refused_on_public_paths_too() {
    let osc = MockOsc::builder().start().await.unwrap();
    let as_it_comes = (layer_for(&osc), &["/public", "/assets", "/assets/x"][..]);
    for (layer, paths) in [as_it_comes, (layer_for(&osc).allow_anonymous(), &["/", "/x"])] {
        let app = app(&layer.build().unwrap());
        let mut browser = Browser::new(app.clone());
        browser.sign_in(&osc).await;
        let ours = format!("{SESSION}={}", browser.cookies()[SESSION]);
        for path in paths {
            for twice in [
                format!("{ours}; {SESSION}={}", "A".repeat(43)),
                format!("{SESSION}=; {ours}"),
                format!("{ours}; {ours}"),
                format!("{SESSION}={}; {ours}", "A".repeat(5000)),
                format!("{ours}; {}; {SESSION}=x", made_up(1000)),
            ] {
                let answer = send(&app, Method::GET, path, &twice).await;
                assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()), "{path}");
            }
            assert_eq!(send(&app, Method::GET, path, &ours).await.body(), "signed in");
        }
    }
}

/// A single oversized cookie is not ambiguous, so it is no duplicate.
#[tokio::test]
async fn one_oversized_session_cookie_is_no_session_on_a_public_path() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    let answer = send(&app, Method::GET, "/public", &format!("{SESSION}={}", "A".repeat(5000))).await;
    assert_eq!(answer.body(), "anonymous");
}

#[tokio::test]
async fn s35_a_duplicate_among_thousands_of_cookies_is_refused() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    let many = made_up(MANY);
    let own = [
        (Method::GET, "/auth/signin"),
        (Method::GET, "/auth/callback?state=a"),
        (Method::POST, "/auth/signout"),
    ];
    let every = [(Method::GET, "/"), (Method::GET, "/public")].into_iter().chain(own.clone());
    for (method, path) in every {
        let twice = format!("{SESSION}=x; {many}; {SESSION}=y");
        let answer = send(&app, method, path, &twice).await;
        assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()), "{path}");
    }
    for (method, path) in own {
        for n in [0, 33, MANY - 1] {
            let twice = format!("{many}; {SESSION}_signin_{n:08}=y");
            let answer = send(&app, method.clone(), path, &twice).await;
            assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()), "{path} {n}");
        }
    }
}

#[tokio::test]
async fn s74_thousands_of_pending_cookies_get_a_handful_of_removals() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    let answer = send(&app, Method::GET, "/auth/signin", &made_up(MANY)).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!((1..=16).contains(&removals(&answer).len()), "{}", removals(&answer).len());
    for (path, status) in [("/auth/callback?state=00000000x", 400), ("/auth/callback", 400)] {
        let answer = send(&app, Method::GET, path, &made_up(MANY)).await;
        assert_eq!(answer.status(), status);
        assert_eq!(removals(&answer).len(), 0);
    }
}

/// A browser opens forty tabs at once. Each begins a sign-in before any gets an answer.
#[tokio::test]
async fn s74_any_of_forty_pending_sign_ins_can_be_completed() {
    const TABS: usize = 40;
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let mut callbacks = Vec::new();
    for _ in 0..TABS {
        let mut tab = browser.clone();
        tab.forget_cookies("");
        callbacks.push(callback(&mut tab, &osc).await);
        tab.cookies().iter().for_each(|(name, value)| browser.set_cookie(name, value));
    }
    assert_eq!(browser.cookies().len(), TABS);
    for path in &callbacks {
        let mut tab = browser.clone();
        assert_eq!(tab.navigate(path).await.status(), StatusCode::SEE_OTHER);
        assert_eq!(tab.fetch("/").await.status(), StatusCode::OK);
    }
    for _ in 0..TABS {
        browser.begin_sign_in("/auth/signin").await;
    }
    assert_eq!(browser.cookies().len(), 4);
    assert_eq!(browser.sign_in(&osc).await.status(), StatusCode::SEE_OTHER);
}

/// A browser that keeps cookies by name and path (RFC 6265 §5.3). Another app on the same host sets cookies
/// with paths of its choice.
struct PathBrowser {
    app: App,
    cookies: Vec<(String, String, String)>,
}

impl PathBrowser {
    fn keep(&mut self, name: &str, path: &str, value: Option<&str>) {
        self.cookies.retain(|(other, at, _)| (other.as_str(), at.as_str()) != (name, path));
        if let Some(value) = value {
            self.cookies.push((name.to_owned(), path.to_owned(), value.to_owned()));
        }
    }

    /// Returns the cookies for a path (RFC 6265 §5.1.4).
    fn cookies_for(&self, target: &str) -> String {
        let path = target.split('?').next().unwrap_or_default();
        let matches = |at: &str| {
            path.strip_prefix(at)
                .is_some_and(|rest| rest.is_empty() || at.ends_with('/') || rest.starts_with('/'))
        };
        let sent = self.cookies.iter().filter(|(_, at, _)| matches(at));
        sent.map(|(name, _, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    async fn navigate(&mut self, target: &str) -> Answer {
        let answer = send(&self.app, Method::GET, target, &self.cookies_for(target)).await;
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let mut attributes = cookie.to_str().expect("ASCII").split("; ");
            let (name, value) = attributes.next().and_then(|pair| pair.split_once('=')).expect("a pair");
            let attributes: Vec<_> = attributes.collect();
            let path =
                attributes.iter().find_map(|attribute| attribute.strip_prefix("Path=")).expect("a path");
            self.keep(name, path, Some(value).filter(|_| !attributes.contains(&"Max-Age=0")));
        }
        answer
    }

    /// Follows the links of the pages until the browser is redirected to the provider.
    async fn click_through(&mut self, target: &str) -> String {
        let mut answer = self.navigate(target).await;
        for _ in 0..4 {
            if answer.status() == StatusCode::SEE_OTHER {
                return location(&answer);
            }
            assert!(is_page(&answer), "{answer:?}");
            let page = String::from_utf8_lossy(answer.body()).into_owned();
            let (_, link) = page.split_once("href=\"").expect("a link");
            let (link, _) = link.split_once('"').expect("the end of the link");
            answer = self.navigate(&link.replace("&amp;", "&")).await;
        }
        panic!("no click helps: {answer:?}");
    }
}

#[tokio::test]
async fn s35_the_page_lets_a_browser_with_a_planted_cookie_sign_in() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&layer(&osc));
    for planted in ["/deep/er", "/deep/", "/deep", "/auth", "/auth/", "/auth/signin", "/auth/callback"] {
        let mut browser = PathBrowser { app: app.clone(), cookies: Vec::new() };
        browser.keep(SESSION, "/", Some("A"));
        browser.keep(SESSION, planted, Some("B"));
        let mut is_in = false;
        for _ in 0..3 {
            let authorize = browser.click_through("/deep/er").await;
            let approved = osc.approve(&authorize).await.expect("the provider asks for consent");
            let answer = browser.navigate(path_of(&approved)).await;
            is_in = answer.status() == StatusCode::SEE_OTHER
                && token_of(&browser.navigate("/deep/er").await).is_some();
            if is_in {
                break;
            }
        }
        assert!(is_in, "planted at {planted}: {:?}", browser.cookies);
    }
}

#[tokio::test]
async fn s35_a_duplicate_cookie_is_removed_and_the_session_kept() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = Browser::new(app(&layer(&osc)));
    let path = callback(&mut browser, &osc).await;
    let (pending, value) = browser.cookies().first_key_value().expect("a pending sign-in");
    for (name, path) in [(SESSION, "/"), (SESSION, "/public"), (SESSION, "/auth/signin"), (pending, &path)] {
        let answer = send(&app(&layer(&osc)), Method::GET, path, &format!("{name}=x; {name}={value}")).await;
        assert_eq!(refusal(&answer), (400, "invalid_request".to_owned()));
        let removals = removals(&answer);
        assert!(removals.iter().all(|removal| removal.starts_with(&format!("{name}=;"))), "{removals:?}");
        assert!(removals.iter().any(|removal| removal.contains("Path=/;")), "{removals:?}");
    }
    assert_eq!(osc.count(Endpoint::Token), 0);
    assert_eq!(browser.navigate(&path).await.status(), StatusCode::SEE_OTHER, "the state is unused");
}
