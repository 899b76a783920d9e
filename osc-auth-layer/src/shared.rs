//! The state that all clones of a layer share.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::endpoints::{ConsumedStates, Outcomes};
use crate::flight::Flights;
use crate::network::HttpClient;
use crate::provider::{ClientConfig, Credentials, Issuer, Provider, Registry, Tokens};
use crate::seldom::Seldom;
use crate::session::{Breaker, OscToken, Refreshed, Session, SessionId, Table};
use crate::store::{Backing, Coherence, SessionStore, StoreError, Watcher};
use crate::sweep;

const MOST_REFRESHES: usize = 64;

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) provider: Arc<Provider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sessions: Table,
    /// The store behind the table, if there is one.
    pub(crate) backing: Option<Arc<Backing>>,
    pub(crate) consumed: ConsumedStates,
    pub(crate) outcomes: Outcomes,
    /// Cancelled when the layer shuts down.
    pub(crate) stopping: CancellationToken,
    /// The tasks that `shutdown` waits for, such as refreshes and revocations.
    pub(crate) tasks: TaskTracker,
    /// The refreshes under way, one at a time for each session.
    pub(crate) refreshing: Flights<SessionId, Refreshed>,
    /// The permits for refreshes. Closed at shutdown.
    pub(crate) refreshes: Semaphore,
    pub(crate) breaker: Breaker,
    /// Limits the log line about a host that is not configured.
    pub(crate) unknown_host: Seldom,
    #[cfg(feature = "client")]
    pub(crate) platform_http: HttpClient,
    sweeper: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        issuer: Issuer,
        client: ClientConfig,
        http: HttpClient,
        clock: Arc<dyn Clock>,
        store: Option<Arc<dyn SessionStore>>,
    ) -> Arc<Self> {
        let tasks = TaskTracker::new();
        #[cfg(feature = "client")]
        let platform_http = http.with_limits(crate::client::LIMITS);
        let backing = store.map(|store| Arc::new(Backing::new(store, clock.clone())));
        let registry = backing.clone().map(|backing| {
            Registry::new(backing, config.cookie_keys.registrations().to_vec(), issuer.as_str().to_owned())
        });
        let provider = Provider::new(issuer, client, http, clock.clone(), tasks.clone(), registry);
        let shared = Arc::new(Self {
            sessions: Table::new(config.max_sessions),
            backing,
            config,
            provider: Arc::new(provider),
            clock,
            consumed: ConsumedStates::default(),
            outcomes: Outcomes::default(),
            stopping: CancellationToken::new(),
            tasks,
            refreshing: Flights::default(),
            refreshes: Semaphore::new(MOST_REFRESHES),
            breaker: Breaker::default(),
            unknown_host: Seldom::default(),
            #[cfg(feature = "client")]
            platform_http,
            sweeper: Mutex::new(None),
        });
        if let Some(backing) = &shared.backing {
            backing.store().watch(Watcher::new(Arc::downgrade(&shared)));
        }
        shared
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// Returns the time that all nodes agree on: the store's, if there is one.
    pub(crate) async fn common_now(&self) -> Result<Timestamp, StoreError> {
        match &self.backing {
            None => Ok(self.now()),
            Some(backing) => backing.now().await,
        }
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.stopping.is_cancelled()
    }

    pub(crate) fn coherence(&self) -> Option<&Coherence> {
        self.backing.as_ref().map(|backing| backing.coherence())
    }

    /// Starts a background task that `shutdown` waits for.
    pub(crate) fn beside(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = Handle::try_current() {
            drop(self.tasks.spawn_on(task, &runtime));
        }
    }

    /// Begins a session. If the store fails, revokes the grant and fails.
    pub(crate) async fn begin_session(
        self: &Arc<Self>,
        tokens: Tokens,
        credentials: Arc<Credentials>,
    ) -> Result<OscToken, StoreError> {
        let (timing, now) = (&self.config.timing, self.now());
        let layer = Arc::downgrade(self);
        let registered = self.provider.registered(credentials);
        let token = Session::begin(tokens, registered, timing, now, layer, self.backing.is_some());
        let session = token.held_by();
        if let Err(error) = session.create_record(self, &token).await {
            self.give_up(&token).await;
            return Err(error);
        }
        self.keep(session.clone());
        Ok(token)
    }

    /// Puts a session into the table and returns it. If the table has this session already, returns that one.
    pub(crate) fn keep(self: &Arc<Self>, session: Session) -> Session {
        let session = self.sessions.insert(session, &self.config.timing, self.now());
        self.keep_sweeping();
        session
    }

    /// Returns a session that is still good. Counts as use of the session.
    pub(crate) async fn live_session(
        self: &Arc<Self>,
        id: &SessionId,
    ) -> Result<Option<Session>, StoreError> {
        let Some(session) = self.find(id).await? else {
            return Ok(None);
        };
        let now = self.now();
        if session.has_expired(&self.config.timing, now) || self.sessions.current(&session).is_none() {
            return Ok(None);
        }
        self.touch(&session, now);
        Ok(Some(session))
    }

    /// Starts no further refresh and waits for the tasks under way. Returns true if all ended before `deadline`.
    pub(crate) async fn shut_down(&self, deadline: Duration) -> bool {
        // Refreshes that wait for a permit give up. Those with a permit go on.
        self.refreshes.close();
        self.stopping.cancel();
        self.tasks.close();
        let ended = Box::pin(self.tasks.wait());
        matches!(select(ended, self.clock.sleep(deadline)).await, Either::Left(_))
    }

    /// Returns true for the first use of `state` in this process.
    pub(crate) fn consume_once(self: &Arc<Self>, state: &str, expires_at: Timestamp, now: Timestamp) -> bool {
        let is_first = self.consumed.consume_once(state, expires_at, now);
        self.keep_sweeping();
        is_first
    }

    /// Makes sure that a task sweeps every minute.
    ///
    /// The task starts with the first session or used state, and ends when the layer is dropped. It is started again if its
    /// runtime has ended.
    fn keep_sweeping(self: &Arc<Self>) {
        let mut sweeper = self.sweeper.lock();
        if sweeper.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        *sweeper = Some(runtime.spawn(sweep::keep_sweeping(Arc::downgrade(self), self.clock.clone())));
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .field("sessions", &self.sessions.len())
            .field("consumed_states", &self.consumed.len())
            .finish_non_exhaustive()
    }
}
