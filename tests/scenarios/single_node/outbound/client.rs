//! The client for `reqwest`, with servers on this machine.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, header};
use http_body_util::Full;
use mock_osc::{Endpoint, Fault};
use osc_auth_layer::outbound::OutboundClient;
use osc_auth_layer::{OscToken, Outbound, OutboundErrorKind};
use osc_tests::{Asking, Scripted, free_port, soon};

use super::signed_in;

/// Starts an API that answers 401 to this token, and else 200 with the request's body.
async fn api_that_refuses(token: &OscToken) -> Scripted {
    let refused = format!("Bearer {}", token.access_token());
    Scripted::start(move |_, asking: &Asking| {
        let is_refused = asking.header("authorization") == Some(&refused);
        (if is_refused { 401 } else { 200 }, "text/plain", asking.body.clone())
    })
    .await
}

async fn api() -> Scripted {
    Scripted::start(|_, _| (200, "text/plain", "welcome".to_owned())).await
}

fn client_for(api: &Scripted) -> OutboundClient {
    Outbound::to([api.base()]).expect("loopback").client().expect("a client")
}

fn authorization(asking: &Asking) -> Vec<&str> {
    let headers = asking.headers.iter().filter(|(name, _)| name == "authorization");
    headers.map(|(_, value)| value.as_str()).collect()
}

#[tokio::test]
async fn s91_a_request_by_reqwest_carries_the_token_and_none_of_the_users_credentials() {
    let (_stage, token) = signed_in().await;
    let api = api().await;
    let client = client_for(&api);
    let request = client.get(format!("{}/orders", api.base()));
    let request = request.bearer_auth("of-the-user").basic_auth("user", Some("secret"));
    let request =
        request.header(header::COOKIE, "osc_session=of-the-user").header(header::HOST, "evil.example");
    let request =
        request.header(header::PROXY_AUTHORIZATION, "Basic dXNlcjpzZWNyZXQ=").header("x-kept", "yes");

    let answer = soon(client.send(&token.session(), request)).await.expect("an answer");

    assert_eq!(soon(answer.text()).await.unwrap(), "welcome");
    let asked = &api.asked()[0];
    assert_eq!(asked.line, "GET /orders");
    assert_eq!(authorization(asked), [format!("Bearer {}", token.access_token())]);
    assert_eq!(asked.header("host"), api.base().strip_prefix("http://"));
    assert_eq!(asked.header("x-kept"), Some("yes"));
    assert_eq!((asked.header("cookie"), asked.header("proxy-authorization")), (None, None));
}

#[tokio::test]
async fn a_refused_token_is_refreshed_once_and_the_body_sent_again() {
    let (stage, token) = signed_in().await;
    let api = api_that_refuses(&token).await;
    let client = client_for(&api);

    let answer = soon(client.send(&token.session(), client.post(api.base()).body("an order"))).await.unwrap();

    assert_eq!((answer.status().as_u16(), soon(answer.text()).await.unwrap()), (200, "an order".to_owned()));
    let asked = api.asked();
    assert_eq!((asked.len(), stage.refreshes()), (2, 1));
    assert!(asked.iter().all(|asking| asking.line == "POST /" && asking.body == "an order"));
    assert_eq!(authorization(&asked[1]).len(), 1);
    assert!(stage.osc.is_live(authorization(&asked[1])[0].strip_prefix("Bearer ").unwrap()));
}

#[tokio::test]
async fn a_stream_is_not_sent_again_but_the_next_request_has_a_new_token() {
    let (stage, token) = signed_in().await;
    let api = api_that_refuses(&token).await;
    let client = client_for(&api);
    let stream = || reqwest::Body::wrap(Full::new(Bytes::from_static(b"a stream")));
    let session = token.session();
    let send = async || {
        let answer = client.send(&session, client.post(api.base()).body(stream()));
        soon(answer).await.expect("an answer").status().as_u16()
    };
    assert_eq!((send().await, api.asked().len(), stage.refreshes()), (401, 1, 1));
    assert_eq!((send().await, api.asked().len(), stage.refreshes()), (200, 2, 1));
}

#[tokio::test]
async fn an_api_that_refuses_every_token_gets_two_requests_of_reqwest() {
    let (stage, token) = signed_in().await;
    let api = Scripted::start(|_, _| (401, "text/plain", "no".to_owned())).await;
    let client = client_for(&api);
    for (requests, refreshes) in [(2, 1), (3, 1)] {
        let answer = soon(client.send(&token.session(), client.get(api.base()))).await.expect("an answer");
        assert_eq!(answer.status(), 401);
        assert_eq!(soon(answer.text()).await.unwrap(), "no");
        assert_eq!((api.asked().len(), stage.refreshes()), (requests, refreshes));
    }
}

