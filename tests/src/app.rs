//! Apps behind the layer, as plain Tower services.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use mock_osc::MockOsc;
use osc_auth_layer::test_util::MemoryStore;
use osc_auth_layer::{Clock, OAuthClient, OscAuthLayer, OscAuthLayerBuilder, OscToken};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt, service_fn};

/// The body of the requests that a [`Browser`](crate::Browser) sends.
pub type Body = Full<Bytes>;

/// An app as a boxed service.
pub type App = BoxCloneSyncService<Request<Body>, Response<Bytes>, String>;

/// Returns the token that [`echo`] received with the request.
pub fn token_of<B>(response: &Response<B>) -> Option<OscToken> {
    response.extensions().get::<OscToken>().cloned()
}

/// Answers 200 with `signed in` or `anonymous`.
///
/// The token of the request is passed to the test in the response's extensions, never in the body.
pub async fn echo<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let token = request.extensions().get::<OscToken>().cloned();
    let text = if token.is_some() { "signed in" } else { "anonymous" };
    let mut response = Response::new(Full::from(text));
    if let Some(token) = token {
        response.extensions_mut().insert(token);
    }
    Ok(response)
}

/// Returns a builder for a layer at `http://localhost:3000` that uses `osc` as provider and platform.
///
/// `/public` and the paths below `/assets` need no session.
pub fn layer_for(osc: &MockOsc) -> OscAuthLayerBuilder {
    let layer = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .platform(osc.platform())
        .public_url("http://localhost:3000")
        .public_path("/public")
        .public_prefix("/assets");
    with_scenario_store(layer, SystemClock)
}

/// Adds the store that `SCENARIO_STORE` names, so that all scenarios also run with a store.
///
/// `memory` is a store that notifies nodes of changes. `polled` does not, so nodes read it at every request.
pub(crate) fn with_scenario_store(layer: OscAuthLayerBuilder, clock: impl Clock) -> OscAuthLayerBuilder {
    match std::env::var("SCENARIO_STORE").as_deref() {
        Ok("memory") => layer.store(MemoryStore::with_clock(clock)),
        Ok("polled") => layer.store(MemoryStore::without_notifications(clock)),
        Ok(other) => panic!("SCENARIO_STORE={other} is neither `memory` nor `polled`"),
        Err(_) => layer,
    }
}

/// The system's time, for a store.
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Returns the layer of [`layer_for`].
///
/// # Panics
/// If the layer does not build.
pub fn layer(osc: &MockOsc) -> OscAuthLayer {
    layer_for(osc).build().expect("the test's layer builds")
}

/// Returns the [`echo`] app behind `layer`.
pub fn app(layer: &OscAuthLayer) -> App {
    boxed(layer.layer(service_fn(echo::<Body>)))
}

/// Turns any service into an [`App`]. The bodies of its responses are read to their end.
pub fn boxed<S, B>(service: S) -> App
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: std::fmt::Debug + 'static,
    S::Future: Send + 'static,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: std::fmt::Debug,
{
    let collected = service_fn(move |request: Request<Body>| {
        let service = service.clone();
        async move {
            let response = service.oneshot(request).await.map_err(|error| format!("{error:?}"))?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| format!("{error:?}"))?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        }
    });
    BoxCloneSyncService::new(collected)
}
