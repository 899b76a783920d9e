//! A thousand concurrent requests, and their latencies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use osc_tests::{Answer, Browser, Line, soon};
use tokio::sync::Barrier;

use super::Cluster;

pub(super) const REQUESTS: usize = CONNECTIONS * EACH;
const CONNECTIONS: usize = 250;
const EACH: usize = 4;

pub(super) struct Rush {
    pub(super) answers: Vec<Answer>,
    /// The number of questions to Redis.
    pub(super) questions: u64,
    pub(super) took: Vec<Duration>,
}

/// Requests `/api/session` for visitors in turn, at nodes in turn, over connections opened before.
pub(super) async fn rush(cluster: &Cluster, visitors: &[Browser]) -> Rush {
    let start = Arc::new(Barrier::new(CONNECTIONS));
    let nodes = cluster.nodes.len();
    let mut lines = Vec::new();
    for at in 0..CONNECTIONS {
        lines.push(Line::to(cluster.nodes[at % nodes].addr()).await.expect("a node listens"));
    }
    let tasks = lines.into_iter().enumerate().map(|(at, mut line)| {
        let start = start.clone();
        let request = cluster.request(&visitors[at / nodes % visitors.len()], "/api/session");
        tokio::spawn(async move {
            start.wait().await;
            let mut answers = Vec::new();
            for _ in 0..EACH {
                let began = Instant::now();
                let answer = line.send(request.clone()).await.expect("an answer");
                answers.push((answer, began.elapsed()));
            }
            answers
        })
    });
    let before = cluster.questions().await;
    let answers = soon(join_all(tasks)).await;
    let answers = answers.into_iter().flat_map(|answers| answers.expect("no connection fails"));
    let (answers, took) = answers.unzip();
    Rush { answers, questions: cluster.questions().await - before, took }
}
