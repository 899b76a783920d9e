//! Waiting for the end of a session, and looking at it without using it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, Shared, WeakShared, pending, select};
use futures_util::{Stream, StreamExt};
use parking_lot::Mutex;
use tokio::runtime::Handle;

#[cfg(doc)]
use super::SessionErrorKind;
use super::{OscSession, Session, SessionError, SessionId, Sessions};
use crate::store::{RecordKey, StoreError};

/// The longest pause between two looks at a session that somebody waits for, because clocks jump and not every store notifies of
/// changes. A look reads the store only if this node's copy may be stale.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// A wait for the end of one session.
type Wait = BoxFuture<'static, ()>;
/// Tells two waits for one session apart.
type Number = Arc<()>;
type ById = HashMap<SessionId, (Number, WeakShared<Wait>)>;

/// The sessions that somebody waits for, each with one wait for all. Nothing is kept of a session that nobody waits for.
#[derive(Clone, Default)]
pub(super) struct Waits(Arc<Mutex<ById>>);

/// The place of a wait. It is dropped with the wait: when the session ends, or when nobody waits any more.
struct Place {
    waits: Waits,
    id: SessionId,
    number: Number,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waits = self.waits.0.lock();
        // Another wait may have begun already.
        if waits.get(&self.id).is_some_and(|(number, _)| Arc::ptr_eq(number, &self.number)) {
            waits.remove(&self.id);
        }
    }
}

impl Waits {
    /// Returns true if somebody waits for this session.
    pub(super) fn have(&self, id: &SessionId) -> bool {
        self.0.lock().contains_key(id)
    }

    /// Joins the wait for a session, or begins one.
    fn join(&self, session: &OscSession) -> Shared<Wait> {
        let mut waits = self.0.lock();
        if let Some(wait) = waits.get(&session.id).and_then(|(_, wait)| wait.upgrade()) {
            return wait;
        }
        let number = Number::default();
        let place = Place { waits: self.clone(), id: session.id.clone(), number: number.clone() };
        let wait = wait(session.engine.clone(), place).boxed().shared();
        waits.extend(wait.downgrade().map(|weak| (session.id.clone(), (number, weak))));
        wait
    }
}

/// Waits until a session has ended. The wait keeps neither the session nor the layer alive.
async fn wait(engine: Weak<Sessions>, place: Place) {
    let id = &place.id;
    let name = RecordKey::of(id.as_bytes()).name;
    loop {
        let Some(sessions) = engine.upgrade() else { return };
        let gone = sessions.table.gone().clone();
        let coherence = sessions.backing.as_ref().map(|backing| backing.coherence().clone());
        // Listens before it looks, so that nothing is missed between the look and the wait.
        let ended_here = gone.ringing(id.prefix());
        let before = coherence.as_ref().map(|coherence| coherence.before_read(&name));
        let pause = match look(&sessions, id).await {
            Ok(None) => return,
            Ok(Some(time_left)) => time_left.min(look_again()),
            // An outage ends no session.
            Err(_) => look_again(),
        };
        let slept = sessions.clock.sleep(pause);
        drop(sessions);
        let changed = async {
            match coherence.as_deref().zip(before) {
                Some((coherence, before)) => coherence.own_change(&name, before).await,
                None => pending().await,
            }
        };
        select(select(pin!(ended_here), pin!(changed)), slept).await;
    }
}

/// Returns the time that is left to a session. `None` if it has ended.
///
/// A look that has to wait becomes a task of its own, because the caller may stop polling for a while. The look would then hold a
/// connection of the store, and the session's turn, for so long.
async fn look(sessions: &Arc<Sessions>, id: &SessionId) -> Result<Option<Duration>, StoreError> {
    let (sessions, id) = (sessions.clone(), id.clone());
    let mut look = Box::pin(async move {
        let session = sessions.peek(&id).await?;
        Ok(session.map(|session| sessions.time_left(&session)))
    });
    match ((&mut look).now_or_never(), Handle::try_current()) {
        (Some(looked), _) => looked,
        (None, Ok(runtime)) => runtime
            .spawn(look)
            .await
            .unwrap_or_else(|_| Err(StoreError::new("a look at a session was cancelled"))),
        (None, Err(_)) => look.await,
    }
}

/// Returns the pause before another look. It is random, so that waits that began together do not keep reading the store together.
fn look_again() -> Duration {
    LOOK_AGAIN / 2 + (LOOK_AGAIN / 2).mul_f64(rand::random())
}

impl Sessions {
    /// Returns a session that is still good. Does not count as use of the session.
    pub(super) async fn peek(self: &Arc<Self>, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let found = self.find(id).await?;
        let is_good = |session: &Session| {
            !session.has_expired(&self.timing, self.now()) && self.table.current(session).is_some()
        };
        Ok(found.filter(is_good))
    }

    fn time_left(&self, session: &Session) -> Duration {
        session.ends_at(&self.timing).since(self.now())
    }
}

impl OscSession {
    /// Returns true while the session lasts. Does not count as use of the session, and sends nothing to the provider.
    ///
    /// Use it in streams and sockets that check now and then. [`token`](Self::token) counts as use instead.
    ///
    /// # Errors
    /// [`Unavailable`](SessionErrorKind::Unavailable) if the session store is unreachable. The session is kept.
    pub async fn is_live(&self) -> Result<bool, SessionError> {
        let Ok(sessions) = self.engine() else { return Ok(false) };
        Ok(sessions.peek(&self.id).await?.is_some())
    }

    /// Waits until the session ends: the user signs out, here or elsewhere, the session expires, or the provider refuses to refresh
    /// its token. Does not count as use of the session.
    ///
    /// - **A sign-out on this node** ends the wait at once.
    /// - **A sign-out on another node** ends the wait as soon as the store notifies this node. Without notifications, the layer
    ///   reads the store every five to ten seconds, once for all waits for the session (see the guide's page about stores).
    /// - **The provider** is not asked. A refusal shows when a request or [`token`](Self::token) needs a newer token.
    /// - **An outage** of the store or the provider ends no session, so the wait goes on.
    /// - **[`shutdown`](crate::OscAuthLayer::shutdown)** ends no session either. The wait ends when the last clone of the layer
    ///   is dropped, because this process then learns nothing more about the session.
    ///
    /// The future does not keep the layer alive. To cancel the wait, drop the future.
    ///
    /// ```
    /// use osc_auth_layer::OscSession;
    ///
    /// async fn converse(session: OscSession) {
    ///     let mut ended = std::pin::pin!(session.ended());
    ///     loop {
    ///         tokio::select! {
    ///             () = &mut ended => return, // close the socket
    ///             () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {} // receive and send messages
    ///         }
    ///     }
    /// }
    /// ```
    pub async fn ended(&self) {
        let Ok(sessions) = self.engine() else { return };
        let wait = sessions.waits.join(self);
        drop(sessions);
        wait.await;
    }

    /// Returns a stream that ends when the session [does](Self::ended), or when `stream` does. If the session ends first, the
    /// last items of `stream` may get lost.
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use std::convert::Infallible;
    ///
    /// use axum::response::sse::{Event, Sse};
    /// use futures_util::stream::{self, Stream};
    /// use osc_auth_layer::OscSession;
    ///
    /// async fn events(session: OscSession) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    ///     let events = stream::repeat_with(|| Ok(Event::default().data("news")));
    ///     Sse::new(session.until_ended(events))
    /// }
    /// # }
    /// ```
    pub fn until_ended<S: Stream>(&self, stream: S) -> impl Stream<Item = S::Item> + use<S> {
        let session = self.clone();
        stream.take_until(async move { session.ended().await }.boxed())
    }
}
