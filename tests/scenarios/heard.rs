//! The events of sessions that layers told an app of.

use std::sync::Arc;

use osc_auth_layer::{OscAuthLayerBuilder, SessionEvent, SessionEventKind};
use osc_tests::soon;
use tokio::sync::watch;

/// The events that a layer told of, in order. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<watch::Sender<Vec<SessionEvent>>>);

impl Heard {
    pub(crate) fn listen(&self, layer: OscAuthLayerBuilder) -> OscAuthLayerBuilder {
        let heard = self.clone();
        layer.on_session_event(move |event| heard.0.send_modify(|events| events.push(event.clone())))
    }

    /// Waits until this many events came, and returns all.
    pub(crate) async fn all(&self, at_least: usize) -> Vec<SessionEvent> {
        let mut events = self.0.subscribe();
        soon(events.wait_for(|events| events.len() >= at_least)).await.expect("this holds the sender").clone()
    }

    pub(crate) async fn kinds(&self, at_least: usize) -> Vec<SessionEventKind> {
        self.all(at_least).await.iter().map(SessionEvent::kind).collect()
    }

    pub(crate) fn now(&self) -> Vec<SessionEvent> {
        self.0.borrow().clone()
    }

    pub(crate) fn forget(&self) {
        self.0.send_modify(Vec::clear);
    }
}

pub(crate) fn user_id(event: &SessionEvent) -> Option<&str> {
    event.user().and_then(|user| user.user_id())
}
