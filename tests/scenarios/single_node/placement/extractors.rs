//! The extractors on every kind of path.

use axum::Router;
use axum::routing::get;
use http::{StatusCode, header};
use mock_osc::MockOsc;
use osc_auth_layer::{OscSession, OscToken};
use osc_tests::{Answer, layer, layer_for};

use super::browser;

/// Returns the same four handlers below a path. Each uses one of the extractors and answers with the
/// session's id.
fn handlers(base: &str) -> Router {
    let of_token = |token: OscToken| async move { token.session().id() };
    let perhaps_token = |token: Option<OscToken>| async move {
        token.map_or("nobody".to_owned(), |token| token.session().id())
    };
    let of_session = |session: OscSession| async move { session.id() };
    let perhaps_session = |session: Option<OscSession>| async move {
        session.map_or("nobody".to_owned(), |session| session.id())
    };
    Router::new()
        .route(&format!("{base}/token"), get(of_token))
        .route(&format!("{base}/token/perhaps"), get(perhaps_token))
        .route(&format!("{base}/session"), get(of_session))
        .route(&format!("{base}/session/perhaps"), get(perhaps_session))
}

const PATHS: [&str; 4] = ["/token", "/token/perhaps", "/session", "/session/perhaps"];

fn assert_missing(answer: &Answer) {
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.headers().contains_key(header::WWW_AUTHENTICATE));
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    let json: serde_json::Value = serde_json::from_slice(answer.body()).expect("JSON");
    assert_eq!(json["error"], "unauthenticated");
}

#[tokio::test]
async fn on_a_protected_path_every_extractor_yields_the_visitors_session() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = browser(handlers("").layer(layer(&osc)));
    for path in PATHS {
        assert_eq!(browser.fetch(path).await.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    browser.sign_in(&osc).await;

    let id = browser.fetch("/token").await;

    assert_eq!((id.status(), id.body().len()), (StatusCode::OK, 22));
    for path in PATHS {
        assert_eq!(browser.fetch(path).await.body(), id.body(), "{path}");
    }
}

#[tokio::test]
async fn on_a_public_path_only_optional_extractors_work_before_sign_in() {
    let osc = MockOsc::builder().start().await.unwrap();
    let mut browser = browser(handlers("/assets").layer(layer(&osc)));

    for path in ["/assets/token/perhaps", "/assets/session/perhaps"] {
        assert_eq!(browser.fetch(path).await.body(), "nobody", "{path}");
    }
    for path in ["/assets/token", "/assets/session"] {
        assert_missing(&browser.fetch(path).await);
    }
    browser.sign_in(&osc).await;
    for path in PATHS {
        let answer = browser.fetch(&format!("/assets{path}")).await;
        assert_eq!((answer.status(), answer.body().len()), (StatusCode::OK, 22), "{path}");
    }
}

#[tokio::test]
async fn without_the_layer_no_request_has_a_token() {
    let mut browser = browser(handlers(""));

    for path in ["/token", "/session"] {
        assert_missing(&browser.fetch(path).await);
    }
    for path in ["/token/perhaps", "/session/perhaps"] {
        assert_eq!(browser.fetch(path).await.body(), "nobody", "{path}");
    }
}

#[tokio::test]
async fn in_an_optional_app_every_handler_decides_for_itself() {
    let osc = MockOsc::builder().start().await.unwrap();
    let auth = layer_for(&osc).allow_anonymous().build().unwrap();
    let mut browser = browser(handlers("").layer(auth));

    assert_eq!(browser.fetch("/token/perhaps").await.body(), "nobody");
    assert_eq!(browser.fetch("/nothing").await.status(), StatusCode::NOT_FOUND);
    assert_missing(&browser.fetch("/token").await);
    browser.sign_in(&osc).await;
    for path in PATHS {
        assert_eq!(browser.fetch(path).await.body().len(), 22, "{path}");
    }
}

#[tokio::test]
async fn an_extracted_session_outlives_the_request_and_ends_with_the_sign_out() {
    let osc = MockOsc::builder().start().await.unwrap();
    let (sender, mut sessions) = tokio::sync::mpsc::unbounded_channel();
    let keep = move |session: OscSession| async move { sender.send(session).expect("the test listens") };
    let mut browser = browser(Router::new().route("/keep", get(keep)).layer(layer(&osc)));
    browser.sign_in(&osc).await;
    browser.fetch("/keep").await;
    let session = sessions.recv().await.unwrap();

    assert!(osc.is_live(session.token().await.unwrap().access_token()));
    browser.post_from("same-origin", "/auth/signout").await;
    assert!(session.token().await.is_err());
}
