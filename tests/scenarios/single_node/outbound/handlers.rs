//! axum handlers that call an API and answer with its errors.

use axum::Router;
use axum::routing::get;
use http::header;
use http_body_util::Full;
use mock_osc::{Endpoint, Fault};
use osc_auth_layer::outbound::OutboundClient;
use osc_auth_layer::{OscSession, Outbound};
use osc_tests::{Browser, Logs, Scripted, boxed, layer, soon};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

use super::{API, Api, outbound};

#[tokio::test]
async fn each_kind_of_error_has_an_answer_that_names_no_host() {
    let logs = Logs::collect();
    let osc = mock_osc::MockOsc::builder().start().await.unwrap();
    let api = Scripted::start(|_, _| (401, "text/plain", String::new())).await;
    let client = Outbound::to([api.base()]).unwrap().client().unwrap();
    let base = api.base().to_owned();
    let call = async |client: OutboundClient, session: OscSession, url: String| {
        client.send(&session, client.get(url)).await.map(|answer| answer.status().to_string())
    };
    let handler = move |path: axum::extract::Path<String>, session: OscSession| async move {
        let url = match path.as_str() {
            "foreign_origin" => "https://evil.example/".to_owned(),
            "api_unreachable" => "not a URL".to_owned(),
            "session_ended" => {
                session.sign_out().await;
                base
            }
            _ => base,
        };
        call(client, session, url).await
    };
    let no_session = || async {
        let service = outbound().layer(Api::default().client(|_| 200));
        let sent = service.oneshot(http::Request::get(API).body(Full::default()).unwrap()).await;
        sent.map(|_| ())
    };
    let app = Router::new().route("/no_session", get(no_session)).route("/{kind}", get(handler));
    let mut browser = Browser::new(boxed(app.layer(layer(&osc))));
    browser.sign_in(&osc).await;
    for (error, status, description) in [
        ("foreign_origin", 500, "the request goes to an origin that gets no token, so it was not sent"),
        ("no_session", 500, "the request carries no session, so it was not sent"),
        ("api_unreachable", 502, "the API did not answer"),
        (
            "unavailable",
            503,
            "the provider or the session store is unreachable; the session is kept, so try again later",
        ),
        ("session_ended", 401, "the session has ended; the user has to sign in again"),
    ] {
        if error == "unavailable" {
            osc.fault(Endpoint::Token, Fault::RetryAfter(429, "7".to_owned()));
        }
        let answer = soon(browser.fetch(&format!("/{error}"))).await;
        let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
        let expected = json!({ "error": error, "error_description": description });
        assert_eq!((answer.status().as_u16(), body), (status, expected));
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(answer.headers().contains_key(header::RETRY_AFTER), error == "unavailable");
    }
    let logged = logs.text();
    assert!(logged.contains("A handler's request to an API was not sent"), "{logged}");
    assert!(logged.contains("if https://evil.example is an API of yours"), "{logged}");
}
