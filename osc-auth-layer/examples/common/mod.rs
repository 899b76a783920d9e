//! Shared by all examples: OSC from the environment, or a mock of it, and the address.

use std::env;

use mock_osc::MockOsc;
use osc_auth_layer::{Builder, Client, OscAuthLayer};
use tokio::net::TcpListener;

pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Where an example runs, and with which provider.
#[allow(dead_code)] // not every example needs all of it
pub(crate) struct Stage {
    pub(crate) auth: Builder,
    pub(crate) listener: TcpListener,
    /// The mock's platform. `None` is OSC's.
    pub(crate) platform: Option<String>,
}

/// Listens on `BIND` (default 127.0.0.1:3000). Configures the layer from the environment if `CLIENT_ID` is set, else for a mock of
/// OSC in this process.
pub(crate) async fn start() -> Result<Stage, AnyError> {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let bind = variable("BIND").unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener =
        TcpListener::bind(&bind).await.map_err(|error| format!("cannot listen on BIND={bind}: {error}"))?;
    let address = listener.local_addr()?;
    let (auth, platform) = match variable("CLIENT_ID") {
        Some(_) => (OscAuthLayer::builder_from_env()?, variable("OSC_PLATFORM")),
        None if address.ip().is_loopback() => with_mock().await?,
        None => {
            return Err(
                "The mock asks for no password. Set CLIENT_ID, or BIND to 127.0.0.1 and a port.".into()
            );
        }
    };
    println!("Open http://{address}");
    Ok(Stage { auth, listener, platform })
}

async fn with_mock() -> Result<(Builder, Option<String>), AnyError> {
    // The mock is leaked because it must live as long as the process.
    let mock = Box::leak(Box::new(MockOsc::builder().start().await?));
    println!("CLIENT_ID is not set. Using a mock of Open Source Cloud at {}", mock.issuer());
    let client = Client::confidential(mock.client_id(), mock.client_secret());
    let auth = OscAuthLayer::builder(client).issuer(mock.issuer()).platform(mock.platform());
    Ok((auth, Some(mock.platform())))
}
