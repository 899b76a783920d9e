//! The app of each contender. `/` takes the access token and answers 200 with an empty body. `/token` returns the
//! token.

pub(crate) mod login;
pub(crate) mod oidc;
pub(crate) mod oidc_1;
pub(crate) mod oidc_client;
pub(crate) mod ours;
pub(crate) mod sessions;

use axum::Router;
use http::HeaderValue;

use crate::browser::{App, Browser};
use crate::provider::Provider;
use crate::stage::{ACCESS_TOKEN, REFRESH_TOKEN};

/// The app's public URL.
pub(crate) const ORIGIN: &str = "https://app.example.com";

/// Signs users in with the provider and returns their `Cookie` headers.
pub(crate) async fn signed_in(
    app: &Router,
    provider: &Provider,
    path: &str,
    sessions: usize,
) -> Vec<HeaderValue> {
    let mut cookies = Vec::with_capacity(sessions);
    for _ in 0..sessions {
        let mut browser = Browser::new(App::Here(app.clone()));
        browser.sign_in(provider, path).await;
        cookies.push(browser.cookie_header());
    }
    cookies
}

/// Does the same for an app with a `/login/{n}` instead of a provider.
pub(crate) async fn logged_in(app: &Router, sessions: usize) -> Vec<HeaderValue> {
    let mut cookies = Vec::with_capacity(sessions);
    for n in 0..sessions {
        let mut browser = Browser::new(App::Here(app.clone()));
        assert!(browser.get(&format!("/login/{n}")).await.status().is_success());
        cookies.push(browser.cookie_header());
    }
    cookies
}

pub(crate) fn access_token(n: usize) -> String {
    format!("{n:0>ACCESS_TOKEN$}")
}

pub(crate) fn refresh_token(n: usize) -> String {
    format!("{n:0>REFRESH_TOKEN$}")
}
