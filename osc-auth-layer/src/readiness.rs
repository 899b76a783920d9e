//! Tells a readiness probe whether this node can serve users. Answers from what the layer knows, and from one question a second.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join, select};
use parking_lot::Mutex;

use crate::clock::{Clock, Moment};
use crate::flight::Flight;
use crate::seldom::Seldom;
use crate::sessions::Sessions;

/// How long an answer is kept. Whoever asks more often gets it again.
const KEPT: Duration = Duration::from_secs(1);
/// How long a probe waits for the metadata. The fetch goes on, and a later probe sees its result.
const METADATA_PATIENCE: Duration = Duration::from_millis(500);

/// Says whether this node can serve users, and what is wrong. `Display` writes it as one line, which contains no secret and no host.
///
/// See [`OscAuthLayer::ready`](crate::OscAuthLayer::ready).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Readiness {
    impairments: Arc<[Impairment]>,
}

impl Readiness {
    fn of(impairments: Vec<Impairment>) -> Self {
        Self { impairments: impairments.into() }
    }

    /// Returns false if another node would serve users better: one of the [impairments](Self::impairments) is
    /// [disabling](Impairment::is_disabling).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.impairments.iter().any(|impairment| impairment.is_disabling())
    }

    /// Returns what is wrong. Empty if nothing is.
    #[must_use]
    pub fn impairments(&self) -> &[Impairment] {
        &self.impairments
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_ready() { "ready" } else { "not ready" })?;
        for (at, impairment) in self.impairments.iter().enumerate() {
            write!(f, "{} {impairment}", if at == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

/// A fault that keeps a node from serving users as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Impairment {
    /// [`OscAuthLayer::shutdown`](crate::OscAuthLayer::shutdown) was called, or the runtime ends. Disabling.
    ShuttingDown,
    /// The session store does not answer. Users with a session get 503. Disabling.
    Store,
    /// The session store sends no notifications of changes, although it can. Each request with a session asks the store.
    Notifications,
    /// The provider's metadata is not known. Nobody can sign in.
    Metadata,
    /// The last refreshes of several users got no answer. Users with a fresh token go on.
    Refreshes,
}

impl Impairment {
    /// Returns true if the node should get no requests.
    ///
    /// An outage of the provider is not disabling. It hits all nodes, and users with a fresh token need them.
    #[must_use]
    pub fn is_disabling(self) -> bool {
        match self {
            Self::ShuttingDown | Self::Store => true,
            Self::Notifications | Self::Metadata | Self::Refreshes => false,
        }
    }
}

impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShuttingDown => "the node is shutting down",
            Self::Store => {
                "the session store does not answer (check the store and its URL; the log has the cause)"
            }
            Self::Notifications => {
                "the session store sends no notifications, so each request asks it (run check(), which says why)"
            }
            Self::Metadata => {
                "the provider's metadata is unknown, so nobody can sign in (check OSC_ISSUER and the network)"
            }
            Self::Refreshes => "the provider does not answer refreshes (check the provider and the network)",
        })
    }
}

/// Answers probes. Concurrent ones share the work.
#[derive(Default)]
pub(crate) struct Probe {
    kept: Mutex<Option<(Readiness, Moment)>>,
    flight: Flight<Readiness>,
    /// Spares a provider that is down: probes ask for the metadata once a minute.
    metadata: Seldom,
}

impl Probe {
    pub(crate) async fn ask(self: &Arc<Self>, sessions: &Arc<Sessions>) -> Readiness {
        if sessions.is_shutting_down() {
            return Readiness::of(vec![Impairment::ShuttingDown]);
        }
        if let Some(kept) = self.kept(&*sessions.clock) {
            return kept;
        }
        let look = || {
            let (probe, sessions) = (self.clone(), sessions.clone());
            async move { probe.look(&sessions).await }
        };
        let looked = self.flight.join(&(), None, look).await;
        looked.unwrap_or_else(|| Readiness::of(vec![Impairment::ShuttingDown]))
    }

    fn kept(&self, clock: &dyn Clock) -> Option<Readiness> {
        let kept = self.kept.lock();
        kept.as_ref().filter(|(_, since)| since.age(clock) < KEPT).map(|(readiness, _)| readiness.clone())
    }

    async fn look(&self, sessions: &Arc<Sessions>) -> Readiness {
        // Another run may have ended after the caller found nothing.
        if let Some(kept) = self.kept(&*sessions.clock) {
            return kept;
        }
        let (store, has_metadata) = join(look_at_store(sessions), self.look_for_metadata(sessions)).await;
        let facts = Facts { store, has_metadata, is_outage: sessions.is_outage() };
        let readiness = Readiness::of(facts.impairments());
        *self.kept.lock() = Some((readiness.clone(), Moment::now(&*sessions.clock)));
        readiness
    }

    async fn look_for_metadata(&self, sessions: &Arc<Sessions>) -> bool {
        let provider = &sessions.provider;
        if !provider.has_metadata() && self.metadata.is_due(sessions.now()) {
            let fetch = Box::pin(provider.metadata());
            select(fetch, sessions.clock.sleep(METADATA_PATIENCE)).await;
        }
        provider.has_metadata()
    }
}

async fn look_at_store(sessions: &Sessions) -> StoreState {
    let Some(backing) = &sessions.backing else { return StoreState::None };
    match backing.now().await {
        Err(_) => StoreState::Silent,
        Ok(_) if !backing.coherence().is_watched() => StoreState::Answers,
        Ok(_) if backing.coherence().is_trusted(Instant::now()) => StoreState::Notifies,
        Ok(_) => StoreState::FailsToNotify,
    }
}

/// The state of the session store, as the layer knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum StoreState {
    None,
    Silent,
    /// It answers, and cannot notify.
    Answers,
    Notifies,
    FailsToNotify,
}

struct Facts {
    store: StoreState,
    has_metadata: bool,
    is_outage: bool,
}

impl Facts {
    fn impairments(&self) -> Vec<Impairment> {
        let of_store = match self.store {
            StoreState::None | StoreState::Answers | StoreState::Notifies => None,
            StoreState::Silent => Some(Impairment::Store),
            StoreState::FailsToNotify => Some(Impairment::Notifications),
        };
        let of_provider = (!self.has_metadata).then_some(Impairment::Metadata);
        let of_refreshes = self.is_outage.then_some(Impairment::Refreshes);
        [of_store, of_provider, of_refreshes].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_silent_store_disables_a_node() {
        let of = |store, has_metadata, is_outage| {
            Readiness::of(Facts { store, has_metadata, is_outage }.impairments())
        };
        for store in [StoreState::None, StoreState::Answers, StoreState::Notifies] {
            assert_eq!(of(store, true, false).impairments(), [], "{store:?}");
            assert_eq!(of(store, true, false).to_string(), "ready");
        }
        let unnotified = of(StoreState::FailsToNotify, true, false);
        assert!(unnotified.is_ready() && unnotified.impairments() == [Impairment::Notifications]);
        let provider_down = of(StoreState::Notifies, false, true);
        assert!(provider_down.is_ready(), "users with a fresh token need the node");
        assert_eq!(provider_down.impairments(), [Impairment::Metadata, Impairment::Refreshes]);
        let silent = of(StoreState::Silent, false, false);
        assert!(!silent.is_ready());
        assert_eq!(silent.impairments(), [Impairment::Store, Impairment::Metadata]);
        assert!(silent.to_string().starts_with("not ready: the session store does not answer"), "{silent}");
    }
}
