//! Tells the app of sessions that nobody ended: they expired, or had to make room in memory.
//!
//! In a store they just vanish. So the nodes that had a copy compete to mark the end in the store, and the first one tells of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;

use super::events::{EndReason, SessionEventKind};
use super::record::{Ending, Standing};
use super::session::touch_step;
use super::stored::kept_for;
use super::{OscUser, Session, SessionId, Sessions, Timing, layout};
use crate::meter;
use crate::store::{Backing, Found, RecordKey, StoreError, Swap, Swapped, Version};

/// The time for which the mark of an expired session stays in the store. By then, every node that had a copy has dropped it.
pub(super) const MARKED_FOR: Duration = Duration::from_secs(60 * 60);

/// A session that this node held as live, and whose record seems to be gone.
type Missing = (SessionId, Option<OscUser>);

impl Sessions {
    /// Returns the times after which the sweep drops a session. With a store and listeners, a copy stays until the store has
    /// dropped the record of a session that nobody used elsewhere.
    pub(super) fn swept_after(&self) -> Timing {
        let idle_timeout = match self.backing.is_some() && self.events.has_listeners() {
            true => kept_for(&self.timing).saturating_add(touch_step(&self.timing)),
            false => self.timing.idle_timeout,
        };
        Timing { idle_timeout, ..self.timing }
    }

    /// Tells of the sessions among these that ended because they left the table.
    pub(super) fn tell_of_dropped(self: &Arc<Self>, dropped: Vec<Session>) {
        let has_listeners = self.events.has_listeners();
        if !has_listeners && !meter::IS_ON {
            return;
        }
        let (now, timing) = (self.now(), self.swept_after());
        let mut missing = Vec::new();
        for session in dropped {
            if session.lock().particulars().standing != Standing::Live(()) {
                continue;
            }
            let token = session.token().filter(|_| has_listeners);
            let (id, user) = (session.id().clone(), token.and_then(|token| token.user()));
            match (session.stored().is_some(), session.has_expired(&timing, now)) {
                (false, true) => self.tell(SessionEventKind::Ended(EndReason::Expired), &id, user),
                (false, false) => self.tell(SessionEventKind::Ended(EndReason::Evicted), &id, user),
                (true, true) if has_listeners => missing.push((id, user)),
                // It lives on in the store, or vanished there.
                (true, _) => {}
            }
        }
        self.tell_of_missing(missing);
    }

    /// Tells of a session that this node held as live, and that the store no longer has, unless another node does so.
    pub(super) fn tell_of_gone(self: &Arc<Self>, id: &SessionId, user: Option<OscUser>) {
        if self.events.has_listeners() {
            self.tell_of_missing(vec![(id.clone(), user)]);
        }
    }

    fn tell_of_missing(self: &Arc<Self>, missing: Vec<Missing>) {
        let Some(backing) = self.backing.clone().filter(|_| !missing.is_empty()) else { return };
        let sessions = self.clone();
        self.beside(async move {
            let Ok(_permit) = sessions.marking.acquire().await else { return };
            for (id, user) in missing {
                match sessions.mark_expiry(&backing, &RecordKey::of(id.as_bytes())).await {
                    Ok(true) => sessions.tell(SessionEventKind::Ended(EndReason::Expired), &id, user),
                    Ok(false) => {}
                    // The others would each wait for the store's time limit.
                    Err(_) => return,
                }
                // Some stores answer without a wait.
                yield_now().await;
            }
        });
    }

    /// Marks the end of an expired session in the store. Returns false if it goes on elsewhere or another node has told of its end.
    async fn mark_expiry(&self, backing: &Backing, key: &RecordKey) -> Result<bool, StoreError> {
        let value = &layout::ended(Ending::Dropped);
        let Found { entry, now } = backing.get(&key.name).await?;
        let Some(entry) = entry else { return backing.create(&key.name, value, MARKED_FOR).await };
        // The store keeps a record for the idle timeout, even if the absolute timeout passes before.
        let (expected, version) = (Some(entry.version), Version::random());
        let has_expired = self.open(key, entry, now).is_ok_and(|read| {
            matches!(read.content.record.standing, Standing::Live(_))
                && read.now >= read.content.facts.ends_at
        });
        if !has_expired {
            return Ok(false);
        }
        let swap = Swap { expected, version, value, expires_in: Some(MARKED_FOR), group: None };
        Ok(matches!(backing.swap(&key.name, swap).await?, Swapped::Done { .. }))
    }
}
