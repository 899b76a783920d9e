//! Decides which request a fault hits.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::lock;
use crate::request::Recorded;

type Condition = Box<dyn Fn(&Recorded) -> bool + Send + Sync>;

struct Planned {
    id: u64,
    fault: Fault,
    skip: usize,
    times: Option<usize>,
    condition: Option<Condition>,
}

impl fmt::Debug for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Planned")
            .field("fault", &self.fault)
            .field("skip", &self.skip)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// The planned faults of each endpoint, in the order they were planned.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: Mutex<HashMap<Endpoint, Vec<Planned>>>,
    next_id: AtomicU64,
}

impl Faults {
    pub(crate) fn plan(&self, endpoint: Endpoint, fault: Fault) -> FaultPlan<'_> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let planned = Planned { id, fault, skip: 0, times: None, condition: None };
        lock(&self.planned).entry(endpoint).or_default().push(planned);
        FaultPlan { faults: self, endpoint, id }
    }

    pub(crate) fn clear(&self) {
        lock(&self.planned).clear();
    }

    /// Returns the fault for this request: the first planned one that applies.
    pub(crate) fn take(&self, endpoint: Endpoint, request: &Recorded) -> Option<Fault> {
        let mut planned = lock(&self.planned);
        let queue = planned.get_mut(&endpoint)?;
        for plan in queue.iter_mut() {
            if plan.times == Some(0) || plan.condition.as_ref().is_some_and(|holds| !holds(request)) {
                continue;
            }
            if plan.skip > 0 {
                plan.skip -= 1;
                continue;
            }
            plan.times = plan.times.map(|times| times - 1);
            return Some(plan.fault.clone());
        }
        None
    }
}

/// Narrows a fault that was just planned. Without a call, it hits every request until the faults are cleared.
///
/// The faults of one endpoint form a sequence. The first that still applies to a request hits it.
#[derive(Debug)]
pub struct FaultPlan<'a> {
    faults: &'a Faults,
    endpoint: Endpoint,
    id: u64,
}

impl FaultPlan<'_> {
    /// Limits the fault to the next `times` requests.
    pub fn times(self, times: usize) -> Self {
        self.change(|plan| plan.times = Some(times))
    }

    /// Limits the fault to the next request.
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Lets this many requests pass before the fault begins.
    pub fn skip(self, requests: usize) -> Self {
        self.change(|plan| plan.skip = requests)
    }

    /// Limits the fault to requests that meet this condition. Other requests pass and do not count.
    pub fn when(self, condition: impl Fn(&Recorded) -> bool + Send + Sync + 'static) -> Self {
        self.change(|plan| plan.condition = Some(Box::new(condition)))
    }

    fn change(self, change: impl FnOnce(&mut Planned)) -> Self {
        let mut planned = lock(&self.faults.planned);
        let queue = planned.entry(self.endpoint).or_default();
        if let Some(plan) = queue.iter_mut().find(|plan| plan.id == self.id) {
            change(plan);
        }
        drop(planned);
        self
    }
}
