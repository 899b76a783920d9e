//! The places where the layer can stand in an axum app, and their effects.

mod extractors;
mod layers;
mod middleware;
mod nesting;
mod sockets;

use axum::{Extension, Router};
use http::StatusCode;
use mock_osc::MockOsc;
use osc_auth_layer::OscToken;
use osc_tests::{Browser, boxed, location, path_of, token_of};

/// A handler that requires a token and passes it to the test.
async fn private(token: OscToken) -> (Extension<OscToken>, &'static str) {
    (Extension(token), "private")
}

/// A handler with an optional token.
async fn open(token: Option<OscToken>) -> &'static str {
    if token.is_some() { "signed in" } else { "anonymous" }
}

fn browser(app: Router) -> Browser {
    Browser::new(boxed(app))
}

/// Signs in below `base` and checks `base/private`, which needs a token.
async fn signs_in(app: Router, osc: &MockOsc, base: &str) -> Browser {
    let mut browser = browser(app);
    let page = format!("{base}/private");
    assert_eq!(browser.fetch(&page).await.status(), StatusCode::UNAUTHORIZED);

    let authorize = browser.begin_sign_in(&format!("{base}/auth/signin?return_to={page}")).await;
    let callback = osc.approve(&authorize).await.expect("the provider asks for consent");
    let back = browser.navigate(path_of(&callback)).await;

    assert_eq!((back.status(), location(&back)), (StatusCode::SEE_OTHER, page.clone()));
    let answer = browser.fetch(&page).await;
    assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, &b"private"[..]));
    let token = token_of(&answer).expect("the handler was given a token");
    assert!(osc.is_live(token.access_token()));
    browser
}

/// Signs out below `base` and checks that `base/private` is refused.
async fn signs_out(browser: &mut Browser, base: &str) {
    let answer = browser.post_from("same-origin", &format!("{base}/auth/signout")).await;
    assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, format!("{base}/")));
    assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
    let answer = browser.fetch(&format!("{base}/private")).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

async fn status(browser: &mut Browser, path: &str) -> StatusCode {
    browser.fetch(path).await.status()
}
