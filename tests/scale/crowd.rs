//! The users, their nodes, and the loop that moves the time from one event to the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::convert::Infallible;
use std::future::Ready;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::poll;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Empty;
use osc_auth_layer::test_util::{TestToken, held, scaled_down};
use osc_auth_layer::{OAuthClient, OscAuth, OscAuthLayer};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tower::util::ServiceFn;
use tower::{Layer, ServiceExt, service_fn};

use crate::answered::Answered;
use crate::clock::VirtualClock;
use crate::paper::{AT_ONCE, NODES, REQUEST_EVERY, USERS};
use crate::provider::{Provider, user_agent};
use crate::store::{Kind, LOOK_EVERY, Shared};
use crate::tally::{Event, Levels, Tally};

/// The time advances by this at least, in milliseconds.
const STEP: u64 = 10;
/// The users without a valid token are counted this often.
const SAMPLE_EVERY: u64 = 5000;
/// The longest real time for a request on loopback. A machine that is busier than this spoils the figures, and no more.
const ON_THE_WIRE: Duration = Duration::from_millis(500);

type Inner = ServiceFn<fn(Request<Empty<Bytes>>) -> Ready<Result<Response<Empty<Bytes>>, Infallible>>>;

struct Node {
    layer: OscAuthLayer,
    app: OscAuth<Inner>,
}

/// Users at nodes of an app.
pub(crate) struct Crowd {
    pub(crate) clock: VirtualClock,
    pub(crate) tally: Tally,
    pub(crate) provider: Provider,
    pub(crate) kind: Kind,
    scale: usize,
    store: Shared,
    /// `None` while a node is being restarted.
    nodes: Vec<Option<Node>>,
    /// The session cookies.
    users: Vec<HeaderValue>,
    /// The time of each user's next request, and the user.
    requests: BinaryHeap<Reverse<(u64, usize)>>,
    rng: StdRng,
    waiting: Arc<AtomicUsize>,
    /// The users who were answered 401.
    signed_out: Arc<Mutex<Vec<usize>>>,
    /// A 401 is no failure.
    may_sign_out: bool,
    sampled_at: u64,
    looked_at: u64,
}

impl Crowd {
    /// Starts the nodes. Each user stands for `scale` users, and each node has its limits divided by that.
    pub(crate) async fn start(kind: Kind, scale: usize) -> Self {
        let clock = VirtualClock::default();
        // The layer takes times at the epoch for unknown ones.
        clock.move_to(1_000_000_000);
        let tally = Tally::new(clock.clone());
        let limit = (AT_ONCE / scale).max(1);
        let provider = Provider::start(clock.clone(), tally.clone(), USERS / scale, limit).await;
        let store = Shared::new(kind, clock.clone(), tally.clone());
        let mut crowd = Self {
            tally,
            provider,
            kind,
            scale,
            store,
            nodes: Vec::new(),
            users: Vec::new(),
            requests: BinaryHeap::new(),
            rng: StdRng::seed_from_u64(18),
            waiting: Arc::default(),
            signed_out: Arc::default(),
            may_sign_out: false,
            sampled_at: 0,
            looked_at: 0,
            clock,
        };
        for number in 0..NODES {
            let node = crowd.build(number).await;
            crowd.nodes.push(Some(node));
        }
        crowd
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.millis()
    }

    async fn build(&self, number: usize) -> Node {
        let client = OAuthClient::confidential("scale", "a secret of 32 characters or more");
        let builder = OscAuthLayer::builder(client)
            .issuer(self.provider.issuer())
            .public_url("http://localhost:3000")
            .max_sessions(USERS)
            .configure_http(move |http| http.user_agent(user_agent(number)).no_proxy())
            .clock(self.clock.clone());
        let builder = match self.store.join() {
            Some(store) => builder.store(store),
            None => builder,
        };
        let layer = scaled_down(builder, self.scale).build().expect("the layer builds");
        let answer: fn(_) -> _ = |_| std::future::ready(Ok(Response::new(Empty::new())));
        let node = Node { app: layer.layer(service_fn(answer)), layer };
        // Fetches the metadata of the provider, while the time stands still.
        let sign_in = Request::get("/auth/signin").header(header::HOST, "localhost:3000");
        let sign_in = node.app.clone().oneshot(sign_in.body(Empty::new()).expect("a request")).await;
        assert_eq!(sign_in.map(|answer| answer.status()), Ok(StatusCode::SEE_OTHER));
        node
    }

    /// Signs all users in, spread evenly over this time.
    pub(crate) async fn sign_all_in(&mut self, over: Duration) {
        let (began, users) = (self.now(), (USERS / self.scale) as u64);
        for user in 0..users {
            self.run_until(began + millis(over) * user / users).await;
            let cookie = self.sign_in(user as usize).await;
            self.users.push(cookie);
            self.expect_request(user as usize);
        }
        self.run_until(began + millis(over)).await;
    }

    async fn sign_in(&mut self, user: usize) -> HeaderValue {
        let token = TestToken::from_answer(self.provider.sign_in(user));
        let node = self.node_for(user).expect("a node works");
        node.layer.sign_in_for_test(token).await
    }

