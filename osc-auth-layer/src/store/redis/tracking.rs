//! Listens to what changes, on a connection of its own, as long as somebody wants to know.

use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::AsyncConnectionConfig;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout_at};

use super::connect::{Connection, Server};
use super::link::Link;
use super::problem::Problem;
use super::sequence::{Listener, Sequence};
use crate::secret::random_token;
use crate::store::Watcher;

const CANARY_EVERY: Duration = Duration::from_millis(250);
/// A canary that takes longer is not coming: by then nobody trusts the sequence any more.
const CANARY_LIMIT: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// While the command connection is down too, which looks after itself.
const LINK_PAUSE: Duration = Duration::from_millis(250);
/// So many failures in a row are no unlucky moment: they last for more than a second.
const FAILURES_TO_LOG: u32 = 6;

pub(super) struct Tracking {
    /// Speaks RESP3, whose push messages bring the notifications.
    server: Server,
    timeout: Duration,
    sessions: String,
    canaries: String,
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
    pub(super) fn new(server: Server, timeout: Duration, namespace: &str, link: Arc<Link>) -> Self {
        // Redis tells of what changes at the same moment prefix by prefix, in order: canaries must come after sessions.
        let (sessions, canaries) = (format!("{namespace}:s:"), format!("{namespace}:w:"));
        Self { server, timeout, sessions, canaries, link, state: Mutex::default() }
    }

    pub(super) fn watch(self: &Arc<Self>, watcher: Watcher) {
        {
            let mut state = self.state.lock();
            if let Some(sequence) = &state.sequence {
                sequence.begin(&watcher);
            }
            state.watchers.push(watcher);
        }
        self.keep_going();
    }

    /// Starts the task when somebody watches and it is not there: a layer is often built before there is a runtime, and
    /// a runtime may go.
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

    /// Whether anybody is left to be told. If not, the task must end, and another may be started.
    fn is_wanted(&self) -> bool {
        let mut state = self.state.lock();
        state.watchers.retain(Watcher::is_watching);
        if state.watchers.is_empty() {
            (state.task, state.sequence) = (None, None);
        }
        !state.watchers.is_empty()
    }

    /// Connects, and from then on tells every watcher of what changes.
    async fn listen(&self) -> Result<(Connection, Arc<Sequence>), Problem> {
        let canaries = format!("{}{}:", self.canaries, random_token::<12>());
        let sequence = Arc::new(Sequence::new(self.sessions.clone(), canaries));
        let listener = Listener(sequence.clone());
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(self.timeout)).set_push_sender(
            move |push| {
                listener.hear(&push);
                Ok::<_, Infallible>(())
            },
        );
        let mut connection = self.server.connect(config, self.timeout).await?;
        let [sessions, canaries] = sequence.prefixes();
        let tracking = ["TRACKING", "ON", "BCAST", "PREFIX", sessions, "PREFIX", canaries];
        redis::cmd("CLIENT").arg(&tracking).exec_async(&mut connection.redis).await?;

        let mut state = self.state.lock();
        state.watchers.iter().for_each(|watcher| sequence.begin(watcher));
        state.sequence = Some(sequence.clone());
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
        let listening = strong.listen().await;
        drop(strong);
        let problem = match listening {
            Ok((_connection, sequence)) => {
                let problem = follow(&tracking, &sequence, &mut is_logged).await;
                sequence.end();
                if sequence.arrived() > 0 {
                    failures = 0;
                }
                let Some(problem) = problem else { return };
                problem
            }
            Err(problem) => problem,
        };
        failures += 1;
        let is_refused = matches!(problem, Problem::Refused(_) | Problem::Nonsense);
        tracing::debug!(cause = %problem, "Redis stopped sending notifications of changes");
        if !is_logged && (is_refused || failures >= FAILURES_TO_LOG) {
            is_logged = true;
            tracing::info!(
                cause = %problem,
                "Redis sends no notifications of changes. Until it does, each request with a session asks Redis."
            );
        }
        // A memory that is full may have room again soon; what is not allowed stays so for longer.
        let is_full = matches!(&problem, Problem::Refused(code) if code == "OOM");
        let pause =
            if is_refused && !is_full { LONGEST_PAUSE } else { FIRST_PAUSE * (1 << failures.min(11)) };
        sleep(pause.min(LONGEST_PAUSE).mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
    }
}

fn wanted(tracking: &Weak<Tracking>) -> Option<Arc<Tracking>> {
    tracking.upgrade().filter(|tracking| tracking.is_wanted())
}

/// Sends one canary after another until one does not arrive. `None` when nobody wants to know any more.
async fn follow(tracking: &Weak<Tracking>, sequence: &Sequence, is_logged: &mut bool) -> Option<Problem> {
    for number in 1.. {
        let strong = wanted(tracking)?;
        let sent = Instant::now();
        let arrival = async {
            strong.link.ask(&sequence.canary(number)).await?;
            sequence.arrival(number).await
        };
        match timeout_at((sent + CANARY_LIMIT).into(), arrival).await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => return Some(problem),
            Err(_) => break,
        }
        drop(strong);
        if std::mem::take(is_logged) {
            tracing::info!("Redis sends notifications of changes again.");
        }
        // The next one is not under way yet, so this ends early only with the sequence.
        if let Ok(Err(problem)) = timeout_at((sent + CANARY_EVERY).into(), sequence.arrival(number + 1)).await
        {
            return Some(problem);
        }
    }
    Some(Problem::Untold)
}
