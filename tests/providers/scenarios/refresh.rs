//! Refreshes at providers that rotate refresh tokens and end the session when one is used twice.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use http::StatusCode;
use osc_tests::{error_of, soon, token_of};

use crate::provider::{Kind, Setup};
use crate::stage::Stage;

pub(crate) async fn s41_a_session_outlives_its_refresh_tokens(kind: Kind) {
    const ROTATIONS: usize = 5;
    let stage = Stage::signed_in(Setup::of(kind)).await;
    let mut tokens = BTreeSet::new();
    for _ in 0..ROTATIONS {
        stage.expire().await;
        let token = stage.token().await;
        stage.assert_live(&token).await;
        tokens.insert(token.access_token().to_owned());
    }
    assert_eq!(tokens.len(), ROTATIONS);
    let given: BTreeSet<_> = stage.provider.refresh_tokens().await.into_iter().collect();
    assert_eq!(given.len(), 1 + ROTATIONS, "the provider does not rotate");
    assert_eq!(stage.provider.refreshes().await, ROTATIONS);
}

/// Without this behaviour, the scenarios with concurrent requests would prove nothing.
pub(crate) async fn s28_a_reused_refresh_token_ends_the_session(kind: Kind) {
    let stage = Stage::signed_in(Setup::of(kind)).await;
    let first = stage.provider.refresh_tokens().await.remove(0);
    stage.expire().await;
    stage.token().await;

    assert_eq!(stage.provider.spend(&first).await.as_deref(), Some("invalid_grant"));

    stage.expire().await;
    let answer = stage.fetch().await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(error_of(&answer), "session_ended");
}

pub(crate) async fn s40_hundreds_of_requests_at_expiry_make_one_grant_request(kind: Kind) {
    const EXPIRIES: usize = 3;
    const REQUESTS: usize = 500;
    let stage = Stage::signed_in(Setup::of(kind)).await;
    for expiry in 1..=EXPIRIES {
        let old = stage.token().await;
        stage.expire().await;
        let requests = (0..REQUESTS).map(|_| {
            let mut browser = stage.browser.clone();
            tokio::spawn(async move { browser.fetch("/").await })
        });

        let answers = soon(join_all(requests)).await;

        let new = stage.token().await;
        assert_ne!(new.access_token(), old.access_token());
        stage.assert_live(&new).await;
        for answer in answers {
            let answer = answer.expect("no request panics");
            let token = token_of(&answer).unwrap_or_else(|| panic!("refused: {answer:?}"));
            assert_eq!(token.access_token(), new.access_token());
        }
        assert_eq!(stage.provider.refreshes().await, expiry);
    }
}

pub(crate) async fn s31_sign_out_leaves_a_dead_refresh_token(kind: Kind) {
    let mut stage = Stage::signed_in(Setup::of(kind)).await;
    stage.expire().await;
    let token = stage.token().await;
    let cookies = stage.browser.clone();

    stage.sign_out().await;

    let last = stage.provider.refresh_tokens().await.pop().expect("a refresh token");
    assert_eq!(stage.provider.spend(&last).await.as_deref(), Some("invalid_grant"));
    assert_eq!(stage.provider.user_of(token.access_token()).await, None);
    stage.browser = cookies;
    assert_eq!(stage.fetch().await.status(), StatusCode::UNAUTHORIZED);
}

/// Uses the provider's own clock. A visitor who sends ten requests a second never holds a token that the
/// provider refuses.
pub(crate) async fn s40_short_lived_tokens_are_refreshed_before_they_expire(kind: Kind) {
    const REFRESHES: usize = 2;
    let mut stage = Stage::by_the_system_clock(Setup { token_ttl: 8, ..Setup::of(kind) }).await;
    stage.sign_in().await;
    let mut click = tokio::time::interval(Duration::from_millis(100));
    let mut held = BTreeSet::new();
    while held.len() <= REFRESHES {
        click.tick().await;
        let token = stage.token().await;
        held.insert(token.access_token().to_owned());
        let accepted = stage.provider.user_of(token.access_token()).await.is_some();
        // On a machine that stalls for seconds, the token may expire on the way.
        let left = token.expires_at().duration_since(SystemTime::now()).unwrap_or_default();
        if !accepted && left > Duration::from_millis(1500) {
            // Django ends the old access token at the refresh, even while a request holds it.
            assert_eq!(kind, Kind::Django);
            let newer = soon(token.session().refresh(&token)).await.expect("a newer token");
            assert_ne!(newer.access_token(), token.access_token());
            stage.assert_live(&newer).await;
        }
    }
    assert_eq!(stage.provider.refreshes().await, held.len() - 1);
}
