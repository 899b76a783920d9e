//! Reports session events to the app: sign-ins, sign-outs and other ends.
//!
//! Events wait in a queue, and one task at a time calls the app's functions. So these run under no lock of the engine, in the order
//! of the events, and no request waits for them.
//!
//! Of several nodes, only the one that ends a session reports it. The store decides which one that is: a swap over a live record
//! succeeds at one node only.

use std::collections::LinkedList;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::yield_now;

use super::{Claims, OscUser, Session, SessionId, Sessions};
use crate::meter::{self, End};

/// One of the app's functions.
pub(crate) type Listener = Arc<dyn Fn(&SessionEvent) + Send + Sync>;

/// Tells that a session began or ended. Passed to the functions of [`OscAuthLayerBuilder::on_session_event`](crate::OscAuthLayerBuilder::on_session_event).
///
/// It contains no token and no cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEvent {
    kind: SessionEventKind,
    user: Option<OscUser>,
    session_id: String,
}

impl SessionEvent {
    /// Returns what happened.
    #[must_use]
    pub fn kind(&self) -> SessionEventKind {
        self.kind
    }

    /// Returns the user. `None` if the session's token names no workspace, or if this node cannot read the session's record.
    #[must_use]
    pub fn user(&self) -> Option<&OscUser> {
        self.user.as_ref()
    }

    /// Returns the session's name, as [`OscSession::id`](crate::OscSession::id) does. It is no secret, and it authorises nothing.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session_id
    }
}

/// The kind of a [`SessionEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionEventKind {
    /// A user signed in, and the session began.
    SignedIn,
    /// The user signed out: by the sign-out path, or because the app called [`OscSession::sign_out`](crate::OscSession::sign_out).
    SignedOut,
    /// The session ended otherwise.
    Ended(EndReason),
}

/// The reason why a session ended without a sign-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The user ended it from another session: by [`OscSession::end`](crate::OscSession::end) or
    /// [`sign_out_everywhere`](crate::OscSession::sign_out_everywhere).
    ByUser,
    /// The app ended it through [`OscAuthLayer::sessions_of`](crate::OscAuthLayer::sessions_of).
    ByApp,
    /// The same browser signed in again.
    Replaced,
    /// The token could not be refreshed: the provider refused the refresh token, or no longer knows the app's registration.
    /// Without a session store, also if the provider never issued a refresh token.
    RefreshRefused,
    /// A refresh brought a token of another user or workspace.
    UserChanged,
    /// [`OscAuthLayerBuilder::authorize`](crate::OscAuthLayerBuilder::authorize) or
    /// [`allowed_workspaces`](crate::OscAuthLayerBuilder::allowed_workspaces) no longer admits the user.
    NotAllowed,
    /// No browser received the session, because it closed the connection before the sign-in was complete.
    Undelivered,
    /// The idle or the absolute timeout passed.
    Expired,
    /// The table of a process without a store was full ([`OscAuthLayerBuilder::max_sessions`](crate::OscAuthLayerBuilder::max_sessions)).
    Evicted,
}

/// The app's functions, and the events that wait for them.
pub(crate) struct Events {
    listeners: Vec<Listener>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// A list, because a vector that grows would move up to a million events while a sign-in or the sweep waits.
    waiting: LinkedList<SessionEvent>,
    /// A task passes the events on.
    is_served: bool,
}

impl Events {
    pub(crate) fn new(listeners: Vec<Listener>) -> Self {
        Self { listeners, queue: Mutex::default() }
    }

