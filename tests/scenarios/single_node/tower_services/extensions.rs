//! The other parts of a request. All of them are kept, except a token from elsewhere.

use std::convert::Infallible;
use std::future::ready;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use osc_auth_layer::{OscAuthLayer, OscToken};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{cookie, due, lonely, request, token_in};

#[derive(Clone, Debug, PartialEq)]
struct Note(&'static str);

/// Returns a service that answers with the token it received, and returns the request as extensions of the
/// response.
fn mirror()
-> impl Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone + Send
{
    service_fn(|request: Request<()>| {
        let token = token_in(&request).unwrap_or("nobody").to_owned();
        let (parts, ()) = request.into_parts();
        let mut response = Response::new(Full::from(token));
        response.headers_mut().insert("x-of-the-app", HeaderValue::from_static("kept"));
        response.extensions_mut().insert(parts.extensions.get::<Note>().cloned());
        response.extensions_mut().insert((parts.method, parts.uri, parts.version, parts.headers));
        ready(Ok::<_, Infallible>(response))
    })
}

async fn text(response: Response<osc_auth_layer::ResponseBody<Full<Bytes>>>) -> String {
    let body = http_body_util::BodyExt::collect(response.into_body()).await.expect("infallible").to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

#[tokio::test]
async fn all_other_parts_of_request_and_response_are_unchanged() {
    let at = due().await;
    for (path, cookie) in [("/a%20b?x=1&x", Some(&at.fresh)), ("/public", None), ("/waits?y", Some(&at.due))]
    {
        let mut request = request(path, cookie, ());
        *request.method_mut() = Method::PATCH;
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().append("x-two", HeaderValue::from_static("one"));
        request.headers_mut().append("x-two", HeaderValue::from_bytes(b"\xff two").unwrap());
        request.extensions_mut().insert(Note("mine"));
        let sent =
            (request.method().clone(), request.uri().clone(), request.version(), request.headers().clone());

        let response = at.auth.layer(mirror()).oneshot(request).await.unwrap();

        assert_eq!(response.headers()["x-of-the-app"], "kept");
        let extensions = response.extensions();
        assert_eq!(extensions.get::<Option<Note>>(), Some(&Some(Note("mine"))));
        assert_eq!(extensions.get::<(Method, http::Uri, Version, http::HeaderMap)>(), Some(&sent));
    }
    assert_eq!(at.osc.count_grants("refresh_token"), 1, "the last one waited");
}

#[tokio::test]
async fn the_layer_adds_only_cache_control_to_the_apps_responses() {
    let at = due().await;
    for cookie in [&at.fresh, &at.due] {
        let response = at.auth.layer(mirror()).oneshot(request("/", Some(cookie), ())).await.unwrap();
        assert_eq!(response.headers().len(), 2, "{:?}", response.headers());
        assert_eq!(response.headers()[header::CACHE_CONTROL], "private");
    }
}

/// Returns a valid token of another layer.
async fn foreign_token() -> OscToken {
    let elsewhere: OscAuthLayer = lonely();
    let cookie = cookie(&elsewhere, "foreign").await;
    let take = |mut request: Request<()>| {
        let mut response = Response::new(Full::<Bytes>::default());
        response.extensions_mut().insert(request.extensions_mut().remove::<OscToken>());
        ready(Ok::<_, Infallible>(response))
    };
    let response = elsewhere.layer(service_fn(take)).oneshot(request("/", Some(&cookie), ())).await;
    let mut response = response.expect("infallible");
    response.extensions_mut().remove::<Option<OscToken>>().flatten().expect("it is signed in there")
}

#[tokio::test]
async fn a_foreign_token_is_removed_on_every_path() {
    let at = due().await;
    let foreign = foreign_token().await;
    let nonsense = HeaderValue::from_static("osc_session_3000=nonsense");
    for (path, cookie, status, expected) in [
        ("/", None, StatusCode::UNAUTHORIZED, None),
        ("/", Some(&nonsense), StatusCode::UNAUTHORIZED, None),
        ("/public", None, StatusCode::OK, Some("nobody")),
        ("/assets/x", Some(&nonsense), StatusCode::OK, Some("nobody")),
        ("/", Some(&at.fresh), StatusCode::OK, Some("fresh")),
        ("/public", Some(&at.fresh), StatusCode::OK, Some("fresh")),
    ] {
        let mut request = request(path, cookie, ());
        request.extensions_mut().insert(foreign.clone());
        let response = at.auth.layer(mirror()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path} {cookie:?}");
        if let Some(expected) = expected {
            assert_eq!(text(response).await, expected, "{path} {cookie:?}");
        }
    }
}

#[tokio::test]
async fn a_planted_token_does_not_survive_a_wait_for_the_provider() {
    let at = due().await;
    at.osc.revoke_refresh_tokens();
    for (path, expected) in [("/public", Some("nobody")), ("/", None)] {
        let mut request = request(path, Some(&at.due), ());
        request.extensions_mut().insert(foreign_token().await);
        let response = at.auth.layer(mirror()).oneshot(request).await.unwrap();
        match expected {
            Some(expected) => assert_eq!(text(response).await, expected),
            None => assert_eq!(response.status(), StatusCode::UNAUTHORIZED),
        }
    }
}