#[tokio::test]
async fn s90_a_redirect_is_returned_and_its_target_gets_nothing() {
    let (_stage, token) = signed_in().await;
    let other = api().await;
    let target = format!("{}/stolen", other.base());
    let api = Scripted::answering(move |base, asking| {
        let location = if asking.line == "GET /here" { format!("{base}/there") } else { target.clone() };
        Response::builder().status(307).header(header::LOCATION, location).body(String::new()).unwrap()
    })
    .await;
    let outbound = Outbound::to([api.base()]).unwrap();
    let follow = |http: reqwest::ClientBuilder| http.redirect(reqwest::redirect::Policy::limited(10));
    let following = follow(reqwest::Client::builder()).build().unwrap();
    for client in [outbound.client().unwrap(), outbound.client_with(follow).unwrap()] {
        for path in ["/here", "/elsewhere"] {
            // Also if a client that follows redirects began the request.
            for http in
                [client.get(format!("{}{path}", api.base())), following.get(format!("{}{path}", api.base()))]
            {
                let answer = soon(client.send(&token.session(), http)).await.expect("an answer");
                assert_eq!((answer.status().as_u16(), answer.url().path()), (307, path));
            }
        }
    }
    assert_eq!((api.asked().len(), other.asked().len()), (8, 0));
}

#[tokio::test]
async fn s90_reqwest_sends_nothing_to_an_origin_that_is_not_named() {
    let (_stage, token) = signed_in().await;
    let (api, other) = (api().await, api().await);
    let client = client_for(&api);
    let address = api.base().strip_prefix("http://").unwrap();
    for url in [
        format!("{}/orders?key=secret", other.base()),
        format!("http://{address}@{}/", other.base().strip_prefix("http://").unwrap()),
        api.base().replace("127.0.0.1", "localhost"),
        format!("https://{address}/orders"),
    ] {
        let error = soon(client.send(&token.session(), client.get(&url))).await.expect_err(&url);
        assert_eq!(error.kind(), OutboundErrorKind::ForeignOrigin, "{url}");
        let text = format!("{error} {error:?}");
        assert!(!text.contains("secret") && !text.contains("orders"), "{text}");
    }
    let error = soon(client.send(&token.session(), client.get("not a URL"))).await.unwrap_err();
    assert_eq!(error.kind(), OutboundErrorKind::Client);
    assert!(api.asked().is_empty() && other.asked().is_empty());
}

#[tokio::test]
async fn s90_no_proxy_gets_a_request_to_a_plain_http_api() {
    let (_stage, token) = signed_in().await;
    let (api, proxy) = (api().await, api().await);
    let outbound = Outbound::to([api.base()]).unwrap();
    let proxy_url = proxy.base().to_owned();
    let client = outbound.client_with(|http| http.proxy(reqwest::Proxy::all(&proxy_url).unwrap())).unwrap();
    let answer = soon(client.send(&token.session(), client.get(api.base()))).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), api.asked().len(), proxy.asked().len()), (200, 1, 0));
}

#[tokio::test]
async fn an_ended_session_and_an_outage_are_errors_of_their_own() {
    let (stage, token) = signed_in().await;
    let api = api_that_refuses(&token).await;
    let client = client_for(&api);
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "7".to_owned())).once();
    let error = soon(client.send(&token.session(), client.get(api.base()))).await.unwrap_err();
    assert_eq!((error.kind(), api.asked().len()), (OutboundErrorKind::Unavailable, 1));
    assert!(error.retry_after().is_some());

    token.session().sign_out().await;
    let error = soon(client.send(&token.session(), client.get(api.base()))).await.unwrap_err();
    assert_eq!((error.kind(), api.asked().len()), (OutboundErrorKind::SessionEnded, 1));
}

#[tokio::test]
async fn the_time_limit_can_be_set_and_the_error_hides_the_url() {
    let (_stage, token) = signed_in().await;
    // It accepts connections and never answers.
    let (_listener, address) = free_port().await;
    let base = format!("http://{address}");
    let outbound = Outbound::to([&base]).unwrap();
    let client = outbound.client_with(|http| http.timeout(Duration::from_millis(50))).unwrap();
    let request = client.get(format!("{base}/orders?key=secret"));
    let error = soon(client.send(&token.session(), request)).await.unwrap_err();
    assert_eq!(error.kind(), OutboundErrorKind::Client);
    let text = format!("{error} {error:?} {:?}", error.source().map(ToString::to_string));
    assert!(!text.contains("secret") && !text.contains("orders"), "{text}");
    assert!(error.into_client_error().is_some_and(|error| error.is_timeout()));
}

#[tokio::test]
async fn a_dropped_request_of_reqwest_loses_no_refresh() {
    let (stage, token) = signed_in().await;
    let api = api_that_refuses(&token).await;
    let client = client_for(&api);
    let hold = stage.osc.hold(Endpoint::Token);
    let session = token.session();
    let mut dropped = Box::pin(client.send(&session, client.get(api.base())));
    tokio::select! {
        _ = &mut dropped => panic!("it waits for the refresh"),
        () = soon(hold.arrived(1)) => {}
    }
    drop(dropped);
    hold.release();
    let answer = soon(client.send(&session, client.get(api.base()))).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), stage.refreshes()), (200, 1));
}