    fn expect_request(&mut self, user: usize) {
        let pause = -(1.0 - self.rng.random::<f64>()).ln() * REQUEST_EVERY * 1000.0;
        let at = (self.now() + pause as u64).next_multiple_of(STEP).max(self.now() + STEP);
        self.requests.push(Reverse((at, user)));
    }

    /// Returns the node that gets a user's next request. `None` if the user is pinned to a node that is being restarted.
    fn node_for(&mut self, user: usize) -> Option<&Node> {
        if self.kind == Kind::None {
            return self.nodes[user % NODES].as_ref();
        }
        let up: Vec<_> = self.nodes.iter().flatten().collect();
        Some(up[self.rng.random_range(0..up.len())])
    }

    pub(crate) async fn run_for(&mut self, time: Duration) {
        self.run_until(self.now() + millis(time)).await;
    }

    async fn run_until(&mut self, end: u64) {
        loop {
            let request = self.requests.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
            let slept = self.clock.next_end().map_or(u64::MAX, |end| end.next_multiple_of(STEP));
            let next = request.min(slept).max(self.now());
            if next > end {
                break;
            }
            self.clock.move_to(next);
            // A look matters to the next request, so it need not be an event of its own.
            if self.kind == Kind::Counter && next >= self.looked_at + LOOK_EVERY {
                self.looked_at = next;
                self.store.look();
            }
            while self.requests.peek().is_some_and(|Reverse((at, _))| *at <= next) {
                let Some(Reverse((_, user))) = self.requests.pop() else { break };
                self.send(user).await;
                self.expect_request(user);
            }
            self.settle().await;
            self.sample();
        }
        self.clock.move_to(end);
        self.settle().await;
    }

    /// Sends a user's request. One that has to wait becomes a task.
    async fn send(&mut self, user: usize) {
        let cookie = self.users[user].clone();
        let Some(node) = self.node_for(user) else { return };
        let request = Request::get("/").header(header::HOST, "localhost:3000").header(header::COOKIE, cookie);
        let request = request.body(Empty::new()).expect("a request");
        let mut answer = Box::pin(node.app.clone().oneshot(request));
        self.tally.add(Event::Request);
        let answered = Answered {
            user,
            sent_at: self.now(),
            clock: self.clock.clone(),
            tally: self.tally.clone(),
            signed_out: self.signed_out.clone(),
        };
        if let std::task::Poll::Ready(answer) = poll!(&mut answer) {
            answered.note(answer.map(|answer| answer.status()));
            return;
        }
        let waiting = self.waiting.clone();
        waiting.fetch_add(1, Relaxed);
        tokio::spawn(async move {
            answered.note(answer.await.map(|answer| answer.status()));
            waiting.fetch_sub(1, Relaxed);
        });
    }

    /// Waits until nothing can go on before the time does.
    async fn settle(&mut self) {
        let (mut idle, mut seen) = (0, self.happenings());
        let mut on_the_wire_since = None;
        while idle < 2 {
            tokio::task::yield_now().await;
            if self.clock.refreshes_under_way() > self.provider.held() {
                let since = *on_the_wire_since.get_or_insert_with(Instant::now);
                if since.elapsed() < ON_THE_WIRE {
                    continue;
                }
            } else {
                on_the_wire_since = None;
            }
            let now = self.happenings();
            idle = if now == seen { idle + 1 } else { 0 };
            seen = now;
        }
        let signed_out = std::mem::take(&mut *self.signed_out.lock().unwrap_or_else(PoisonError::into_inner));
        for user in signed_out {
            if !self.may_sign_out {
                self.tally.fail(|| format!("user {user} was signed out"));
            }
            self.users[user] = self.sign_in(user).await;
        }
    }

    fn happenings(&self) -> u64 {
        self.clock.happenings() + self.waiting.load(Relaxed) as u64 + self.tasks() as u64
    }

    fn tasks(&self) -> usize {
        self.nodes.iter().flatten().map(|node| node.layer.tasks_under_way()).sum()
    }

    fn sample(&mut self) {
        if self.now() >= self.sampled_at + SAMPLE_EVERY {
            self.sampled_at = self.now();
            let (expired, waiting) = (self.provider.expired(), self.waiting.load(Relaxed));
            self.tally.level(Levels { expired, waiting, tasks: self.tasks() });
        }
    }

    /// Replaces a node, which is away for `pause`. Users without a store lose their sessions on it.
    ///
    /// # Panics
    /// If the new node does not build.
    pub(crate) async fn restart(&mut self, number: usize, pause: Duration) {
        let Some(old) = self.nodes[number].take() else { return };
        self.may_sign_out = self.kind == Kind::None;
        let layer = old.layer.clone();
        let shutdown = tokio::spawn(async move { layer.shutdown(Duration::from_secs(30)).await });
        self.run_for(pause).await;
        if !shutdown.is_finished() {
            self.run_for(Duration::from_secs(30)).await;
        }
        if !matches!(shutdown.await, Ok(Ok(()))) {
            self.tally.fail(|| format!("the work of node {number} did not end"));
        }
        drop(old);
        self.nodes[number] = Some(self.build(number).await);
    }

    /// Returns the sessions in the memory of all nodes.
    pub(crate) fn sessions_in_memory(&self) -> usize {
        self.nodes.iter().flatten().map(|node| held(&node.layer).0).sum()
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
