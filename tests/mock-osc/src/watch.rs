//! Recorded requests, and requests that are held. Everything here resolves by event; nothing polls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::endpoint::Endpoint;
use crate::lock;
use crate::request::Recorded;

/// Every request that arrived, in order.
#[derive(Debug)]
pub(crate) struct Log {
    entries: watch::Sender<Vec<(Endpoint, Recorded)>>,
}

impl Default for Log {
    fn default() -> Self {
        Self { entries: watch::Sender::new(Vec::new()) }
    }
}

impl Log {
    pub(crate) fn record(&self, endpoint: Endpoint, request: Recorded) {
        self.entries.send_modify(|entries| entries.push((endpoint, request)));
    }

    pub(crate) fn clear(&self) {
        self.entries.send_modify(Vec::clear);
    }

    pub(crate) fn filter(&self, wanted: impl Fn(Endpoint, &Recorded) -> bool) -> Vec<Recorded> {
        let entries = self.entries.borrow();
        let wanted = entries.iter().filter(|(endpoint, request)| wanted(*endpoint, request));
        wanted.map(|(_, request)| request.clone()).collect()
    }

    pub(crate) fn count(&self, endpoint: Endpoint, matches: impl Fn(&Recorded) -> bool) -> usize {
        count(&self.entries.borrow(), endpoint, matches)
    }

    pub(crate) async fn wait_for(&self, endpoint: Endpoint, at_least: usize) {
        let mut entries = self.entries.subscribe();
        let enough = |entries: &Vec<_>| count(entries, endpoint, |_| true) >= at_least;
        // This fails only if the sender is gone, and `self` holds the sender.
        let _ = entries.wait_for(enough).await;
    }
}

fn count(entries: &[(Endpoint, Recorded)], endpoint: Endpoint, matches: impl Fn(&Recorded) -> bool) -> usize {
    entries.iter().filter(|(of, request)| *of == endpoint && matches(request)).count()
}

#[derive(Clone, Copy, Debug, Default)]
struct Gate {
    arrived: usize,
    released: bool,
}

/// The endpoints that are held now.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    gates: Mutex<HashMap<Endpoint, Arc<watch::Sender<Gate>>>>,
}

impl Holds {
    pub(crate) fn hold(&self, endpoint: Endpoint) -> Hold {
        let gate = Arc::new(watch::Sender::new(Gate::default()));
        let earlier = lock(&self.gates).insert(endpoint, Arc::clone(&gate));
        if let Some(earlier) = earlier {
            earlier.send_modify(|gate| gate.released = true);
        }
        Hold { gate }
    }

    /// Waits while the endpoint is held.
    pub(crate) async fn pass(&self, endpoint: Endpoint) {
        let Some(gate) = lock(&self.gates).get(&endpoint).cloned() else {
            return;
        };
        let mut watching = gate.subscribe();
        gate.send_modify(|gate| gate.arrived += usize::from(!gate.released));
        let _ = watching.wait_for(|gate| gate.released).await;
    }
}

/// Keeps the requests to an endpoint waiting, before they take effect, until it is released or dropped.
///
/// A held request is processed on release even if its client has gone.
#[derive(Debug)]
#[must_use = "dropping the hold releases it"]
pub struct Hold {
    gate: Arc<watch::Sender<Gate>>,
}

impl Hold {
    /// Waits until at least this many requests are waiting or have waited here.
    pub async fn arrived(&self, requests: usize) {
        let mut gate = self.gate.subscribe();
        let _ = gate.wait_for(|gate| gate.arrived >= requests).await;
    }

    /// Lets all waiting and all later requests pass.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.gate.send_modify(|gate| gate.released = true);
    }
}
