//! The steps of a request: route, record, hold, fault, handle.

use std::sync::Mutex;

use http::Response;

use crate::body::Scripted;
use crate::hosts::Hosts;
use crate::lock;
use crate::plan::Faults;
use crate::request::Recorded;
use crate::route::route;
use crate::server::HangUp;
use crate::watch::{Holds, Log};
use crate::world::World;

#[derive(Debug)]
pub(crate) struct Shared {
    hosts: Hosts,
    pub(crate) world: Mutex<World>,
    pub(crate) faults: Faults,
    pub(crate) holds: Holds,
    pub(crate) log: Log,
}

impl Shared {
    pub(crate) fn new(world: World) -> Self {
        Self {
            hosts: Hosts::new(&world.settings.issuer, world.settings.api_site.clone()),
            world: Mutex::new(world),
            faults: Faults::default(),
            holds: Holds::default(),
            log: Log::default(),
        }
    }

    pub(crate) async fn answer(&self, request: Recorded) -> Result<Response<Scripted>, HangUp> {
        let (action, via) = route(&self.hosts, request.header("host"), &request.path);
        let endpoint = action.endpoint();
        self.log.record(endpoint, request.clone());
        self.holds.pass(endpoint).await;
        let delay = lock(&self.world).settings.delays.get(&endpoint).copied();
        if let Some(delay) = delay.filter(|delay| !delay.is_zero()) {
            tokio::time::sleep(delay).await;
        }
        let process = || lock(&self.world).handle(&action, &via, &request);
        match self.faults.take(endpoint, &request) {
            None => Ok(process().into_response()),
            Some(fault) => fault.apply(process).await.ok_or(HangUp),
        }
    }
}
