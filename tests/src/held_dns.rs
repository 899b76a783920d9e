//! Name resolution that a test can delay, so that one node's requests to the provider wait while another's
//! pass.

use std::net::SocketAddr;
use std::sync::Arc;

use osc_auth_layer::OscAuthLayerBuilder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::watch;

use crate::soon;

/// A resolver that returns this machine's address for every name. Clones share their state.
#[derive(Clone, Debug)]
pub struct HeldDns(Arc<watch::Sender<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    is_held: bool,
    port: u16,
    waiting: usize,
    asked: Vec<String>,
}

impl Default for HeldDns {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }
}

impl HeldDns {
    /// Makes a layer use this resolver for every host that is a name.
    pub fn configure(&self, layer: OscAuthLayerBuilder) -> OscAuthLayerBuilder {
        let resolver = self.clone();
        layer.configure_http(move |http| http.dns_resolver(Arc::new(resolver)).pool_max_idle_per_host(0))
    }

    /// Sends requests whose URL has no port to this port, instead of the scheme's default.
    pub fn lead_to(&self, port: u16) {
        self.0.send_modify(|state| state.port = port);
    }

    /// Makes lookups wait from now on.
    pub fn hold(&self) {
        self.0.send_modify(|state| (state.is_held, state.waiting) = (true, 0));
    }

    /// Waits until a lookup is waiting.
    pub async fn arrived(&self) {
        let mut state = self.0.subscribe();
        // This fails only if the sender is gone, and `self` holds the sender.
        let _ = soon(state.wait_for(|state| state.waiting > 0)).await;
    }

    /// Lets all waiting and all later lookups pass.
    pub fn release(&self) {
        self.0.send_modify(|state| (state.is_held, state.waiting) = (false, 0));
    }

    /// Returns the names that were looked up so far.
    pub fn asked(&self) -> Vec<String> {
        self.0.borrow().asked.clone()
    }
}

impl Resolve for HeldDns {
    fn resolve(&self, name: Name) -> Resolving {
        let state = self.0.clone();
        Box::pin(async move {
            let mut watching = state.subscribe();
            state.send_modify(|state| {
                state.waiting += 1;
                state.asked.push(name.as_str().to_owned());
            });
            let _ = watching.wait_for(|state| !state.is_held).await;
            let port = state.borrow().port;
            let addresses: Addrs = Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], port))));
            Ok(addresses)
        })
    }
}
