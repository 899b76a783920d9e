//! A session's cached knowledge about its user's workspace. It lives with the session in this process and is never stored.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::adopt_step::Step;
use super::answer::Key;
use super::starts::Starts;
use super::{Outcome, ServiceAccessToken, Subscription};
use crate::clock::Timestamp;
use crate::flight::{Flight, Flights};

pub(super) type Subscriptions = Arc<[Subscription]>;

/// A session's cached knowledge about its workspace. A shutdown does not wait for its flights, which can all be repeated.
#[derive(Default)]
pub(crate) struct Workspace {
    subscriptions: Mutex<Learnt>,
    pub(super) reading: Flight<Outcome<Subscriptions>>,
    services: Mutex<HashMap<String, Arc<Service>>>,
    /// When the platform refused a new personal access token as well.
    pub(super) refreshed_in_vain_at: Mutex<Option<Timestamp>>,
    pub(super) starts: Mutex<Starts>,
    /// The creates under way, by service and name.
    pub(super) creating: Flights<Key, Step>,
}

#[derive(Default)]
struct Learnt {
    subscriptions: Option<Subscriptions>,
    /// How often the subscriptions have been read.
    times: u64,
}

/// The time without a refresh after the platform refused a refreshed token too. Otherwise, while the platform refuses every token,
/// each call would spend a refresh token.
pub(super) const NO_REFRESH_FOR: Duration = Duration::from_secs(60);

/// How long a service's token is not renewed after a new token was refused too. OSC limits how many tokens it issues.
pub(super) const NO_RENEWAL_FOR: Duration = Duration::from_secs(15);

/// The cached knowledge about one service.
#[derive(Default)]
pub(super) struct Service {
    pub(super) token: Mutex<Option<ServiceAccessToken>>,
    /// When the service refused a new token as well.
    pub(super) renewed_in_vain_at: Mutex<Option<Timestamp>>,
    pub(super) opening: Flight<Outcome<ServiceAccessToken>>,
    pub(super) activating: Flight<Outcome<Subscription>>,
}

impl Workspace {
    pub(super) fn subscription(&self, service_id: &str) -> Option<Subscription> {
        let learnt = self.subscriptions.lock();
        learnt.subscriptions.as_ref().and_then(|subscriptions| find(subscriptions, service_id))
    }

    pub(super) fn times_learnt(&self) -> u64 {
        self.subscriptions.lock().times
    }

    /// Returns the subscriptions if they have been read more than `times` times.
    pub(super) fn learnt_since(&self, times: u64) -> Option<Subscriptions> {
        let learnt = self.subscriptions.lock();
        learnt.subscriptions.clone().filter(|_| learnt.times > times)
    }

    pub(super) fn learn(&self, subscriptions: &Subscriptions) {
        let mut learnt = self.subscriptions.lock();
        learnt.subscriptions = Some(subscriptions.clone());
        learnt.times += 1;
    }

    pub(super) fn forget_subscriptions(&self) {
        self.subscriptions.lock().subscriptions = None;
    }

    /// Returns the entry of a service, and adds it if it is missing. Call it only for a service that the workspace subscribes
    /// to, or is about to. Otherwise made-up ids would fill the memory.
    pub(super) fn service(&self, service_id: &str) -> Arc<Service> {
        let mut services = self.services.lock();
        services.entry(service_id.to_owned()).or_default().clone()
    }

    pub(super) fn token(&self, service_id: &str, now: Timestamp) -> Option<ServiceAccessToken> {
        let service = self.services.lock().get(service_id)?.clone();
        let token = service.token.lock().clone();
        token.filter(|token| token.is_fresh(now))
    }

    /// Drops the entry of a service that does not exist or is no longer subscribed to.
    pub(super) fn drop_service(&self, service_id: &str) {
        self.services.lock().remove(service_id);
    }
}

/// Returns true if a period has passed, or if the clock was set back to before its start.
pub(super) fn is_over(start: Option<Timestamp>, length: Duration, now: Timestamp) -> bool {
    start.is_none_or(|at| now < at || now.since(at) >= length)
}

pub(super) fn find(subscriptions: &[Subscription], service_id: &str) -> Option<Subscription> {
    subscriptions.iter().find(|subscription| subscription.service_id == service_id).cloned()
}
