//! Pages that were made for one user do not act for another, and extractors refuse in the layer's own form.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::Html;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use http::{Method, Request, StatusCode, header};
use mock_osc::MockOsc;
use osc_auth_layer::axum::{OscForm, OscPage};
use osc_auth_layer::{OscAuthLayer, OscAuthLayerBuilder, OscToken, OscUser};
use osc_tests::{Answer, Body, Browser, EXPIRED, Stage, boxed, error_of, layer, layer_for};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Order {
    item: String,
}

/// An app that counts what it did.
struct Shop {
    osc: MockOsc,
    done: Arc<AtomicUsize>,
    browser: Browser,
}

fn routes(done: &Arc<AtomicUsize>) -> Router {
    type Done = Extension<Arc<AtomicUsize>>;
    let buy = async |Extension(done): Done, OscForm(order): OscForm<Order>| {
        done.fetch_add(1, Ordering::SeqCst);
        order.item
    };
    let note = async |Extension(done): Done, _: OscPage, Json(note): Json<Value>| {
        done.fetch_add(1, Ordering::SeqCst);
        note.to_string()
    };
    Router::new()
        .route("/page", get(async |token: OscToken| Html(token.page_key())))
        .route("/buy", get(buy).post(buy))
        .route("/note", post(note))
        .route(
            "/assets/user",
            get(async |user: OscUser| user.workspace().to_owned()).post(async |_: OscUser| ""),
        )
        .route("/assets/token", get(async |_: OscToken| "").post(async |_: OscToken| ""))
        .layer(Extension(done.clone()))
}

impl Shop {
    async fn new(
        app: impl FnOnce(Router, OscAuthLayer) -> Router,
        configure: fn(OscAuthLayerBuilder) -> OscAuthLayerBuilder,
    ) -> Self {
        let osc = MockOsc::builder().start().await.expect("the mock starts");
        let layer = configure(layer_for(&osc)).build().expect("the test's layer builds");
        let done = Arc::default();
        let browser = Browser::new(boxed(app(routes(&done), layer)));
        Self { osc, done, browser }
    }

    async fn open() -> Self {
        Self::new(Router::layer, |layer| layer).await
    }

    /// Signs in as this user, and returns the key of a page.
    async fn page_of(&mut self, user: &str) -> String {
        self.osc.set_claim("userId", json!(user));
        assert_eq!(self.browser.sign_in(&self.osc).await.status(), StatusCode::SEE_OTHER);
        let page = self.browser.fetch("/page").await;
        String::from_utf8(page.body().to_vec()).expect("text")
    }

    async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let cookies: Vec<_> =
            self.browser.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let length = body.len().to_string();
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost:3000");
        for (name, value) in
            headers.iter().chain(&[("cookie", &*cookies.join("; ")), ("content-length", &*length)])
        {
            request = request.header(*name, *value);
        }
        self.browser.send_raw(request.body(Body::from(body)).expect("a request")).await
    }

    async fn submit(&mut self, headers: &[(&str, &str)], body: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, "/buy", &[headers, &form].concat(), body.to_owned()).await
    }

    fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }
}

const FROM_PAGE: [(&str, &str); 4] = [
    ("accept", "text/html"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("referer", "http://localhost:3000/page?tab=1"),
];

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}

