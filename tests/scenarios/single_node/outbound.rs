//! Requests to one's own APIs with the user's token.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use osc_auth_layer::outbound::OutboundService;
use osc_auth_layer::{OscToken, Outbound};
use osc_tests::{Stage, soon};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

mod client;
mod config;
mod handlers;
mod readiness;
mod rejected;
mod requests;

const API: &str = "https://api.example.com";

type Body = Full<Bytes>;
type Client = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// An API in place of an HTTP client. It records the requests.
#[derive(Clone, Default)]
struct Api(Arc<Mutex<Vec<Request<Bytes>>>>);

impl Api {
    /// Returns an HTTP client that reaches the API. `answer` decides the status.
    fn client(&self, answer: impl Fn(&Request<Bytes>) -> u16 + Clone + Send + Sync + 'static) -> Client {
        let api = self.clone();
        BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
            let (api, answer) = (api.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let request = Request::from_parts(parts, body.collect().await?.to_bytes());
                let mut response = Response::new(Full::from(request.body().clone()));
                *response.status_mut() = StatusCode::from_u16(answer(&request)).expect("a status");
                api.0.lock().expect("no panic").push(request);
                Ok(response)
            }
        }))
    }

    fn asked(&self) -> Vec<Request<Bytes>> {
        self.0.lock().expect("no panic").clone()
    }

    /// Returns the token of each request.
    fn tokens(&self) -> Vec<String> {
        self.asked().iter().map(|request| bearer(request).to_owned()).collect()
    }
}

/// Returns the token that a request carries, or nothing.
fn bearer<B>(request: &Request<B>) -> &str {
    let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

/// Answers 401 to this token and 200 to others.
fn refuses(token: &OscToken) -> impl Fn(&Request<Bytes>) -> u16 + Clone + Send + Sync + 'static {
    let rejected = token.access_token().to_owned();
    move |request| if bearer(request) == rejected { 401 } else { 200 }
}

fn outbound() -> Outbound {
    Outbound::to([API]).expect("an acceptable origin")
}

/// Returns the client behind the layer, which repeats bodies.
fn repeating(client: Client) -> OutboundService<Client, fn(&Body) -> Option<Body>> {
    outbound().replay((|body: &Body| Some(body.clone())) as fn(&Body) -> Option<Body>).layer(client)
}

fn request(token: &OscToken, body: &'static str) -> Request<Body> {
    let request = Request::post(format!("{API}/orders")).extension(token.session());
    request.body(Full::from(body)).expect("a request")
}

/// Sends a request as the user through the layer.
async fn send<R>(service: &OutboundService<Client, R>, request: Request<Body>) -> Sent
where
    OutboundService<Client, R>:
        Clone + tower::Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    soon(service.clone().oneshot(request)).await
}

type Error = osc_auth_layer::OutboundError<Infallible>;
type Sent = Result<Response<Body>, Error>;

async fn signed_in() -> (Stage, OscToken) {
    let stage = Stage::signed_in().await;
    let token = stage.token().await;
    (stage, token)
}
