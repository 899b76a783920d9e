//! The way of a request: route, record, hold, fault, handle.

use std::sync::Mutex;

use http::{Response, StatusCode};

use crate::body::Scripted;
use crate::lock;
use crate::plan::Faults;
use crate::reply::Reply;
use crate::request::Recorded;
use crate::route::route;
use crate::server::HangUp;
use crate::watch::{Holds, Log};
use crate::world::World;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) faults: Faults,
    pub(crate) holds: Holds,
    pub(crate) log: Log,
}

impl Shared {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            faults: Faults::default(),
            holds: Holds::default(),
            log: Log::default(),
        }
    }

    pub(crate) async fn answer(&self, request: Recorded) -> Result<Response<Scripted>, HangUp> {
        let Some((action, via)) = route(request.header("host"), &request.path) else {
            return Ok(Reply::reason(StatusCode::NOT_FOUND, "the mock has no such path").into_response());
        };
        let endpoint = action.endpoint();
        self.log.record(endpoint, request.clone());
        self.holds.pass(endpoint).await;
        let process = || lock(&self.world).handle(&action, &via, &request);
        match self.faults.take(endpoint, &request) {
            None => Ok(process().into_response()),
            Some(fault) => fault.apply(process).await.ok_or(HangUp),
        }
    }
}
