//! Visitors who keep sending requests while something happens to the nodes. Requests are routed as by a load
//! balancer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use http::{Request, StatusCode};
use mock_osc::Endpoint;
use osc_tests::{Answer, Body, Browser, Line, LineError, error_of, soon};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Cluster;

/// The lifetime of tokens that keeps refreshes running all the time.
pub(crate) const BRISK: Duration = Duration::from_secs(1);
const AT_A_TIME: usize = 4;
/// The pause between two requests.
const PACE: Duration = Duration::from_millis(40);

/// Waits until as many refreshes have begun as there are visitors.
pub(super) async fn refreshed(cluster: &Cluster, visitors: &[Browser]) {
    let so_far = cluster.osc.count(Endpoint::Token);
    soon(cluster.osc.wait_for_requests(Endpoint::Token, so_far + visitors.len())).await;
}

pub(super) struct Load {
    tally: Arc<watch::Sender<Tally>>,
    nodes: Nodes,
    going_on: watch::Sender<bool>,
    visitors: Vec<JoinHandle<()>>,
}

type Nodes = Arc<Mutex<Vec<SocketAddr>>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) served: usize,
    /// Answers that asked the visitor to retry, by node.
    pub(super) unavailable: Vec<usize>,
    /// Requests that were repeated at another node. The first node was down, or closed the connection without
    /// a byte of an answer.
    pub(super) moved_on: usize,
    /// All other answers.
    pub(super) wrong: Vec<String>,
}

impl Load {
    /// Starts the load. Each visitor sends a few requests at a time, so that one waiting request does not
    /// stop the others.
    pub(super) fn start(cluster: &Cluster, visitors: &[Browser]) -> Self {
        let nodes: Vec<_> = cluster.nodes.iter().map(osc_tests::SampleNode::addr).collect();
        let tally = Tally { unavailable: vec![0; nodes.len()], ..Tally::default() };
        let (tally, nodes) = (Arc::new(watch::Sender::new(tally)), Arc::new(Mutex::new(nodes)));
        let going_on = watch::Sender::new(true);
        let visitors = (0..AT_A_TIME).flat_map(|_| visitors).enumerate().map(|(at, visitor)| {
            let request = cluster.request(visitor, "/api/session");
            tokio::spawn(visit(
                request,
                at / visitors.len(),
                nodes.clone(),
                tally.clone(),
                going_on.subscribe(),
            ))
        });
        let visitors = visitors.collect();
        Self { tally, nodes, going_on, visitors }
    }

    /// Records a node's new address.
    pub(super) fn send_to(&self, node: usize, addr: SocketAddr) {
        self.nodes.lock().expect("no panic under the lock")[node] = addr;
    }

    pub(super) async fn until(&self, happened: impl Fn(&Tally) -> bool) {
        soon(self.tally.subscribe().wait_for(|tally| happened(tally))).await.expect("the tally stays");
    }

    /// Ends the load. No answer may have been wrong.
    pub(super) async fn end(self) -> Tally {
        self.going_on.send_replace(false);
        for ended in soon(join_all(self.visitors)).await {
            ended.expect("no visitor panics");
        }
        let tally = self.tally.borrow().clone();
        assert!(tally.wrong.is_empty(), "{tally:?}");
        tally
    }
}

async fn visit(
    request: Request<Body>,
    mut turn: usize,
    nodes: Nodes,
    tally: Arc<watch::Sender<Tally>>,
    going_on: watch::Receiver<bool>,
) {
    while *going_on.borrow() {
        turn += 1;
        let (node, addr) = {
            let nodes = nodes.lock().expect("no panic under the lock");
            (turn % nodes.len(), nodes[turn % nodes.len()])
        };
        let answer = match Line::to(addr).await {
            Ok(mut line) => line.send(request.clone()).await.map_err(Some),
            Err(_) => Err(None),
        };
        tally.send_modify(|tally| tally.count(node, answer));
        tokio::time::sleep(PACE).await;
    }
}

impl Tally {
    /// Counts an answer. `Err(None)` means that nothing listened.
    fn count(&mut self, node: usize, answer: Result<Answer, Option<LineError>>) {
        match answer {
            Ok(answer) if answer.status() == StatusCode::OK => self.served += 1,
            Ok(answer)
                if answer.status() == StatusCode::SERVICE_UNAVAILABLE
                    && error_of(&answer) == "temporarily_unavailable" =>
            {
                self.unavailable[node] += 1;
            }
            Err(None | Some(LineError::Unanswered(_))) => self.moved_on += 1,
            Ok(answer) => self.wrong.push(format!("node {node}: {answer:?}")),
            Err(Some(torn)) => self.wrong.push(format!("node {node}: {torn}")),
        }
    }
}
