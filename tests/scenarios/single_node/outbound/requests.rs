//! The headers that an API receives, and those that never reach it.

use http::{HeaderValue, Request, header};
use http_body_util::Full;
use osc_auth_layer::OutboundErrorKind;
use osc_auth_layer::test_util::TestToken;
use osc_tests::{EXPIRED, token_of};
use tower::Layer;

use super::{API, Api, outbound, request, send, signed_in};

#[tokio::test]
async fn a_request_carries_the_sessions_token_marked_sensitive() {
    let (_stage, token) = signed_in().await;
    let api = Api::default();
    let service = outbound().layer(api.client(|_| 200));
    for marked in [
        Request::get(API).extension(token.session()),
        Request::get(API).extension(token.clone()),
        Request::get("HTTPS://API.Example.com:443/orders?open=true").extension(token.clone()),
    ] {
        let answer = send(&service, marked.body(Full::default()).unwrap()).await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
    let asked = api.asked();
    assert_eq!(api.tokens(), vec![token.access_token(); 3]);
    assert!(asked.iter().all(|request| request.headers()[header::AUTHORIZATION].is_sensitive()));
    assert_eq!(asked[2].uri().path_and_query().unwrap(), "/orders?open=true");
}

#[tokio::test]
async fn an_inserted_session_wins_over_the_token_of_the_users_request() {
    let (stage, token) = signed_in().await;
    let mut other = stage.browser_with(TestToken::new("another-token")).await;
    let other = token_of(&other.fetch("/").await).expect("a token");
    let api = Api::default();
    let service = outbound().layer(api.client(|_| 200));
    let both = Request::get(API).extension(token.clone()).extension(other.session());
    send(&service, both.body(Full::default()).unwrap()).await.expect("an answer");
    assert_eq!(api.tokens(), ["another-token"]);
}

#[tokio::test]
async fn an_expired_token_is_refreshed_before_the_request_is_sent() {
    let (stage, token) = signed_in().await;
    stage.pass(EXPIRED);
    let api = Api::default();
    let service = outbound().layer(api.client(|_| 200));
    send(&service, request(&token, "one")).await.expect("an answer");
    let tokens = api.tokens();
    assert!(tokens.len() == 1 && tokens[0] != token.access_token() && stage.osc.is_live(&tokens[0]));
    assert_eq!((stage.refreshes(), &api.asked()[0].body()[..]), (1, &b"one"[..]));
}

#[tokio::test]
async fn s91_no_credential_of_the_users_request_reaches_an_api() {
    let (_stage, token) = signed_in().await;
    let api = Api::default();
    let service = outbound().layer(api.client(|_| 200));
    let mut copied = request(&token, "");
    for (name, value) in [
        ("authorization", "Basic dXNlcjpzZWNyZXQ="),
        ("authorization", "Bearer of-the-user"),
        ("cookie", "osc_session=of-the-user"),
        ("cookie", "theme=dark"),
        ("proxy-authorization", "Basic dXNlcjpzZWNyZXQ="),
        ("host", "tenant-store.minio-minio.auto.prod.osaas.io"),
        ("host", "app.example.com"),
        ("x-kept", "yes"),
    ] {
        copied.headers_mut().append(name, HeaderValue::from_static(value));
    }
    send(&service, copied).await.expect("an answer");

    let asked = api.asked();
    let headers = asked[0].headers();
    let bearer = HeaderValue::try_from(format!("Bearer {}", token.access_token())).unwrap();
    let all = |name| headers.get_all(name).iter().collect::<Vec<_>>();
    assert_eq!(all(header::AUTHORIZATION), [bearer]);
    assert_eq!(all(header::HOST), ["api.example.com"]);
    assert_eq!(headers["x-kept"], "yes");
    for gone in [header::COOKIE, header::PROXY_AUTHORIZATION] {
        assert!(!headers.contains_key(&gone), "{gone}");
    }
}

#[tokio::test]
async fn s90_a_request_to_another_origin_is_an_error_and_nothing_is_sent() {
    let (_stage, token) = signed_in().await;
    let api = Api::default();
    let service = outbound().layer(api.client(|_| 200));
    for uri in [
        "https://evil.example/orders?key=secret",
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com./",
        "https://api.example.com@evil.example/",
        "https://secret@api.example.com/",
        "https://x.api.example.com/",
        "/orders",
    ] {
        let sent = Request::get(uri).extension(token.session()).body(Full::default()).unwrap();
        let error = send(&service, sent).await.expect_err(uri);
        assert_eq!(error.kind(), OutboundErrorKind::ForeignOrigin, "{uri}");
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("secret") && !text.contains("orders"), "{text}");
        }
    }
    let evil = Request::get("https://evil.example/orders").extension(token).body(Full::default()).unwrap();
    let text = send(&service, evil).await.unwrap_err().to_string();
    assert!(text.contains("https://evil.example is") && text.contains("Outbound::to"), "{text}");
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn a_request_without_a_session_is_an_error_and_nothing_is_sent() {
    let api = Api::default();
    let service = outbound().layer(api.client(|_| 200));
    let error = send(&service, Request::get(API).body(Full::default()).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), OutboundErrorKind::NoSession);
    assert!(error.to_string().contains("OscSession"), "{error}");
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn a_redirect_is_returned_as_it_is() {
    let (stage, token) = signed_in().await;
    let api = Api::default();
    let service = outbound().layer(api.client(|_| 307));
    let answer = send(&service, request(&token, "")).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), api.asked().len(), stage.refreshes()), (307, 1, 0));
}
