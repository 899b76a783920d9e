//! The app's name, colour and languages on the layer's pages, and pages that the app renders itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use mock_osc::MockOsc;
use osc_auth_layer::{OscAuthLayerBuilder, Page, PageHtml};
use osc_tests::{
    Answer, Browser, Logs, app, assert_own, callback, error_of, first_link, is_page, layer_for, refusal,
};
use sha2::{Digest, Sha256};

use super::header_of;

const NAVIGATION: (&str, &str) = ("accept", "text/html");

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(answer.body()).expect("UTF-8")
}

async fn browser(configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder) -> (MockOsc, Browser) {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let layer = configure(layer_for(&osc)).build().expect("it builds");
    (osc, Browser::new(app(&layer)))
}

#[tokio::test]
async fn a_page_comes_in_the_browsers_language_and_json_in_english() {
    let (_osc, mut browser) = browser(|layer| layer).await;
    let swedish = ("accept-language", "sv-SE,sv;q=0.9,en;q=0.8");
    let page = browser.send(Method::POST, "/save", &[NAVIGATION, swedish]).await;
    assert_eq!(refusal(&page), (401, "unauthenticated".to_owned()));
    assert!(text(&page).contains("<html lang=\"sv\">"), "{page:?}");
    assert!(text(&page).contains("<p>Inget sparades. Logga in för att fortsätta.</p>"), "{page:?}");
    assert!(text(&page).contains(">Logga in med OSC</a>"), "{page:?}");
    assert_eq!(header_of(&page, "content-language"), "sv");
    assert!(header_of(&page, "vary").contains("Accept-Language"));
    let json = browser.send(Method::POST, "/save", &[swedish]).await;
    assert_eq!(refusal(&json).0, 401);
    assert!(text(&json).contains("Nothing was saved. Sign in to continue."), "{json:?}");
    assert!(!json.headers().contains_key("content-language"));
    let page = browser.send(Method::GET, "/", &[NAVIGATION, ("accept-language", "de, en;q=0.1")]).await;
    assert_eq!(header_of(&page, "content-language"), "en");
}

#[tokio::test]
async fn a_page_has_the_apps_name_colour_home_and_language() {
    let (_osc, mut browser) = browser(|layer| {
        layer.app_name("Acme <3").app_color("#ffe600").app_home("/start").page_languages(["sv"])
    })
    .await;
    let page = browser.send(Method::GET, "/", &[NAVIGATION, ("accept-language", "en")]).await;
    assert_eq!(refusal(&page), (401, "unauthenticated".to_owned()));
    assert!(text(&page).contains("<title>Logga in · Acme &lt;3</title>"), "{page:?}");
    assert!(text(&page).contains("--button: #ffe600; --on-button: #000000;"), "{page:?}");
    assert_eq!(first_link(text(&page)), "/start");
    let style = text(&page).split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let allowed = format!("style-src 'sha256-{}'", STANDARD.encode(Sha256::digest(style)));
    assert!(header_of(&page, "content-security-policy").contains(&allowed), "{page:?}");
    let refused = browser.navigate("/auth/signout").await;
    assert!(text(&refused).contains("href=\"/start\">Gå till Acme &lt;3</a>"), "{refused:?}");
}

/// Renders a page as lines that tests read.
fn lines(page: &Page) -> String {
    let actions = page.actions().iter().map(|action| {
        let kind = if action.is_primary() { "first" } else { "other" };
        format!("{kind} {} -> {}\n", action.label(), action.href())
    });
    let actions: String = actions.collect();
    format!(
        "{} {} {}\n{}\n{}\n{actions}{:?} {} {:?}\n<script>{}</script>",
        page.error(),
        page.status().as_u16(),
        page.language(),
        page.title(),
        page.description(),
        page.app_name(),
        page.home(),
        page.turbo_frame(),
        page.script().unwrap_or_default()
    )
}

