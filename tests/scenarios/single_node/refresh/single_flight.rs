//! One refresh for any number of requests. The mock revokes the grant when a refresh token is used twice, so
//! a second request to it would end the session.

use std::pin::pin;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::Endpoint;
use osc_auth_layer::test_util::TestToken;
use osc_tests::{EXPIRED, LEEWAY, Stage, figure, latencies, soon, token_of};

const EXPIRIES: usize = 5;
const REQUESTS: usize = 10_000;

#[tokio::test]
async fn s40_ten_thousand_waiting_requests_share_one_refresh() {
    let stage = Stage::signed_in().await;
    for expiry in 1..=EXPIRIES {
        let old = stage.token().await;
        stage.pass(EXPIRED);
        let hold = stage.osc.hold(Endpoint::Token);
        let mut browsers = vec![stage.browser.clone(); REQUESTS];
        let mut requests = pin!(join_all(browsers.iter_mut().map(|browser| browser.fetch("/"))));
        assert!(requests.as_mut().now_or_never().is_none());
        soon(hold.arrived(1)).await;
        hold.release();

        let answers = soon(requests).await;

        let new = token_of(&answers[0]).expect("a token");
        assert_ne!(new.access_token(), old.access_token());
        assert!(stage.osc.is_live(new.access_token()));
        for answer in &answers {
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(token_of(answer).unwrap().access_token(), new.access_token());
        }
        assert_eq!(stage.refreshes(), expiry);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s40_ten_thousand_requests_on_many_threads_refresh_once_per_expiry() {
    let stage = Stage::signed_in().await;
    let mut took = Vec::new();
    for expiry in 1..=EXPIRIES {
        stage.pass(EXPIRED);
        let tasks: Vec<_> = (0..REQUESTS)
            .map(|_| {
                let (mut browser, began) = (stage.browser.clone(), Instant::now());
                tokio::spawn(async move { (browser.fetch("/").await, began.elapsed()) })
            })
            .collect();
        for task in tasks {
            let (answer, elapsed) = task.await.unwrap();
            took.push(elapsed);
            let token = token_of(&answer).unwrap_or_else(|| panic!("refused: {answer:?}"));
            assert!(stage.osc.is_live(token.access_token()));
        }
        assert_eq!(stage.refreshes(), expiry);
    }
    let grants = stage.refreshes() / EXPIRIES;
    figure([&"one process", &EXPIRIES, &"10,000", &0, &grants, &"alive", &latencies(took)]);
}

#[tokio::test]
async fn a_request_in_the_leeway_waits_for_the_new_token() {
    let stage = Stage::signed_in().await;
    let old = stage.token().await;
    stage.pass(LEEWAY);
    let (hold, request) = stage.held_up("/").await;
    hold.release();

    let new = token_of(&soon(request).await).expect("a token");

    assert_ne!(new.access_token(), old.access_token());
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test]
async fn sessions_do_not_wait_for_each_others_refresh() {
    let stage = Stage::signed_in().await;
    stage.pass(EXPIRED);
    let hold = stage.osc.hold(Endpoint::Token);
    let mut slow = stage.browser.clone();
    let mut slow = Box::pin(slow.fetch("/"));
    assert!(slow.as_mut().now_or_never().is_none());
    soon(hold.arrived(1)).await;
    let mut other = stage.browser_with(TestToken::new("pat-of-grace")).await;

    let answer = other.fetch("/").now_or_never().expect("it waits for a stranger's refresh");

    assert_eq!(answer.status(), StatusCode::OK);
    hold.release();
    assert_eq!(soon(slow).await.status(), StatusCode::OK);
}
