//! The settings, from the environment.

use std::env;

use http::StatusCode;
#[cfg(feature = "mock")]
use mock_osc::MockOsc;
use osc_auth_layer::store::RedisStore;
use osc_auth_layer::{ConfigError, OscAuthLayer, OscAuthLayerBuilder};
use tokio::net::TcpListener;

/// Any error of the start.
pub type AnyError = Box<dyn std::error::Error>;

/// The file of the default store.
const FILE: &str = "sessions.db";

/// Variables of a deployed app. With one of them set, the mock is refused, because it asks for no password.
#[cfg(feature = "mock")]
const NOT_WITH_THE_MOCK: [&str; 5] = ["PORT", "PUBLIC_URL", "OSC_HOSTNAME", "SESSION_STORE", "REDIS_URL"];

/// Configures the layer for the client from the environment, or for a mock of Open Source Cloud if there is
/// none. The layer's pages get the colour of the sample's.
///
/// # Errors
/// If a setting is missing or invalid.
pub async fn configure() -> Result<OscAuthLayerBuilder, AnyError> {
    Ok(with_client().await?.app_color("#0b6a62"))
}

async fn with_client() -> Result<OscAuthLayerBuilder, AnyError> {
    #[cfg(feature = "mock")]
    if variable("CLIENT_ID").is_none() && variable("OSC_APP_NAME").is_none() {
        return with_mock().await;
    }
    let auth = OscAuthLayer::builder_from_env()?;
    if variable("SESSION_STORE").is_some() { Ok(auth) } else { with_default_store(auth) }
}

fn with_default_store(auth: OscAuthLayerBuilder) -> Result<OscAuthLayerBuilder, AnyError> {
    match variable("REDIS_URL").map(|url| RedisStore::from_url(&url)) {
        Some(Ok(store)) => return Ok(auth.store(store)),
        Some(Err(ConfigError::Invalid { problem, remedy, .. })) => {
            return Err(format!("REDIS_URL {problem}. {remedy}").into());
        }
        Some(Err(error)) => return Err(error.into()),
        None => {}
    }
    // A file is of no use to a second instance, nor in a container that a deployment replaces.
    if variable("PORT").is_some() {
        tracing::warn!(
            "SESSION_STORE is not set. Sessions live in this process: a restart signs everybody out, and a second instance \
             does not know them. Set it to the URL of a PostgreSQL or Redis server."
        );
        return Ok(auth);
    }
    println!("SESSION_STORE is not set. Sessions are kept in {FILE} in this directory.");
    Ok(auth.store_url(format!("sqlite:{FILE}")))
}

#[cfg(feature = "mock")]
async fn with_mock() -> Result<OscAuthLayerBuilder, AnyError> {
    if let Some(name) = NOT_WITH_THE_MOCK.into_iter().find(|name| variable(name).is_some()) {
        return Err(refused(&format!("{name} is set")));
    }
    let bind = address();
    let is_loopback = bind.parse().is_ok_and(|addr: std::net::SocketAddr| addr.ip().is_loopback());
    if !is_loopback && !bind.starts_with("localhost:") {
        return Err(refused(&format!("BIND={bind} is not a loopback address")));
    }
    // The mock is leaked because it must live as long as the process.
    let mock = Box::leak(Box::new(MockOsc::builder().start().await?));
    let issuer = mock.issuer();
    println!(
        "CLIENT_ID is not set. Using a mock of Open Source Cloud at {issuer}. Of the settings, only BIND and METRICS_BIND are used."
    );
    let client = osc_auth_layer::OAuthClient::confidential(mock.client_id(), mock.client_secret());
    Ok(OscAuthLayer::builder(client).issuer(issuer).platform(mock.platform()))
}

#[cfg(feature = "mock")]
fn refused(why: &str) -> AnyError {
    format!(
        "CLIENT_ID is not set, and {why}. Without a client, this sample uses a mock of Open Source Cloud that asks for no \
         password, so it must not be reachable by others. Create an OAuth app in the OSC console (My Apps, OAuth Apps) \
         and set CLIENT_ID and CLIENT_SECRET, or set OSC_APP_NAME and COOKIE_KEY."
    )
    .into()
}

/// Runs the layer's preflight in the background, and prints what it finds. It takes a few seconds if the provider is down, and the
/// sample serves users meanwhile. `PREFLIGHT=off` leaves it out.
pub fn start_preflight(auth: &OscAuthLayer) {
    if variable("PREFLIGHT").as_deref() != Some("off") {
        let auth = auth.clone();
        tokio::spawn(async move { println!("{}", auth.check().await) });
    }
}

/// Answers a readiness probe: 200 or 503, and what is wrong.
pub async fn ready(auth: &OscAuthLayer) -> (StatusCode, String) {
    let readiness = auth.ready().await;
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, readiness.to_string())
}

/// Listens on `BIND`, or on all addresses at `PORT`, as OSC requires. Default: 127.0.0.1:3000.
///
/// # Errors
/// If the address is invalid or in use.
pub async fn listen() -> Result<TcpListener, AnyError> {
    let address = address();
    let listener = TcpListener::bind(&address).await;
    // With `PORT`, the address is 0.0.0.0 and that port.
    Ok(listener.map_err(|error| format!("cannot listen on BIND={address}: {error}"))?)
}

/// Listens on `METRICS_BIND`, for Prometheus. `None` if it is not set: a public app must not show its metrics to everybody.
///
/// # Errors
/// If the address is invalid or in use.
pub async fn listen_for_metrics() -> Result<Option<TcpListener>, AnyError> {
    let Some(address) = variable("METRICS_BIND") else { return Ok(None) };
    let listener = TcpListener::bind(&address).await;
    Ok(Some(listener.map_err(|error| format!("cannot listen on METRICS_BIND={address}: {error}"))?))
}

fn address() -> String {
    let at_port = || variable("PORT").map(|port| format!("0.0.0.0:{port}"));
    variable("BIND").or_else(at_port).unwrap_or_else(|| "127.0.0.1:3000".to_owned())
}

/// Returns a variable. An empty one counts as not set.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