#[tokio::test]
async fn the_app_renders_the_pages_and_the_layer_keeps_the_headers() {
    let (_osc, mut browser) = browser(|layer| layer.app_name("Acme").page_renderer(lines)).await;
    let page = browser.navigate("/reports/7?x=1").await;
    // This checks status, challenge, `no-store`, `nosniff` and more.
    assert_own(&page);
    assert_eq!(page.status(), 401);
    assert!(is_page(&page));
    assert_eq!(header_of(&page, "x-frame-options"), "DENY");
    assert_eq!(header_of(&page, "referrer-policy"), "no-referrer");
    assert_eq!(header_of(&page, "content-language"), "en");
    let expected = "unauthenticated 401 en\nPlease sign in\nSign in to continue.\nfirst Sign in with OSC -> \
                    /auth/signin?return_to=/reports/7?x=1\nSome(\"Acme\") / None\n<script>for (";
    assert!(text(&page).starts_with(expected), "{page:?}");
    // JSON is for programs.
    assert_eq!(error_of(&browser.fetch("/").await), "unauthenticated");
    let framed = browser.send(Method::GET, "/", &[NAVIGATION, ("turbo-frame", "list")]).await;
    assert!(text(&framed).ends_with("Some(\"Acme\") / Some(\"list\")\n<script></script>"), "{framed:?}");
}

#[tokio::test]
async fn a_page_of_several_ways_marks_the_first() {
    let (osc, mut browser) = browser(|layer| layer.page_renderer(lines)).await;
    let path = callback(&mut browser, &osc).await;
    let page = browser.navigate(&path.replace("code=", "error=access_denied&x=")).await;
    let ways = "first Sign in with OSC -> /auth/signin\nother Go to the app -> /\nNone / None";
    assert!(text(&page).contains(ways), "{page:?}");
}

#[tokio::test]
async fn s39_the_apps_own_page_loads_from_its_own_origin_and_cannot_be_framed() {
    let (_osc, mut browser) = browser(|layer| layer.page_renderer(lines)).await;
    let page = browser.navigate("/").await;
    let script = text(&page).split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    let hash = STANDARD.encode(Sha256::digest(script));
    let expected = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; script-src 'self' 'sha256-{hash}'; base-uri \
         'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(header_of(&page, "content-security-policy"), expected);
}

#[tokio::test]
async fn s39_only_a_valid_policy_replaces_the_default() {
    let logs = Logs::collect();
    let (_osc, mut browser) = browser(|layer| {
        layer.page_renderer(|page| {
            let policy = match page.turbo_frame() {
                Some("split") => "default-src 'self'\r\nset-cookie: a=b".to_owned(),
                Some("long") => format!("default-src {}", "https://a.example ".repeat(120)),
                _ => "default-src 'self'; frame-ancestors *".to_owned(),
            };
            PageHtml::new("hello").content_security_policy(policy)
        })
    })
    .await;
    let own = browser.navigate("/").await;
    let policies = Vec::from_iter(own.headers().get_all("content-security-policy"));
    assert_eq!(policies, ["default-src 'self'; frame-ancestors *", "frame-ancestors 'none'"]);
    assert!(!logs.text().contains("page renderer"), "{}", logs.text());
    for frame in ["split", "long"] {
        let page = browser.send(Method::GET, "/", &[NAVIGATION, ("turbo-frame", frame)]).await;
        assert_own(&page);
        assert!(header_of(&page, "content-security-policy").starts_with("default-src 'none'"), "{page:?}");
        assert!(!page.headers().contains_key("set-cookie"));
    }
    let logged = logs.text().matches("The policy of the app's page renderer is longer than").count();
    assert_eq!(logged, 2, "{}", logs.text());
}

#[tokio::test]
async fn a_renderer_that_panics_leaves_the_layers_own_page() {
    let logs = Logs::collect();
    let (_osc, mut browser) =
        browser(|layer| layer.app_name("Acme").page_renderer(|_| -> String { panic!("a bug of the app") }))
            .await;
    let page = browser.navigate("/").await;
    assert_eq!(refusal(&page), (401, "unauthenticated".to_owned()));
    assert!(text(&page).contains("<title>Please sign in · Acme</title>"), "{page:?}");
    let text = logs.text();
    let line = text.lines().find(|line| line.contains("The app's page renderer panicked")).expect("a line");
    assert!(line.contains("ERROR") && line.contains("error=\"unauthenticated\""), "{line}");
}
