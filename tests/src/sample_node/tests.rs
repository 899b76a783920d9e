use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::StatusCode;

use super::*;
use crate::{Browser, RedisServer};

fn setup(osc: &MockOsc, redis: &RedisServer) -> NodeSetup {
    NodeSetup::new(Sample::Axum, osc, 3000, &redis.url())
}

#[tokio::test]
async fn a_node_answers_until_it_is_killed_and_again_when_it_is_restarted() {
    let (osc, redis) = (MockOsc::builder().start().await.unwrap(), soon(RedisServer::start()).await);
    let mut node = setup(&osc, &redis).start().await;
    assert_eq!(soon(Browser::new(node.app()).fetch("/healthz")).await.status(), StatusCode::OK);
    assert!(node.log().contains("Open http://localhost:"), "{}", node.log());

    let before = node.addr();
    node.kill().await;
    assert!(Line::to(before).await.is_err());
    node.restart().await;
    assert_eq!(soon(Browser::new(node.app()).fetch("/healthz")).await.status(), StatusCode::OK);

    node.terminate();
    assert_eq!(node.ended().await, Some(0));
}

#[tokio::test]
async fn a_frozen_node_says_nothing_until_it_is_thawed_and_a_dropped_one_is_gone() {
    let (osc, redis) = (MockOsc::builder().start().await.unwrap(), soon(RedisServer::start()).await);
    let node = setup(&osc, &redis).start().await;
    node.freeze();
    let mut browser = Browser::new(node.app());
    let mut answer = Box::pin(browser.fetch("/healthz"));
    // No event shows that an answer does not come, so this waits much longer than an answer takes.
    assert!(tokio::time::timeout(std::time::Duration::from_millis(200), &mut answer).await.is_err());
    node.thaw();
    assert_eq!(soon(answer).await.status(), StatusCode::OK);

    let addr = node.addr();
    drop(node);
    soon(async { while Line::to(addr).await.is_ok() {} }).await;
}

#[tokio::test]
async fn a_node_that_does_not_start_tells_why() {
    let (osc, redis) = (MockOsc::builder().start().await.unwrap(), soon(RedisServer::start()).await);
    let setup = setup(&osc, &redis).with("COOKIE_KEY", "no base64");
    let panic = AssertUnwindSafe(setup.start()).catch_unwind().await.unwrap_err();
    let text = panic.downcast::<String>().unwrap();
    assert!(text.contains("COOKIE_KEY / cookie_key is not base64"), "{text}");
}
