//! The engine: the sessions of this process, their tokens, and how they are refreshed and ended.

mod admission;
mod backoff;
mod breaker;
mod change;
mod claims;
mod device;
mod ending;
mod events;
mod expiry;
mod group;
mod handle;
mod id;
mod layout;
mod lease;
mod page;
mod reads;
mod record;
mod refresh;
mod refreshed;
mod registrations;
mod sealed;
mod session;
mod state;
mod stored;
mod table;
mod token;
mod user;
mod user_sessions;
mod visitor;
mod waiting;

use std::any::Any;
use std::future::Future;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{Semaphore, watch};

pub(crate) use self::admission::{Admission, Authorize};
pub(crate) use self::backoff::Side;
use self::breaker::Breaker;
pub(crate) use self::claims::Claims;
pub(crate) use self::device::Device;
use self::events::Events;
pub(crate) use self::events::Listener;
pub use self::events::{EndReason, SessionEvent, SessionEventKind};
pub(crate) use self::group::GroupKeys;
pub use self::handle::{OscSession, SessionError, SessionErrorKind};
use self::id::ID_LENGTH;
pub(crate) use self::id::SessionId;
pub use self::page::OtherUser;
use self::reads::Reads;
pub(crate) use self::refresh::RETRY_AFTER;
pub(crate) use self::refreshed::Refreshed;
use self::registrations::StoredRegistrations;
#[cfg(feature = "test-util")]
pub(crate) use self::sealed::{has_newer_members, with_newer_members};
#[cfg(any(test, fuzzing))]
pub(crate) use self::sealed::{opened_for_test, sealed_for_test};
pub(crate) use self::session::Session;
use self::table::Table;
pub(crate) use self::token::Freshness;
#[cfg(any(test, fuzzing))]
pub(crate) use self::token::Issue;
pub use self::token::OscToken;
pub use self::user::OscUser;
pub use self::user_sessions::{SessionInfo, UserSessions};
pub use self::visitor::OscVisitor;
pub(crate) use self::visitor::{Entrant, Outage};
use self::waiting::Waits;
use crate::clock::{Clock, Timestamp};
use crate::flight::Flights;
use crate::network::HttpClient;
use crate::oauth::{ClientConfig, Credentials, Issuer, Provider, Registrations, Tokens};
use crate::store::{Backing, Keyring, SessionStore, StoreError, Watcher};
use crate::sweeper::Sweeper;
use crate::tasks::Tasks;

/// The most refreshes that run at the same time.
const MOST_REFRESHES: usize = 64;
/// The most tasks that mark expired sessions in the store at the same time. A sweep may find thousands of sessions.
const MOST_MARKING: usize = 8;

/// The settings for refreshing tokens and ending sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) refresh_leeway: Duration,
    pub(crate) refresh_ahead: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) absolute_timeout: Duration,
}

/// Configures the engine.
pub(crate) struct Settings {
    pub(crate) timing: Timing,
    pub(crate) admission: Admission,
    pub(crate) max_sessions: usize,
    /// The layer's fixed limits are divided by this. 1, except in a simulation.
    pub(crate) scaled_down: usize,
    pub(crate) issuer: Issuer,
    pub(crate) client: ClientConfig,
    pub(crate) http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Option<Arc<dyn SessionStore>>,
    pub(crate) registration_keys: Keyring,
    pub(crate) group_keys: GroupKeys,
    pub(crate) listeners: Vec<Listener>,
    /// Values for the modules above, which find them by type.
    #[cfg(feature = "client")]
    pub(crate) extensions: http::Extensions,
}

/// The sessions of one process, and all that refreshes and ends them.
pub(crate) struct Sessions {
    pub(crate) timing: Timing,
    pub(crate) admission: Admission,
    pub(crate) provider: Arc<Provider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) table: Table,
    /// The store behind the table, if there is one.
    pub(crate) backing: Option<Arc<Backing>>,
    group_keys: GroupKeys,
    #[cfg(feature = "client")]
    pub(crate) extensions: http::Extensions,
    /// True once the layer shuts down.
    stopping: watch::Sender<bool>,
    /// The tasks that `shutdown` waits for, such as refreshes and revocations.
    pub(crate) tasks: Tasks,
    /// The waits for the end of a session.
    waits: Waits,
    /// The reads under way from the store.
    reads: Reads<Option<Session>>,
    /// The refreshes under way, one at a time for each session.
    refreshing: Flights<SessionId, Refreshed>,
    /// The permits for refreshes. Closed at shutdown.
    permits: Semaphore,
    /// The permits for tasks that mark expired sessions in the store. Closed at shutdown.
    marking: Semaphore,
    breaker: Breaker,
    events: Events,
    /// The layer above that owns the sessions. A response to a signed-in user finds it here, so that requests need not carry it.
    pub(crate) above: OnceLock<Weak<dyn Any + Send + Sync>>,
    pub(crate) sweeper: Arc<Sweeper>,
}

