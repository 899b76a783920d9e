//! Name resolution that a test can hold up: one node's requests to the provider wait while another's pass.

use std::net::SocketAddr;
use std::sync::Arc;

use osc_auth_layer::Builder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::watch;

use crate::soon;

/// Every name is this machine. Clones are the same.
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
    /// Makes a layer ask it before every request to a host that has a name.
    pub fn configure(&self, layer: Builder) -> Builder {
        let resolver = self.clone();
        layer.configure_http(move |http| http.dns_resolver(Arc::new(resolver)).pool_max_idle_per_host(0))
    }

    /// A URL that names no port leads to this one, instead of its scheme's.
    pub fn lead_to(&self, port: u16) {
        self.0.send_modify(|state| state.port = port);
    }

    /// Names wait from now on.
    pub fn hold(&self) {
        self.0.send_modify(|state| (state.is_held, state.waiting) = (true, 0));
    }

    /// Resolves once a request waits.
    pub async fn arrived(&self) {
        let mut state = self.0.subscribe();
        // Fails only when the sender is gone, and `self` holds it.
        let _ = soon(state.wait_for(|state| state.waiting > 0)).await;
    }

    /// Lets those that wait go on, and those that come.
    pub fn release(&self) {
        self.0.send_modify(|state| (state.is_held, state.waiting) = (false, 0));
    }

    /// The names that were asked for so far.
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
