//! What a session has learnt of its user's workspace. It lives and ends with the session in this process, and is never
//! stored.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use super::adopt_step::Step;
use super::catalog::Subscription;
use super::error::ContextError;
use super::request::Api;
use super::service_token::ServiceAccessToken;
use super::starts::Starts;
use crate::clock::Timestamp;
use crate::flight::{Flight, Flights};

pub(super) type Subscriptions = Arc<[Subscription]>;

/// Where a service's API is, and the token for it.
pub(super) struct Access {
    pub(super) api: Api,
    pub(super) token: ServiceAccessToken,
}

/// A session's view of its workspace.
#[derive(Default)]
pub(crate) struct Workspace {
    /// Its own: what runs here can be asked for again, so no orderly shutdown waits for it.
    pub(super) tasks: TaskTracker,
    subscriptions: Mutex<Learnt>,
    pub(super) reading: Flight<Result<Subscriptions, ContextError>>,
    services: Mutex<HashMap<String, Arc<Service>>>,
    refreshed_in_vain_at: Mutex<Option<Timestamp>>,
    pub(super) starts: Mutex<Starts>,
    /// By service and name.
    pub(super) creating: Flights<(String, String), Step>,
    calls: AtomicU64,
}

#[derive(Default)]
struct Learnt {
    subscriptions: Option<Subscriptions>,
    /// How often they have been read.
    times: u64,
}

/// A platform that refuses every token must not make each call spend a refresh token.
const NO_REFRESH_FOR: Duration = Duration::from_secs(60);

/// An API that refuses every token must not make each call ask for another: their number is limited.
const NO_RENEWAL_FOR: Duration = Duration::from_secs(15);

/// One service, as far as the session has used it.
#[derive(Default)]
pub(super) struct Service {
    access: Mutex<Option<Arc<Access>>>,
    renewed_in_vain_at: Mutex<Option<Timestamp>>,
    pub(super) opening: Flight<Result<Arc<Access>, ContextError>>,
    pub(super) activating: Flight<Result<Subscription, ContextError>>,
}

impl Workspace {
    pub(super) fn subscription(&self, service_id: &str) -> Option<Subscription> {
        let learnt = self.subscriptions.lock();
        learnt.subscriptions.as_ref().and_then(|subscriptions| find(subscriptions, service_id))
    }

    pub(super) fn times_learnt(&self) -> u64 {
        self.subscriptions.lock().times
    }

    /// What somebody else has read since it had been read this often.
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

    /// A number of its own for each call that creates or adopts.
    pub(super) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether a refused personal access token is worth a refresh.
    pub(super) fn may_refresh(&self, now: Timestamp) -> bool {
        is_over(*self.refreshed_in_vain_at.lock(), NO_REFRESH_FOR, now)
    }

    /// The platform refused a new token as well.
    pub(super) fn refreshed_in_vain(&self, now: Timestamp) {
        *self.refreshed_in_vain_at.lock() = Some(now);
    }

    /// Whether a refused service access token is worth asking for another.
    pub(super) fn may_renew(&self, service_id: &str, now: Timestamp) -> bool {
        is_over(*self.service(service_id).renewed_in_vain_at.lock(), NO_RENEWAL_FOR, now)
    }

    /// The service refused a new token as well.
    pub(super) fn renewed_in_vain(&self, service_id: &str, now: Timestamp) {
        *self.service(service_id).renewed_in_vain_at.lock() = Some(now);
    }

    /// Only for a service there is a subscription to, or about to be: ids that somebody makes up take no room.
    pub(super) fn service(&self, service_id: &str) -> Arc<Service> {
        let mut services = self.services.lock();
        services.entry(service_id.to_owned()).or_default().clone()
    }

    pub(super) fn access(&self, service_id: &str, now: Timestamp) -> Option<Arc<Access>> {
        let service = self.services.lock().get(service_id)?.clone();
        let access = service.access.lock().clone();
        access.filter(|access| access.token.is_fresh(now))
    }

    pub(super) fn keep(&self, service_id: &str, access: &Arc<Access>) {
        *self.service(service_id).access.lock() = Some(access.clone());
    }

    /// Drops an access that was refused; a newer one stays.
    pub(super) fn drop_access(&self, refused: &Arc<Access>) {
        let service = self.service(refused.token.service_id());
        service.access.lock().take_if(|access| Arc::ptr_eq(access, refused));
    }

    /// The same for one that a caller used by itself.
    pub(super) fn drop_token(&self, refused: &ServiceAccessToken) {
        let service = self.service(refused.service_id());
        service.access.lock().take_if(|access| access.token.token() == refused.token());
    }

    /// Drops what is kept for a service that turned out to be none.
    pub(super) fn drop_service(&self, service_id: &str) {
        self.services.lock().remove(service_id);
    }
}

/// A clock that went back behind the start tells nothing any more.
fn is_over(start: Option<Timestamp>, length: Duration, now: Timestamp) -> bool {
    start.is_none_or(|at| now < at || now.since(at) >= length)
}

pub(super) fn find(subscriptions: &[Subscription], service_id: &str) -> Option<Subscription> {
    subscriptions.iter().find(|subscription| subscription.service_id == service_id).cloned()
}
