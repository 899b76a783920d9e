//! The notifications of one connection, from its first to its last.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use redis::aio::{AsyncPushSender, SendError};
use redis::{PushInfo, PushKind, Value};
use tokio::sync::watch;

use super::problem::Problem;
use super::scripts::Request;
use crate::store::{Watcher, Watching};

/// Longer than anybody waits for a canary; it leaves a handful of keys per node.
const CANARY_LIFETIME_MILLIS: u64 = 2000;

/// An unbroken sequence of notifications, which go to every watcher.
///
/// A canary is a heartbeat: a key that the node writes on the command connection. Its notification arrives after those of all
/// changes that were made before it was sent. Each canary has its own name, so that the expiry of another one does not count as
/// its arrival.
pub(super) struct Sequence {
    sessions: String,
    canaries: String,
    /// The watchers and the canary under way. `None` after the sequence has ended.
    told: Mutex<Option<Told>>,
    /// The number of the last canary that arrived. `None` after the sequence has ended.
    arrived: watch::Sender<Option<u64>>,
}

#[derive(Default)]
struct Told {
    ears: Vec<(Watcher, Watching)>,
    /// The canary under way, and when it was sent.
    canary: Option<(u64, Instant)>,
}

impl Sequence {
    pub(super) fn new(sessions: String, canaries: String) -> Self {
        let (told, arrived) = (Mutex::new(Some(Told::default())), watch::Sender::new(Some(0)));
        Self { sessions, canaries, told, arrived }
    }

    pub(super) fn begin(&self, watcher: &Watcher) {
        if let Some(told) = &mut *self.told.lock() {
            told.ears.retain(|(watcher, _)| watcher.is_watching());
            told.ears.push((watcher.clone(), watcher.begin()));
        }
    }

    /// Notifications may be missed from here on.
    pub(super) fn end(&self) {
        let told = self.told.lock().take();
        // Calls into the layers, which must not find the lock taken.
        drop(told);
        self.arrived.send_replace(None);
    }

    /// Returns the request for a canary, and notes that it is about to be sent. Each number is larger than those before.
    pub(super) fn canary(&self, number: u64) -> Request {
        if let Some(told) = &mut *self.told.lock() {
            told.canary = Some((number, Instant::now()));
        }
        Request::mark(&format!("{}{number}", self.canaries), CANARY_LIFETIME_MILLIS)
    }

    /// Waits for a canary's arrival, or the end.
    pub(super) async fn arrival(&self, number: u64) -> Result<(), Problem> {
        let mut arrived = self.arrived.subscribe();
        // The sender is in `self`, so waiting cannot fail.
        match arrived.wait_for(|arrived| arrived.is_none_or(|arrived| arrived >= number)).await {
            Ok(arrived) if arrived.is_some() => Ok(()),
            _ => Err(Problem::Unreachable("the connection broke off".to_owned())),
        }
    }

    fn hear(&self, push: &PushInfo) {
        match (&push.kind, &push.data[..]) {
            (PushKind::Invalidate, [Value::Array(keys)]) => self.hear_keys(keys),
            // The database was emptied, by FLUSHALL or by a replica's first synchronisation.
            (PushKind::Invalidate, [Value::Nil]) => {
                for (watcher, watching) in self.told.lock().iter_mut().flat_map(|told| &mut told.ears) {
                    *watching = watcher.begin();
                }
            }
            (PushKind::Invalidate | PushKind::Disconnection, _) => self.end(),
            _ => {}
        }
    }

    fn hear_keys(&self, keys: &[Value]) {
        let mut told = self.told.lock();
        let Some(told) = &mut *told else { return };
        let names = |prefix| keys.iter().filter_map(move |key| name(key, prefix));
        for name in names(&self.sessions) {
            told.ears.iter().for_each(|(_, watching)| watching.changed(name));
        }
        let is_canary =
            |(number, _): &mut (u64, _)| names(&self.canaries).any(|name| name.parse() == Ok(*number));
        if let Some((number, sent)) = told.canary.take_if(is_canary) {
            told.ears.iter().for_each(|(_, watching)| watching.confirm(sent));
            self.arrived.send_replace(Some(number));
        }
    }
}

fn name<'k>(key: &'k Value, prefix: &str) -> Option<&'k str> {
    match key {
        Value::BulkString(key) => std::str::from_utf8(key).ok()?.strip_prefix(prefix),
        _ => None,
    }
}

/// The link from a connection to its sequence. The sequence ends with the connection, also after a panic or with the runtime.
pub(super) struct Listener(pub(super) Arc<Sequence>);

impl AsyncPushSender for Listener {
    /// Handles a notification at once, in the connection's own task. So the order is kept, and no queue can grow.
    fn send(&self, push: PushInfo) -> Result<(), SendError> {
        self.0.hear(&push);
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> PushInfo {
        let keys = keys.iter().map(|key| Value::BulkString(key.as_bytes().to_vec()));
        PushInfo { kind: PushKind::Invalidate, data: vec![Value::Array(keys.collect())] }
    }

    fn sequence() -> Sequence {
        Sequence::new("app:s:".to_owned(), "app:w:id:".to_owned())
    }

    #[test]
    fn a_canary_arrives_once_and_only_by_its_own_name() {
        let sequence = sequence();
        let _ = sequence.canary(2);
        for other in ["app:w:id:1", "app:w:di:2", "app:w:id:", "app:s:2", "2"] {
            sequence.hear(&keys(&[other]));
            assert_eq!(*sequence.arrived.borrow(), Some(0), "{other}");
        }
        sequence.hear(&keys(&["app:w:id:1", "app:w:id:2"]));
        assert_eq!(*sequence.arrived.borrow(), Some(2));
        sequence.hear(&keys(&["app:w:id:3"]));
        assert_eq!(*sequence.arrived.borrow(), Some(2), "it was not sent");
    }

    #[tokio::test]
    async fn a_sequence_ends_with_its_connection_and_after_a_malformed_notification() {
        let emptied = PushInfo { kind: PushKind::Invalidate, data: vec![Value::Nil] };
        let odd = PushInfo { kind: PushKind::Invalidate, data: vec![Value::Int(1)] };
        let lost = PushInfo { kind: PushKind::Disconnection, data: vec![] };
        for (push, ends) in [(emptied, false), (odd, true), (lost, true)] {
            let sequence = sequence();
            sequence.hear(&push);
            assert_eq!(sequence.told.lock().is_none(), ends, "{push:?}");
        }
        let sequence = Arc::new(sequence());
        drop(Listener(sequence.clone()));
        assert!(sequence.arrival(1).await.is_err());
    }
}
