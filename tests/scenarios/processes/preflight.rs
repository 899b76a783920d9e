//! The samples run the preflight at their start, and serve the probe.

use http::StatusCode;
use mock_osc::MockOsc;
use osc_tests::{Answer, Browser, NodeSetup, RedisServer, Sample, SampleNode, soon};

use crate::fleet::until;

const SAMPLES: [Sample; 2] = [Sample::Axum, Sample::Hyper];

async fn probe(node: &SampleNode) -> (StatusCode, String) {
    let answer: Answer = soon(Browser::new(node.app()).fetch("/ready")).await;
    (answer.status(), String::from_utf8_lossy(answer.body()).into_owned())
}

#[tokio::test]
async fn a_sample_prints_its_findings_and_serves_without_its_provider() {
    for sample in SAMPLES {
        let osc = MockOsc::builder().start().await.expect("the mock starts");
        osc.stop_listening().await;
        let setup = NodeSetup::new(sample, &osc, 3000, "memory:").with("PREFLIGHT", "on");
        let node = setup.start().await;
        node.wrote("- error, metadata: The metadata of the provider at").await;
        let (status, text) = probe(&node).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(text.starts_with("ready: the provider's metadata is unknown"), "{text}");
        assert_eq!(soon(Browser::new(node.app()).navigate("/")).await.status(), StatusCode::OK);

        osc.resume_listening().await.expect("the port is free");
        let node = setup.start().await;
        node.wrote("The preflight found nothing to correct.").await;
        assert_eq!(probe(&node).await, (StatusCode::OK, "ready".to_owned()));
    }
}

#[tokio::test]
async fn a_sample_without_its_store_is_not_ready_until_it_is_back() {
    for sample in SAMPLES {
        let osc = MockOsc::builder().start().await.expect("the mock starts");
        let mut redis = RedisServer::start().await;
        let node = NodeSetup::new(sample, &osc, 3000, &redis.url()).start().await;
        until("it is ready", async || probe(&node).await == (StatusCode::OK, "ready".to_owned())).await;
        redis.kill();
        until("it is not ready", async || probe(&node).await.0 == StatusCode::SERVICE_UNAVAILABLE).await;
        let (_, text) = probe(&node).await;
        assert!(text.starts_with("not ready: the session store does not answer"), "{text}");
        assert!(!text.contains("127.0.0.1"), "{text}");
        redis.restart().await;
        until("it is ready again", async || probe(&node).await.0 == StatusCode::OK).await;
    }
}
