//! Shared by the examples: Open Source Cloud or a mock of it, and the address.

#![allow(dead_code, reason = "each example uses a part")]

use std::io::{self, ErrorKind};

use mock_osc::MockOsc;
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Configures the layer from the environment. Your app calls [`OscAuthLayer::builder_from_env`] instead.
///
/// Without `CLIENT_ID`, it uses a mock of Open Source Cloud in this process, so that an example needs no account.
pub(crate) async fn auth() -> Result<OscAuthLayerBuilder, AnyError> {
    let _ = tracing_subscriber::fmt().with_writer(io::stderr).try_init(); // shows the layer's log
    let Some(osc) = mock().await? else { return Ok(OscAuthLayer::builder_from_env()?) };
    let client = OAuthClient::confidential(osc.client_id(), osc.client_secret());
    Ok(OscAuthLayer::builder(client).issuer(osc.issuer()).platform(osc.platform()))
}

/// Returns the base URL of the platform, or `None` for that of Open Source Cloud.
pub(crate) async fn platform() -> Result<Option<String>, AnyError> {
    Ok(match mock().await? {
        Some(osc) => Some(osc.platform()),
        None => variable("OSC_PLATFORM"),
    })
}

/// Listens on `BIND`. Default: 127.0.0.1:3000.
pub(crate) async fn listen() -> Result<TcpListener, AnyError> {
    let bind = variable("BIND").unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener =
        TcpListener::bind(&bind).await.map_err(|error| format!("cannot listen on BIND={bind}: {error}"))?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() && mock().await?.is_some() {
        return Err("The mock asks for no password. Set CLIENT_ID, or BIND to 127.0.0.1 and a port.".into());
    }
    println!("Open http://localhost:{}", address.port());
    Ok(listener)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Starts the mock at the first call. Returns `None` if the environment names a client of Open Source Cloud.
async fn mock() -> Result<Option<&'static MockOsc>, AnyError> {
    static MOCK: OnceCell<MockOsc> = OnceCell::const_new();
    if variable("CLIENT_ID").is_some() {
        return Ok(None);
    }
    // The same address and client at each start, because a stored session belongs to both.
    let osc = MockOsc::builder().client_id("osc_examples").client_secret("for_the_mock_of_the_examples_only");
    let start = async || match osc.clone().port(4000).start().await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => osc.start().await,
        started => started,
    };
    Ok(Some(MOCK.get_or_try_init(start).await?))
}