#[tokio::test]
async fn s88_a_form_of_the_users_own_page_passes_also_after_another_sign_in() {
    let mut shop = Shop::open().await;
    let key = shop.page_of("ada").await;
    for round in 1..=2 {
        let bought = shop.submit(&FROM_PAGE, &format!("osc_user={}&item=book", encoded(&key))).await;
        assert_eq!((bought.status(), text(&bought), shop.done()), (StatusCode::OK, "book".to_owned(), round));
        shop.page_of("ada").await;
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn s88_a_form_of_another_users_page_does_nothing_and_names_the_user() {
    let mut shop = Shop::open().await;
    let ada = shop.page_of("ada").await;
    let grace = shop.page_of("<b>grace</b>").await;
    assert_ne!(ada, grace);
    let answer = shop.submit(&FROM_PAGE, &format!("item=book&osc_user={}", encoded(&ada))).await;
    assert_eq!((answer.status(), shop.done()), (StatusCode::CONFLICT, 0));
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    assert!(!answer.headers().contains_key(header::CONNECTION), "the body was read");
    let page = text(&answer);
    assert!(page.contains("signed in as &lt;b&gt;grace&lt;/b&gt;"), "{page}");
    assert!(page.contains("href=\"/page?tab=1\"") && page.contains("Sign in with another account"), "{page}");
    assert!(!page.contains(&ada) && !page.contains("<b>"), "{page}");

    let answer = shop.submit(&[], &format!("item=book&osc_user={}", encoded(&ada))).await;
    assert_eq!((answer.status(), error_of(&answer)), (StatusCode::CONFLICT, "other_user".to_owned()));
    let answer =
        shop.submit(&[("hx-request", "true")], &format!("item=book&osc_user={}", encoded(&ada))).await;
    assert_eq!(
        (answer.status(), &answer.headers()["hx-reswap"]),
        (StatusCode::CONFLICT, &"none".parse().unwrap())
    );
    let swedish = [&FROM_PAGE[..], &[("accept-language", "sv")]].concat();
    let answer = shop.submit(&swedish, &format!("item=book&osc_user={}", encoded(&ada))).await;
    assert!(text(&answer).contains("Du är nu inloggad som"), "{answer:?}");
    assert_eq!(shop.done(), 0);
}

#[tokio::test]
async fn s88_any_other_text_in_the_field_is_refused() {
    let mut shop = Shop::open().await;
    let ada = encoded(&shop.page_of("ada").await);
    let wrong = encoded(&shop.page_of("grace").await);
    let ada_again = encoded(&shop.page_of("ada").await);
    assert_eq!(ada, ada_again);
    for body in [
        "osc_user=&item=x".to_owned(),
        "osc_user&item=x".to_owned(),
        "item=x&osc_user=ada".to_owned(),
        format!("item=x&osc_user={wrong}"),
        format!("item=x&osc_user={ada}&osc_user={wrong}"),
        format!("item=x&osc_user={wrong}&osc_user={ada}"),
        format!("item=x&osc_user={ada}x"),
        format!("item=x&osc_user=+{ada}"),
        format!("item=x&osc%5Fuser={wrong}&osc_user={ada}"),
        format!("item=x&osc_user={}", ada.to_lowercase()),
        format!("item=x&osc_user={}", "x".repeat(100_000)),
    ] {
        assert_eq!(shop.submit(&[], &body).await.status(), StatusCode::CONFLICT, "{body}");
    }
    let answer = shop.submit(&FROM_PAGE, "item=x&OSC_USER=1").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(text(&answer).contains("osc_user"), "it names the field: {answer:?}");
    assert_eq!(shop.done(), 0);
}

#[tokio::test]
async fn s88_a_page_without_a_known_user_belongs_to_its_session() {
    let mut shop = Shop::open().await;
    shop.osc.set_claim("tenantId", None);
    let [first, second] = [shop.page_of("ada").await, shop.page_of("ada").await];
    assert!(first.len() == 22 && first != second, "{first} {second}");
    let answer = shop.submit(&FROM_PAGE, &format!("item=x&osc_user={first}")).await;
    assert_eq!((answer.status(), shop.done()), (StatusCode::CONFLICT, 0));
    assert!(text(&answer).contains("signed in again"), "{answer:?}");
    assert_eq!(shop.submit(&[], &format!("item=x&osc_user={second}")).await.status(), StatusCode::OK);
    assert_eq!(shop.submit(&[], "item=x").await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn s88_a_page_made_before_a_refresh_named_the_user_still_acts() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    stage.osc.set_claim("tenantId", None);
    let stage = stage.sign_in().await;
    let before = stage.token().await;
    let by_session = before.page_key();
    assert_eq!(by_session, before.session().id());
    stage.osc.clear_claims();
    stage.pass(EXPIRED);
    let after = stage.token().await;
    assert_ne!(after.page_key(), by_session);
    for key in [by_session, after.page_key()] {
        assert_eq!(after.check_page(&key), Ok(()));
    }
    let error = before.check_page(&after.page_key()[1..]).unwrap_err();
    assert!(error.to_string().starts_with("you are signed in as ada (") || error.user().is_none(), "{error}");
}

#[tokio::test]
async fn s88_an_app_without_axum_gets_the_layers_answer_too() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let app = tower::service_fn(async |request: Request<Body>| {
        let (parts, _) = request.into_parts();
        let token = parts.extensions.get::<OscToken>().expect("a signed-in user");
        let error = token.check_page("somebody").unwrap_err();
        let response = http::Response::new(http_body_util::Full::<bytes::Bytes>::from(error.to_string()));
        Ok::<_, std::convert::Infallible>(error.refuse(&parts, response))
    });
    let mut browser = Browser::new(boxed(tower::Layer::layer(&layer(&osc), app)));
    browser.sign_in(&osc).await;
    let page = browser.navigate("/").await;
    assert_eq!(page.status(), StatusCode::CONFLICT);
    assert!(text(&page).contains("<h1>You signed in as somebody else</h1>"), "{page:?}");
    assert_eq!(error_of(&browser.fetch("/").await), "other_user");
}

#[tokio::test]
async fn s88_a_get_form_is_checked_by_its_query() {
    let mut shop = Shop::open().await;
    let ada = encoded(&shop.page_of("ada").await);
    let bought =
        shop.send(Method::GET, &format!("/buy?item=x&osc_user={ada}"), &FROM_PAGE, String::new()).await;
    assert_eq!((bought.status(), shop.done()), (StatusCode::OK, 1));
    shop.page_of("grace").await;
    let answer =
        shop.send(Method::GET, &format!("/buy?item=x&osc_user={ada}"), &FROM_PAGE, String::new()).await;
    assert_eq!((answer.status(), shop.done()), (StatusCode::CONFLICT, 1));
    let page = text(&answer);
    assert!(page.contains("href=\"/page?tab=1\"") && !page.contains("/buy"), "{page}");
}

#[tokio::test]
async fn s88_a_script_sends_the_key_in_a_header() {
    let mut shop = Shop::open().await;
    let ada = shop.page_of("ada").await;
    let json = ("content-type", "application/json");
    let note = async |shop: &mut Shop, headers: &[(&str, &str)]| {
        let headers = [headers, &[json]].concat();
        shop.send(Method::POST, "/note", &headers, "{}".to_owned()).await
    };
    assert_eq!(note(&mut shop, &[("osc-user", &ada)]).await.status(), StatusCode::OK);
    let missing = note(&mut shop, &[]).await;
    assert_eq!(missing.status(), StatusCode::BAD_REQUEST);
    assert!(text(&missing).contains("osc-user"), "{missing:?}");
    let grace = shop.page_of("grace").await;
    for headers in [
        &[("osc-user", &*ada)][..],
        &[("osc-user", "")],
        &[("osc-user", "\u{e5}")],
        &[("osc-user", &grace), ("osc-user", &ada)],
    ] {
        let answer = note(&mut shop, headers).await;
        assert_eq!((answer.status(), error_of(&answer)), (StatusCode::CONFLICT, "other_user".to_owned()));
    }
    assert_eq!(shop.done(), 1);
}

#[tokio::test]
async fn s88_the_other_limits_of_forms_are_axums() {
    let mut shop = Shop::open().await;
    let ada = encoded(&shop.page_of("ada").await);
    assert_eq!(shop.submit(&[], &format!("osc_user={ada}")).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let huge = format!("osc_user={ada}&item={}", "x".repeat(3_000_000));
    assert_eq!(shop.submit(&[], &huge).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let no_form = shop.send(Method::POST, "/buy", &[], format!("osc_user={ada}&item=x")).await;
    assert_eq!((no_form.status(), shop.done()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, 0));
    shop.browser.forget_cookies("");
    assert_eq!(error_of(&shop.submit(&[], &format!("osc_user={ada}&item=x")).await), "unauthenticated");
}

#[tokio::test]
async fn s88_without_a_layer_outside_the_answer_is_json() {
    let mut shop = Shop::open().await;
    shop.page_of("ada").await;
    let token = Arc::new(std::sync::Mutex::new(None));
    let seen = token.clone();
    let keep = async move |token: OscToken| _ = seen.lock().expect("nobody panics").insert(token);
    let layer = layer_for(&shop.osc).build().expect("the test's layer builds");
    let mut browser = Browser::new(boxed(Router::new().route("/keep", get(keep)).layer(layer)));
    browser.sign_in(&shop.osc).await;
    browser.fetch("/keep").await;
    let token = token.lock().expect("nobody panics").clone().expect("a token");
    let bare = routes(&Arc::default()).layer(axum::Extension(token));
    let answer = Browser::new(boxed(bare)).send(Method::GET, "/buy?item=x&osc_user=grace", &FROM_PAGE).await;
    assert_eq!((answer.status(), error_of(&answer)), (StatusCode::CONFLICT, "other_user".to_owned()));
    assert!(text(&answer).contains("signed in as ada"), "{answer:?}");
}

#[tokio::test]
async fn an_extractor_on_a_public_path_answers_a_browser_with_a_page() {
    let mut shop = Shop::open().await;
    for path in ["/assets/user?x=1", "/assets/token?x=1"] {
        let page = shop.browser.navigate(path).await;
        assert_eq!(page.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(text(&page).contains(&format!("href=\"/auth/signin?return_to={path}\"")), "{page:?}");
        let script = shop.browser.fetch(path).await;
        assert_eq!(
            (script.status(), error_of(&script)),
            (StatusCode::UNAUTHORIZED, "unauthenticated".to_owned())
        );
        assert!(script.headers().contains_key(header::WWW_AUTHENTICATE));
        let form = shop.send(Method::POST, path, &FROM_PAGE, "x=1".to_owned()).await;
        assert!(text(&form).contains("Nothing was saved"), "{form:?}");
    }
}

#[tokio::test]
async fn an_extractor_in_a_nested_router_keeps_the_whole_address() {
    let nested = |routes: Router, layer: OscAuthLayer| Router::new().nest("/shop", routes).layer(layer);
    let mut shop = Shop::new(nested, OscAuthLayerBuilder::allow_anonymous).await;
    let page = shop.browser.navigate("/shop/assets/user").await;
    assert!(text(&page).contains("return_to=/shop/assets/user"), "{page:?}");
    let redirecting = |layer: OscAuthLayerBuilder| layer.allow_anonymous().redirect_to_signin();
    let mut shop = Shop::new(nested, redirecting).await;
    let to_signin = shop.browser.navigate("/shop/assets/user").await;
    assert_eq!(to_signin.status(), StatusCode::SEE_OTHER);
    assert_eq!(to_signin.headers()[header::LOCATION], "/auth/signin?return_to=/shop/assets/user");
}

#[tokio::test]
async fn an_app_that_needs_an_unknown_user_answers_a_browser_with_a_page() {
    let mut shop = Shop::open().await;
    shop.osc.set_claim("tenantId", None);
    shop.browser.sign_in(&shop.osc).await;
    let page = shop.browser.navigate("/assets/user").await;
    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text(&page).contains("cannot tell who you are") && text(&page).contains("<h1>"), "{page:?}");
    assert_eq!(error_of(&shop.browser.fetch("/assets/user").await), "user_unknown");
}
