//! Counts the bytes of a session beyond its tokens, in a store of 100,000.

use allocation_counter::{measure, opt_out};
use axum_oidc_client::auth::router::handle_callback::AccessTokenResponse;
use axum_oidc_client::auth_builder::OAuthConfigurationBuilder;
use axum_oidc_client::auth_cache::AuthCache;
use axum_oidc_client::auth_session::AuthSession;
use axum_oidc_client::cache::TwoTierAuthCache;
use axum_oidc_client::cache::config::TwoTierCacheConfig;
use futures_util::FutureExt;
use http::HeaderValue;
use tokio::runtime::Runtime;

use crate::contenders::Sessions;
use crate::stage::{ACCESS_TOKEN, REFRESH_TOKEN, builder, id_of, minimum_token, signed_in};

const SESSIONS: usize = 100_000;
pub(crate) const TOKENS: usize = ACCESS_TOKEN + REFRESH_TOKEN;

fn beyond(bytes: i64, payload: usize) -> f64 {
    bytes as f64 / SESSIONS as f64 - payload as f64
}

/// Measures the minimum and the layer.
pub(crate) fn ours(runtime: &Runtime) -> (f64, f64) {
    let layer = builder().build().expect("the layer builds");
    let mut ids = Vec::with_capacity(SESSIONS);
    let layers = measure(|| {
        let cookies = runtime.block_on(signed_in(&layer, SESSIONS));
        opt_out(|| ids.extend(cookies.iter().map(id_of)));
    });
    // Declared outside the measurement: memory that is freed within does not count.
    let sessions = Sessions::default();
    let minimums = measure(|| {
        for (n, id) in ids.iter().enumerate() {
            sessions.insert(*id, minimum_token(n));
        }
    });
    (beyond(minimums.bytes_current, TOKENS), beyond(layers.bytes_current, TOKENS))
}

/// Defines a function for each version of tower-sessions: they have the same names. It stores copies of one user's
/// record under their own ids.
macro_rules! of_records {
    ($name:ident, $version:ident) => {
        pub(crate) fn $name(
            store: &$version::MemoryStore,
            cookie: &HeaderValue,
            payload: impl FnOnce(&serde_json::Value) -> usize,
        ) -> f64 {
            use $version::SessionStore;

            let cookie = cookie.to_str().expect("cookies are ASCII");
            let (_, id) = cookie.split_once('=').expect("a cookie has a name");
            let id = id.parse().expect("an id");
            let loaded = store.load(&id).now_or_never().expect("the lock is free");
            let record = loaded.expect("it is in memory").expect("the user is signed in");
            let payload = payload(&serde_json::to_value(&record.data).expect("it is JSON"));
            let store = $version::MemoryStore::default();
            let counted = measure(|| {
                for _ in 0..SESSIONS {
                    let mut record = record.clone();
                    record.id = Default::default();
                    let stored = store.create(&mut record).now_or_never();
                    stored.expect("the lock is free").expect("it is in memory");
                }
            });
            beyond(counted.bytes_current, payload)
        }
    };
}

of_records!(of_sessions, tower_sessions);
of_records!(of_sessions_14, tower_sessions_14);

/// Measures axum-oidc-client. Its callback makes such sessions. Its cache holds 10,000 by default, and all of them
/// here.
pub(crate) fn of_oidc_client(id_token: usize) -> f64 {
    let configuration = OAuthConfigurationBuilder::default()
        .with_authorization_endpoint("http://localhost/authorize")
        .with_token_endpoint("http://localhost/token")
        .with_client_id("id")
        .with_client_secret("secret")
        .with_redirect_uri("http://localhost/auth/callback")
        .with_private_cookie_key("a key of more than thirty-two characters")
        .with_post_logout_redirect_uri("/")
        .with_session_max_age(30)
        .build()
        .expect("the configuration is complete");
    let response = AccessTokenResponse {
        id_token: "i".repeat(id_token),
        access_token: "a".repeat(ACCESS_TOKEN),
        token_type: "Bearer".to_owned(),
        expires_in: Some(3600),
        refresh_token: Some("r".repeat(REFRESH_TOKEN)),
        scope: None,
    };
    let room = TwoTierCacheConfig { l1_max_capacity: 2 * SESSIONS as u64, ..Default::default() };
    let mut kept = None;
    let counted = measure(|| {
        let cache = kept.insert(TwoTierAuthCache::new(None, room).expect("it is in memory"));
        for n in 0..SESSIONS {
            // The length of the UUID that the crate uses.
            let id = format!("{n:0>36}");
            let session = AuthSession::new(&response, &configuration);
            let stored = cache.set_auth_session(&id, session).now_or_never();
            stored.expect("the lock is free").expect("it is in memory");
        }
    });
    beyond(counted.bytes_current, TOKENS + id_token)
}
