//! What all clones of one layer share.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::endpoints::ConsumedStates;
use crate::provider::http::HttpClient;
use crate::provider::{ClientConfig, Credentials, Issuer, Provider, Tokens};
use crate::session::{Breaker, Session, SessionId, Table};

const MOST_REFRESHES: usize = 64;
const SWEEP_EVERY: Duration = Duration::from_secs(60);

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) provider: Arc<Provider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sessions: Table,
    pub(crate) consumed: ConsumedStates,
    /// Refreshes, revocations, metadata: what `shutdown` waits for.
    pub(crate) tasks: TaskTracker,
    /// A permit for each refresh under way; closed at shutdown.
    pub(crate) refreshes: Semaphore,
    pub(crate) breaker: Breaker,
    sweeper: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        issuer: Issuer,
        client: ClientConfig,
        http: HttpClient,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let tasks = TaskTracker::new();
        let provider = Provider::new(issuer, client, http, clock.clone(), tasks.clone());
        Arc::new(Self {
            sessions: Table::new(config.max_sessions),
            config,
            provider: Arc::new(provider),
            clock,
            consumed: ConsumedStates::default(),
            tasks,
            refreshes: Semaphore::new(MOST_REFRESHES),
            breaker: Breaker::default(),
            sweeper: Mutex::new(None),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.refreshes.is_closed()
    }

    /// Begins a session in place of the one the browser had, which is dropped but not revoked: the provider may have
    /// answered this sign-in with the same grant.
    pub(crate) fn begin_session(
        self: &Arc<Self>,
        tokens: Tokens,
        credentials: Arc<Credentials>,
        replaced: Option<&SessionId>,
    ) -> Arc<Session> {
        if let Some(old) = replaced.and_then(|id| self.sessions.remove(id)) {
            old.drop_out();
        }
        let (timing, now) = (&self.config.timing, self.now());
        let session = Session::begin(tokens, credentials, timing, now, Arc::downgrade(self));
        self.sessions.insert(session.clone(), timing, now);
        self.keep_sweeping();
        session
    }

    /// A session that has not expired and was not refused; looking at it counts as use.
    pub(crate) fn live_session(&self, id: &SessionId) -> Option<Arc<Session>> {
        let (timing, now) = (&self.config.timing, self.now());
        let session = self.sessions.look(id, Arc::clone)?;
        if session.has_expired(timing, now) || session.current().is_none() {
            return None;
        }
        session.touch(timing, now);
        Some(session)
    }

    /// Ends a session here and now, and its grant at the provider beside the caller.
    pub(crate) fn sign_out(&self, id: &SessionId) {
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        tracing::debug!(session = %id.public(), "signed out");
        if let Some((credentials, token, hint)) = session.sign_out() {
            self.provider.revoke(credentials, token, hint);
        }
    }

    /// Starts no further refresh and waits for the tasks under way; tells whether all ended in time.
    pub(crate) async fn shut_down(&self, deadline: Duration) -> bool {
        // Those still waiting for a permit give up; who has one goes on.
        self.refreshes.close();
        self.tasks.close();
        let ended = Box::pin(self.tasks.wait());
        matches!(select(ended, self.clock.sleep(deadline)).await, Either::Left(_))
    }

    /// Sweeps every minute, by a task that starts with the first session, is started again when its runtime went, and
    /// ends when the layer is dropped.
    fn keep_sweeping(self: &Arc<Self>) {
        let mut sweeper = self.sweeper.lock();
        if sweeper.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (weak, clock) = (Arc::downgrade(self), self.clock.clone());
        *sweeper = Some(runtime.spawn(async move {
            loop {
                clock.sleep(SWEEP_EVERY).await;
                let Some(shared) = weak.upgrade() else {
                    return;
                };
                let now = shared.now();
                shared.sessions.sweep(&shared.config.timing, now);
                shared.consumed.sweep(now);
            }
        }));
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}