impl Sessions {
    pub(crate) fn new(settings: Settings) -> Arc<Self> {
        let Settings { clock, issuer, .. } = settings;
        let tasks = Tasks::default();
        let sweeper = Arc::new(Sweeper::new(clock.clone()));
        let backing =
            settings.store.map(|store| Arc::new(Backing::new(store, clock.clone(), settings.scaled_down)));
        let registrations = backing.clone().map(|backing| {
            let keys = settings.registration_keys;
            Arc::new(StoredRegistrations::new(backing, keys, issuer.as_str().to_owned()))
                as Arc<dyn Registrations>
        });
        let provider = Provider::new(
            issuer,
            settings.client,
            settings.http,
            clock.clone(),
            tasks.clone(),
            registrations,
        );
        let sessions = Arc::new(Self {
            table: Table::new(settings.max_sessions),
            timing: settings.timing,
            admission: settings.admission,
            provider: Arc::new(provider),
            clock,
            backing,
            group_keys: settings.group_keys,
            #[cfg(feature = "client")]
            extensions: settings.extensions,
            stopping: watch::Sender::new(false),
            tasks,
            waits: Waits::default(),
            reads: Reads::default(),
            refreshing: Flights::default(),
            marking: Semaphore::new(MOST_MARKING),
            permits: Semaphore::new((MOST_REFRESHES / settings.scaled_down).max(1)),
            breaker: Breaker::default(),
            events: Events::new(settings.listeners),
            above: OnceLock::new(),
            sweeper,
        });
        let (swept, mut place) = (Arc::downgrade(&sessions), None);
        sessions.sweeper.add(move |now| {
            let Some(sessions) = swept.upgrade() else { return false };
            let mut dropped = Vec::new();
            let (from, timing) = (place.unwrap_or_default(), sessions.swept_after());
            place = sessions.table.sweep(from, &timing, now, &mut dropped);
            sessions.tell_of_dropped(dropped);
            if place.is_none() {
                sessions.table.log_pushed_out();
                if let Some(backing) = &sessions.backing {
                    backing.count_trust();
                }
            }
            place.is_some()
        });
        if let Some(backing) = &sessions.backing {
            backing.store().watch(Watcher::new(backing.coherence()));
        }
        sessions
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now_in_millis())
    }

    /// Returns the time that all nodes agree on: the store's, if there is one.
    pub(crate) async fn common_now(&self) -> Result<Timestamp, StoreError> {
        match &self.backing {
            None => Ok(self.now()),
            Some(backing) => backing.now().await,
        }
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Waits until the layer shuts down.
    pub(crate) async fn shutting_down(&self) {
        // This fails only without a sender, and `self` holds one.
        self.stopping.subscribe().wait_for(|stopping| *stopping).await.ok();
    }

    /// Starts a background task that `shutdown` waits for.
    pub(crate) fn beside(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.start(task);
    }

    /// Begins a session. If the store fails, revokes the grant and fails.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        tokens: Tokens,
        credentials: Arc<Credentials>,
        device: Device,
    ) -> Result<OscToken, StoreError> {
        let (granted, client) = (tokens.clone(), credentials.clone());
        let registered = self.provider.registered(credentials);
        let engine = Arc::downgrade(self);
        let is_stored = self.backing.is_some();
        let token = Session::begin(tokens, registered, &self.timing, self.now(), engine, is_stored, device);
        let session = token.held_by();
        if let Err(error) = session.create_record(self, granted, client).await {
            self.give_up(&token).await;
            return Err(error);
        }
        self.keep(session.clone());
        self.tell(SessionEventKind::SignedIn, session.id(), self.user_to_tell(session));
        Ok(token)
    }

    /// Puts a session into the table and returns it. If the table has this session already, returns that one.
    fn keep(self: &Arc<Self>, session: Session) -> Session {
        let mut dropped = Vec::new();
        let session = self.table.insert(session, &self.timing, self.now(), &mut dropped);
        self.tell_of_dropped(dropped);
        self.sweeper.keep_going();
        session
    }

    /// Returns a session that is still good. Counts as use of the session.
    pub(crate) async fn live(self: &Arc<Self>, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let live = self.peek(id).await?;
        if let Some(session) = &live {
            self.touch(session, self.now());
        }
        Ok(live)
    }

    /// Starts no further refresh and waits for the tasks under way. Returns true if all ended within `timeout`.
    pub(crate) async fn shut_down(&self, timeout: Duration) -> bool {
        // Refreshes that wait for a permit give up. Those with a permit go on.
        self.permits.close();
        self.marking.close();
        self.stopping.send_replace(true);
        let ended = Box::pin(self.tasks.ended());
        matches!(select(ended, self.clock.sleep(timeout)).await, Either::Left(_))
    }
}
