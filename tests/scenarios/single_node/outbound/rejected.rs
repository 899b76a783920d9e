//! An API that answers 401.

use futures_util::FutureExt;
use futures_util::future::join_all;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use mock_osc::{Endpoint, Fault};
use osc_auth_layer::OutboundErrorKind;
use osc_auth_layer::test_util::TestToken;
use osc_tests::{EXPIRED, Stage, soon, token_of};
use tower::{Layer, ServiceExt};

use super::{API, Api, Body, outbound, refuses, repeating, request, send, signed_in};

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(body.to_vec()).expect("text")
}

#[tokio::test]
async fn a_refused_token_is_refreshed_once_and_the_request_repeated() {
    let (stage, token) = signed_in().await;
    let api = Api::default();
    let service = repeating(api.client(refuses(&token)));

    let answer = send(&service, request(&token, "an order")).await.expect("an answer");

    assert_eq!(answer.status(), 200);
    assert_eq!(text(answer).await, "an order");
    let asked = api.asked();
    assert_eq!((asked.len(), stage.refreshes()), (2, 1));
    let tokens = api.tokens();
    assert!(tokens[0] == token.access_token() && stage.osc.is_live(&tokens[1]), "{tokens:?}");
    assert_eq!(
        (asked[0].method(), asked[0].uri(), asked[0].body()),
        (asked[1].method(), asked[1].uri(), asked[1].body())
    );
    assert_eq!(asked[1].headers().get_all("authorization").iter().count(), 1);
}

#[tokio::test]
async fn by_default_only_a_request_without_a_body_is_repeated() {
    let (stage, token) = signed_in().await;
    let api = Api::default();
    let service = outbound().layer(api.client(refuses(&token)));

    let answer = send(&service, request(&token, "an order")).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), api.asked().len()), (401, 1));
    assert_eq!(stage.refreshes(), 1, "the next request has a new token");
    let answer = send(&service, request(&token, "an order")).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), api.asked().len(), stage.refreshes()), (200, 2, 1));

    let (stage, token) = signed_in().await;
    let service = outbound().layer(Api::default().client(refuses(&token)));
    let answer = send(&service, request(&token, "")).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), stage.refreshes()), (200, 1));
}

#[tokio::test]
async fn an_api_that_refuses_every_token_gets_two_requests_and_one_refresh() {
    let (stage, token) = signed_in().await;
    let api = Api::default();
    let service = repeating(api.client(|_| 401));
    let answer = send(&service, request(&token, "an order")).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), api.asked().len(), stage.refreshes()), (401, 2, 1));
    // The token was refreshed a moment ago, so it is not the reason.
    let answer = send(&service, request(&token, "an order")).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), api.asked().len(), stage.refreshes()), (401, 3, 1));
    assert_eq!(text(answer).await, "an order");
}

#[tokio::test]
async fn only_a_401_causes_a_refresh() {
    let (stage, token) = signed_in().await;
    for status in [400, 403, 404, 407, 429, 500, 503] {
        let api = Api::default();
        let answer =
            send(&repeating(api.client(move |_| status)), request(&token, "")).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), api.asked().len(), stage.refreshes()), (status, 1, 0));
    }
}

#[tokio::test]
async fn without_a_refresh_token_the_401_is_returned() {
    let stage = Stage::signed_in().await;
    let mut browser = stage.browser_with(TestToken::new("without-a-refresh-token")).await;
    let token = token_of(&browser.fetch("/").await).expect("a token");
    let api = Api::default();
    let answer = send(&repeating(api.client(|_| 401)), request(&token, "")).await;
    assert_eq!((answer.expect("an answer").status().as_u16(), api.asked().len()), (401, 1));
}

#[tokio::test]
async fn a_thousand_refused_requests_cause_one_refresh() {
    let (stage, token) = signed_in().await;
    let api = Api::default();
    let service = repeating(api.client(refuses(&token)));
    let hold = stage.osc.hold(Endpoint::Token);
    let send = || service.clone().oneshot(request(&token, "an order"));
    let mut requests = Box::pin(join_all((0..1000).map(|_| send())));
    // With a store, a request may wait for an answer before it reaches the API.
    let all_refused = async {
        while api.asked().len() < 1000 {
            assert!(requests.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
    };
    soon(all_refused).await;
    soon(hold.arrived(1)).await;
    hold.release();

    let answers = soon(requests).await;

    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 200)));
    assert_eq!((stage.refreshes(), api.asked().len()), (1, 2000));
}

#[tokio::test]
async fn an_ended_session_is_an_error() {
    let (stage, token) = signed_in().await;
    let api = Api::default();
    let service = repeating(api.client(refuses(&token)));
    // The provider refuses the refresh after the API refused the token.
    stage.osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant"));
    let error = send(&service, request(&token, "")).await.unwrap_err();
    assert_eq!((error.kind(), api.asked().len()), (OutboundErrorKind::SessionEnded, 1));
    // Then nothing is sent.
    let error = send(&service, request(&token, "")).await.unwrap_err();
    assert_eq!((error.kind(), api.asked().len()), (OutboundErrorKind::SessionEnded, 1));

    let (_stage, token) = signed_in().await;
    token.session().sign_out().await;
    let api = Api::default();
    let error = send(&repeating(api.client(|_| 200)), request(&token, "")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (OutboundErrorKind::SessionEnded, None));
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn an_outage_of_the_provider_is_an_error_with_a_delay() {
    let (stage, token) = signed_in().await;
    let api = Api::default();
    let service = repeating(api.client(refuses(&token)));
    stage.osc.fault(Endpoint::Token, Fault::RetryAfter(429, "7".to_owned()));
    let error = send(&service, request(&token, "")).await.unwrap_err();
    assert_eq!((error.kind(), api.asked().len()), (OutboundErrorKind::Unavailable, 1));
    assert!(error.retry_after().is_some());

    stage.pass(EXPIRED);
    let error = send(&service, request(&token, "")).await.unwrap_err();
    assert_eq!((error.kind(), api.asked().len()), (OutboundErrorKind::Unavailable, 1), "nothing was sent");
}

#[tokio::test]
async fn a_dropped_request_loses_no_refresh() {
    let (stage, token) = signed_in().await;
    let api = Api::default();
    let service = repeating(api.client(refuses(&token)));
    let hold = stage.osc.hold(Endpoint::Token);
    let mut dropped = Box::pin(service.clone().oneshot(request(&token, "")));
    assert!(dropped.as_mut().now_or_never().is_none());
    soon(hold.arrived(1)).await;
    drop(dropped);
    hold.release();

    let empty = Request::get(API).extension(token.clone()).body(Full::default()).unwrap();
    soon(token.session().refresh(&token)).await.expect("the refresh went on");
    let answer = send(&service, empty).await.expect("an answer");

    assert_eq!((answer.status().as_u16(), stage.refreshes(), api.asked().len()), (200, 1, 2));
}