    pub(super) fn has_listeners(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// Returns true if the caller has to serve the queue.
    fn enqueue(&self, event: SessionEvent) -> bool {
        let mut queue = self.queue.lock();
        queue.waiting.push_back(event);
        !std::mem::replace(&mut queue.is_served, true)
    }

    /// Takes the next event. `None` if none waits; then the next event needs somebody else to serve it.
    fn next(&self) -> Option<SessionEvent> {
        let mut queue = self.queue.lock();
        let next = queue.waiting.pop_front();
        queue.is_served = next.is_some();
        next
    }

    fn pass_on(&self, event: &SessionEvent) {
        for listener in &self.listeners {
            if catch_unwind(AssertUnwindSafe(|| listener(event))).is_err() {
                tracing::error!(
                    session = %event.session_id,
                    "A function of on_session_event panicked. The layer goes on."
                );
            }
        }
    }
}

/// Serves the queue in a task, which may die with its runtime, even before it runs. The next event then starts another.
struct Service {
    sessions: Arc<Sessions>,
    is_over: bool,
}

impl Service {
    async fn run(mut self) {
        while let Some(event) = self.sessions.events.next() {
            self.sessions.events.pass_on(&event);
            yield_now().await;
        }
        self.is_over = true;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if !self.is_over {
            self.sessions.events.queue.lock().is_served = false;
        }
    }
}

/// Counts the end of a session.
fn count(kind: SessionEventKind) {
    let reason = match kind {
        SessionEventKind::SignedIn => return,
        SessionEventKind::SignedOut => End::SignedOut,
        SessionEventKind::Ended(reason) => match reason {
            EndReason::ByUser => End::ByUser,
            EndReason::ByApp => End::ByApp,
            EndReason::Replaced => End::Replaced,
            EndReason::RefreshRefused => End::RefreshRefused,
            EndReason::UserChanged => End::UserChanged,
            EndReason::NotAllowed => End::NotAllowed,
            EndReason::Undelivered => End::Undelivered,
            EndReason::Expired => End::Expired,
            EndReason::Evicted => End::Evicted,
        },
    };
    meter::session_ended(reason);
}

/// The event to tell of when a session's end is certain.
pub(super) struct PendingEvent {
    pub(super) kind: SessionEventKind,
    pub(super) user: Option<OscUser>,
    /// The session was live at this node. One that was refused or had ended is told of already.
    pub(super) was_live: bool,
}

impl Sessions {
    /// Tells the app of an event, beside the caller.
    pub(super) fn tell(self: &Arc<Self>, kind: SessionEventKind, id: &SessionId, user: Option<OscUser>) {
        count(kind);
        if self.events.has_listeners() {
            self.enqueue(SessionEvent { kind, user, session_id: id.public() });
        }
    }

    /// Tells the app of an event of the session with this public id.
    pub(super) fn tell_of(
        self: &Arc<Self>,
        kind: SessionEventKind,
        session_id: String,
        user: Option<OscUser>,
    ) {
        count(kind);
        if self.events.has_listeners() {
            self.enqueue(SessionEvent { kind, user, session_id });
        }
    }

    /// Passes an event on to the app, beside the caller.
    fn enqueue(self: &Arc<Self>, event: SessionEvent) {
        if self.events.enqueue(event) {
            match Handle::try_current() {
                Ok(_) => self.beside(Service { sessions: self.clone(), is_over: false }.run()),
                Err(_) => {
                    while let Some(event) = self.events.next() {
                        self.events.pass_on(&event);
                    }
                }
            }
        }
    }

    /// Prepares the event of a session's end while its user is known.
    pub(super) fn pending_event(&self, session: Option<&Session>, kind: SessionEventKind) -> PendingEvent {
        let user = session.and_then(|session| self.user_to_tell(session));
        // In memory, a session that expired is over before the sweep drops it. With a store, only the store knows.
        let has_expired = |session: &Session| session.has_expired(&self.timing, self.now());
        let is_expiry = self.backing.is_none() && session.is_some_and(has_expired);
        let kind = if is_expiry { SessionEventKind::Ended(EndReason::Expired) } else { kind };
        PendingEvent { kind, user, was_live: false }
    }

    /// Returns the user of a session that has not ended. `None` if nobody wants to hear of it.
    pub(super) fn user_to_tell(&self, session: &Session) -> Option<OscUser> {
        let token = || self.table.current(session).or_else(|| session.token());
        self.events.has_listeners().then(token)??.user()
    }

    pub(super) fn user_of_claims(&self, claims: Option<Claims>) -> Option<OscUser> {
        Some(OscUser::new(claims?, self.provider.issuer.shared()))
    }
}
