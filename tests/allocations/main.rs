//! Counts the heap allocations of a request. This is a program of its own, because it counts those of its whole process.

#![expect(clippy::unwrap_used, reason = "clippy knows tests by their attribute, and helpers have none")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};

use allocation_counter::measure;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use mock_osc::MockOsc;
use osc_auth_layer::test_util::{MemoryStore, TestClock, TestToken};
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder, OscToken};
use tower::{Layer, Service, service_fn};

type Body = Full<Bytes>;

fn app(_: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    ready(Ok(Response::default()))
}

/// Returns an answer that has a header already, as almost every answer has.
fn page() -> Response<Body> {
    let mut response = Response::default();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn builder() -> OscAuthLayerBuilder {
    OscAuthLayer::builder(OAuthClient::confidential("osc_app", "a secret of more than 32 characters"))
        .public_url("https://app.example.com")
        .public_path("/public")
        .public_prefix("/assets")
}

fn request(path: &str, cookie: Option<&HeaderValue>) -> Request<Body> {
    let mut request = Request::get(path).body(Body::default()).unwrap();
    if let Some(cookie) = cookie {
        request.headers_mut().insert(header::COOKIE, cookie.clone());
    }
    request
}

/// How often the layer allocates for one request, the app being one that does not.
async fn allocations(layer: &OscAuthLayer, path: &str, cookie: Option<&HeaderValue>) -> u64 {
    let pages = Arc::new(Mutex::new(vec![page(), page()]));
    let mut service = layer.layer(service_fn(move |_: Request<Body>| {
        let page = pages.lock().unwrap().pop();
        ready(Ok::<_, Infallible>(page.expect("a page for each request")))
    }));
    // The first may read the store.
    service.call(request(path, cookie)).await.unwrap();
    let mut request = Some(request(path, cookie));
    measure(|| {
        let answer = service.call(request.take().unwrap()).now_or_never();
        assert_eq!(answer.expect("it does not wait").unwrap().status(), 200);
    })
    .count_total
}

async fn signed_in(layer: &OscAuthLayer) -> HeaderValue {
    layer.sign_in_for_test(TestToken::new("t".repeat(900)).refresh_token("r".repeat(64))).await
}

#[tokio::test]
async fn a_signed_in_request_costs_the_three_allocations_of_its_extension() {
    let layer = builder().build().unwrap();
    let cookie = signed_in(&layer).await;
    assert_eq!(allocations(&layer, "/", Some(&cookie)).await, 3);
    assert_eq!(allocations(&layer, "/public", Some(&cookie)).await, 3);
    assert_eq!(allocations(&layer, "/assets/app.css", Some(&cookie)).await, 3);
}

#[tokio::test]
async fn a_store_behind_a_session_that_is_known_costs_no_more() {
    let clock = TestClock::new();
    let layer = builder().clock(clock.clone()).store(MemoryStore::with_clock(clock)).build().unwrap();
    let cookie = signed_in(&layer).await;
    assert_eq!(allocations(&layer, "/", Some(&cookie)).await, 3);
}

#[tokio::test]
async fn a_request_without_a_session_on_a_public_path_costs_none() {
    let layer = builder().build().unwrap();
    assert_eq!(allocations(&layer, "/public", None).await, 0);
    let other = HeaderValue::from_static("theme=dark; __Host-osc_session=no-session-of-ours");
    assert_eq!(allocations(&layer, "/public", Some(&other)).await, 0);
}

/// A cancelled wait for the end of a session leaves nothing in memory. A wait does not make requests allocate
/// more.
#[tokio::test]
async fn waits_for_the_end_of_a_session_leave_nothing_allocated() {
    let clock = TestClock::new();
    let layer = builder().clock(clock.clone()).store(MemoryStore::with_clock(clock)).build().unwrap();
    let cookie = signed_in(&layer).await;
    let sessions = Arc::new(Mutex::new(None));
    let seen = sessions.clone();
    let mut keep = layer.layer(service_fn(move |request: Request<Body>| {
        *seen.lock().unwrap() = request.extensions().get::<OscToken>().map(OscToken::session);
        app(request)
    }));
    keep.call(request("/", Some(&cookie))).await.unwrap();
    let session = sessions.lock().unwrap().take().expect("the handler was given a token");
    // The first makes room in a table.
    assert!(session.ended().now_or_never().is_none());
    let left = measure(|| {
        for _ in 0..1_000 {
            let waits: [_; 3] = std::array::from_fn(|_| Box::pin(session.ended()));
            for mut wait in waits {
                assert!(wait.as_mut().now_or_never().is_none());
            }
        }
    });
    assert_eq!((left.count_current, left.bytes_current), (0, 0));
    assert!(left.count_total > 0);
    let mut wait = Box::pin(session.ended());
    assert!(wait.as_mut().now_or_never().is_none());
    assert_eq!(allocations(&layer, "/", Some(&cookie)).await, 3);
}

/// Strangers cost nothing that lasts, not a byte: neither sign-ins they begin, nor what they make up.
#[tokio::test]
async fn thousands_of_strangers_leave_nothing_allocated() {
    const SESSION: &str = "osc_session_3000";
    let osc = MockOsc::builder().start().await.unwrap();
    let client = OAuthClient::confidential(osc.client_id(), osc.client_secret());
    let layer = OscAuthLayer::builder(client).issuer(osc.issuer()).public_url("http://localhost:3000");
    let layer = layer.build().unwrap();
    let _visitor = signed_in(&layer).await;
    let made_up = |name: &str| HeaderValue::try_from(format!("{name}={:A<43}", 1)).unwrap();
    let pending = made_up(&format!("{SESSION}_signin_AAAAAAAA"));
    let session = made_up(SESSION);
    let callback = format!("/auth/callback?state=AAAAAAAA{:A<43}&code=c", 1);
    let asks = [
        ("/auth/signin", None, 303),
        ("/auth/signin", Some(&pending), 303),
        (callback.as_str(), None, 400),
        (callback.as_str(), Some(&pending), 400),
        ("/", Some(&session), 401),
    ];
    let mut service = layer.layer(service_fn(app));
    // The first has the metadata fetched.
    for (path, cookie, status) in asks {
        let answer = service.call(request(path, cookie)).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
    let left = measure(|| {
        for _ in 0..2_000 {
            for (path, cookie, status) in asks {
                let answer = service.call(request(path, cookie)).now_or_never();
                assert_eq!(answer.expect("it does not wait").unwrap().status(), status);
            }
        }
    });
    assert_eq!((left.count_current, left.bytes_current), (0, 0));
    assert!(left.count_total > 0);
}
