//! Receives notifications of changes on its own connection, as long as there is a watcher.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::{AsyncConnectionConfig, ProtocolVersion};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout, timeout_at};

use super::connect::Connection;
use super::link::Link;
use super::problem::Problem;
use super::sequence::{Listener, Sequence};
use crate::secret::random_token;
use crate::store::Watcher;

const CANARY_EVERY: Duration = Duration::from_millis(250);
/// A canary that takes longer counts as lost, because by then no layer trusts the sequence any more.
const CANARY_LIMIT: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The pause while the command connection is down too. That one reconnects by itself.
const LINK_PAUSE: Duration = Duration::from_millis(250);
/// This many failures in a row last for more than a second, so they are no passing fault.
const FAILURES_TO_LOG: u32 = 6;

pub(super) struct Tracking {
    namespace: Arc<str>,
    link: Arc<Link>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    watchers: Vec<Watcher>,
    sequence: Option<Arc<Sequence>>,
    task: Option<JoinHandle<()>>,
}

impl Tracking {
    pub(super) fn new(namespace: Arc<str>, link: Arc<Link>) -> Self {
        Self { namespace, link, state: Mutex::default() }
    }

    pub(super) fn watch(self: &Arc<Self>, watcher: Watcher) {
        let mut state = self.state.lock();
        if let Some(sequence) = &state.sequence {
            sequence.begin(&watcher);
        }
        state.watchers.push(watcher);
        drop(state);
        self.keep_going();
    }

    /// Starts the task if there is a watcher and the task does not run. A layer is often built before there is a runtime, and a
    /// runtime may end.
    pub(super) fn keep_going(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let is_missing = state.task.as_ref().is_none_or(JoinHandle::is_finished);
        if is_missing
            && !state.watchers.is_empty()
            && let Ok(runtime) = Handle::try_current()
        {
            state.task = Some(runtime.spawn(keep_listening(Arc::downgrade(self))));
        }
    }

    /// Connects, and from then on tells every watcher of what changes.
    async fn listen(&self) -> Result<(Connection, Arc<Sequence>), Problem> {
        let (connection, sequence) = self.connect().await?;
        let mut state = self.state.lock();
        state.watchers.iter().for_each(|watcher| sequence.begin(watcher));
        state.sequence = Some(sequence.clone());
        Ok((connection, sequence))
    }

    /// Finds out whether a notification arrives, over a connection of its own.
    pub(super) async fn try_once(&self) -> Result<(), Problem> {
        let (_connection, sequence) = self.connect().await?;
        let arrival = async {
            self.link.try_to_ask(&sequence.canary(1)).await?;
            sequence.arrival(1).await
        };
        timeout(CANARY_LIMIT, arrival).await.unwrap_or(Err(Problem::Unnotified))
    }

    /// Opens a connection that receives notifications.
    async fn connect(&self) -> Result<(Connection, Arc<Sequence>), Problem> {
        // Redis sends notifications of simultaneous changes prefix by prefix, in order. Canaries have to come after sessions.
        let sessions = format!("{}:s:", self.namespace);
        let canaries = format!("{}:w:{}:", self.namespace, random_token::<12>());
        let mut tracking = redis::cmd("CLIENT");
        tracking.arg(&["TRACKING", "ON", "BCAST", "PREFIX", &sessions, "PREFIX", &canaries]);
        let sequence = Arc::new(Sequence::new(sessions, canaries));
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(self.link.timeout))
            .set_push_sender(Listener(sequence.clone()));
        // RESP3 has the push messages that bring the notifications.
        let connecting = self.link.server.connect(ProtocolVersion::RESP3, config);
        let mut connection =
            timeout(self.link.timeout, connecting).await.map_err(|_| Problem::TimedOut)??;
        tracking.exec_async(&mut connection.redis).await?;
        Ok((connection, sequence))
    }
}

async fn keep_listening(tracking: Weak<Tracking>) {
    let (mut failures, mut is_logged) = (0, false);
    while let Some(strong) = wanted(&tracking) {
        if strong.link.connected().await.is_err() {
            drop(strong);
            sleep(LINK_PAUSE).await;
            continue;
        }
        let following = async {
            let (_connection, sequence) = strong.listen().await?;
            drop(strong);
            let followed = follow(&tracking, &sequence, &mut failures, &mut is_logged).await;
            sequence.end();
            followed
        };
        let Err(problem) = following.await else { return };
        failures += 1;
        let is_refused = matches!(problem, Problem::Refused(_) | Problem::Unknown | Problem::Nonsense);
        tracing::debug!(cause = %problem, "Redis stopped sending notifications of changes");
        if !is_logged && (is_refused || failures >= FAILURES_TO_LOG) {
            is_logged = true;
            tracing::info!(
                cause = %problem,
                "Redis sends no notifications of changes. Until it does, each request with a session asks Redis."
            );
        }
        // A full memory may soon have room again. Other refusals last longer.
        let is_full = matches!(&problem, Problem::Refused(code) if code == "OOM");
        let pause =
            if is_refused && !is_full { LONGEST_PAUSE } else { FIRST_PAUSE * (1 << failures.min(11)) };
        sleep(pause.min(LONGEST_PAUSE).mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
    }
}

/// Returns the tracking while there is a watcher. After `None` the task must end, and another may be started.
fn wanted(tracking: &Weak<Tracking>) -> Option<Arc<Tracking>> {
    let tracking = tracking.upgrade()?;
    let mut state = tracking.state.lock();
    state.watchers.retain(Watcher::is_watching);
    if state.watchers.is_empty() {
        *state = State::default();
        return None;
    }
    drop(state);
    Some(tracking)
}

/// Sends one canary after another until one does not arrive, or nobody wants to know any more.
async fn follow(
    tracking: &Weak<Tracking>,
    sequence: &Sequence,
    failures: &mut u32,
    is_logged: &mut bool,
) -> Result<(), Problem> {
    let mut number = 0;
    while let Some(strong) = wanted(tracking) {
        number += 1;
        let sent = Instant::now();
        let arrival = async {
            strong.link.ask(&sequence.canary(number)).await?;
            sequence.arrival(number).await
        };
        timeout_at((sent + CANARY_LIMIT).into(), arrival).await.unwrap_or(Err(Problem::Unnotified))?;
        drop(strong);
        *failures = 0;
        if std::mem::take(is_logged) {
            tracing::info!("Redis sends notifications of changes again.");
        }
        // The next one is not under way yet, so this ends early only with the sequence.
        timeout_at((sent + CANARY_EVERY).into(), sequence.arrival(number + 1)).await.unwrap_or(Ok(()))?;
    }
    Ok(())
}
