//! axum handlers that extract the workspace and answer with its errors.

use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::workspace::Instance;
use osc_auth_layer::{ContextError, OscContext};
use osc_tests::{ADSERVER, Answer, Browser, MINIO, boxed, layer, layer_for, soon};
use serde_json::{Value, json};

async fn list(osc: OscContext) -> Result<Json<Vec<Instance>>, ContextError> {
    Ok(Json(osc.service(ADSERVER).list_instances().await?))
}

async fn perhaps(osc: Option<OscContext>) -> Result<String, ContextError> {
    match osc {
        Some(osc) => Ok(osc.token_balance().await?.tokens.to_string()),
        None => Ok("nobody".to_owned()),
    }
}

fn routes(base: &str) -> Router {
    Router::new().route(&format!("{base}/list"), get(list)).route(&format!("{base}/perhaps"), get(perhaps))
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_else(|_| panic!("no JSON: {answer:?}"))
}

#[tokio::test]
async fn a_handler_that_asks_for_the_workspace_acts_in_it() {
    let osc = MockOsc::builder().start().await.unwrap();
    for base in ["", "/assets"] {
        let mut browser = Browser::new(boxed(routes(base).layer(layer(&osc))));
        browser.sign_in(&osc).await;
        let listed = browser.fetch(&format!("{base}/list")).await;
        assert_eq!((listed.status(), &json_of(&listed)[0]["name"]), (StatusCode::OK, &json!("demo")));
        assert_eq!(browser.fetch(&format!("{base}/perhaps")).await.body(), "1250");
    }
}

#[tokio::test]
async fn without_a_user_the_handler_gets_none_or_is_not_run() {
    let osc = MockOsc::builder().start().await.unwrap();
    let open = [
        Browser::new(boxed(routes("/assets").layer(layer(&osc)))),
        Browser::new(boxed(routes("/assets").layer(layer_for(&osc).allow_anonymous().build().unwrap()))),
        Browser::new(boxed(routes("/assets"))),
    ];
    for mut browser in open {
        assert_eq!(browser.fetch("/assets/perhaps").await.body(), "nobody");
        let missing = browser.fetch("/assets/list").await;
        assert_eq!(
            (missing.status(), &json_of(&missing)["error"]),
            (StatusCode::UNAUTHORIZED, &json!("unauthenticated"))
        );
        assert_eq!(missing.headers()[header::CACHE_CONTROL], "no-store");
        assert!(missing.headers().contains_key(header::WWW_AUTHENTICATE));
    }
    assert_eq!(osc.count(Endpoint::Catalog) + osc.count(Endpoint::Money), 0);
}

#[tokio::test]
async fn each_kind_of_error_has_an_answer_of_its_own() {
    async fn fail(kind: axum::extract::Path<String>, osc: OscContext) -> Result<(), ContextError> {
        match kind.as_str() {
            "invalid_input" => osc.service(ADSERVER).instance("My Own").create(json!({})).await.map(drop),
            "not_subscribed" => osc.service(MINIO).list_instances().await.map(drop),
            "name_taken" => osc.service(ADSERVER).instance("demo").create(json!({})).await.map(drop),
            "not_found" => osc.service(ADSERVER).instance("none").remove().await,
            "refused" => {
                osc.service(ADSERVER).instance("a").create(json!({ "b": "{{secrets.c}}" })).await.map(drop)
            }
            "not_supported" => osc.service(ADSERVER).instance("demo").restart().await,
            "timed_out" => {
                osc.service(ADSERVER)
                    .instance("demo")
                    .wait_until_ready(Duration::from_millis(1), |_| {})
                    .await
            }
            "unavailable" | "unexpected_answer" => osc.token_balance().await.map(drop),
            "session_ended" => {
                osc.session().unwrap().sign_out().await;
                osc.token_balance().await.map(drop)
            }
            other => panic!("{other}"),
        }
    }
    let osc = MockOsc::builder().without_instance_links().start().await.unwrap();
    let mut browser = Browser::new(boxed(Router::new().route("/{kind}", get(fail)).layer(layer(&osc))));
    browser.sign_in(&osc).await;
    let answers = [
        (
            "invalid_input",
            400,
            "could not create My Own (eyevinn-test-adserver): a name may contain only lowercase letters and digits",
        ),
        (
            "not_subscribed",
            404,
            "could not list the instances (minio-minio): the workspace does not subscribe to the service; activate the service first",
        ),
        ("name_taken", 409, "could not create demo (eyevinn-test-adserver): the name is taken"),
        (
            "not_found",
            404,
            "could not remove none (eyevinn-test-adserver): Open Source Cloud did not find it (OSC says: no such instance)",
        ),
        (
            "refused",
            403,
            "could not create a (eyevinn-test-adserver): Open Source Cloud refused the request (OSC says: no such secret: c)",
        ),
        (
            "not_supported",
            422,
            "could not restart demo (eyevinn-test-adserver): the instance does not support this",
        ),
        (
            "timed_out",
            504,
            "could not wait for demo (eyevinn-test-adserver): it was not running in time; its last status was unknown",
        ),
        (
            "unavailable",
            502,
            "could not read the token balance: Open Source Cloud asks you to try again later",
        ),
        (
            "unexpected_answer",
            502,
            "could not read the token balance: Open Source Cloud sent an answer that the layer cannot read",
        ),
        (
            "session_ended",
            401,
            "could not read the token balance: the session has ended; the user has to sign in again",
        ),
    ];
    for (error, status, description) in answers {
        osc.clear_faults();
        match error {
            "unavailable" => drop(osc.fault(Endpoint::Money, Fault::RetryAfter(429, "7".to_owned()))),
            "unexpected_answer" => drop(osc.fault(Endpoint::Money, Fault::Html)),
            _ => {}
        }
        let _hold = (error == "timed_out").then(|| osc.hold(Endpoint::Instances));
        let answer = soon(browser.fetch(&format!("/{error}"))).await;
        let expected = json!({ "error": error, "error_description": description });
        assert_eq!((answer.status().as_u16(), json_of(&answer)), (status, expected));
        let headers = answer.headers();
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(headers.contains_key(header::WWW_AUTHENTICATE), status == 401);
        let wait = headers.get(header::RETRY_AFTER).map(|seconds| seconds.to_str().unwrap());
        assert_eq!(wait, (error == "unavailable").then_some("7"));
    }
}

#[tokio::test]
async fn an_unknown_platform_answers_500() {
    let osc = MockOsc::builder().start().await.unwrap();
    let client = osc_auth_layer::OAuthClient::confidential(osc.client_id(), osc.client_secret());
    let unconfigured = osc_auth_layer::OscAuthLayer::builder(client)
        .issuer(osc.issuer())
        .public_url("http://localhost:3000")
        .build()
        .unwrap();
    let mut browser = Browser::new(boxed(routes("").layer(unconfigured)));
    browser.sign_in(&osc).await;
    let answer = browser.fetch("/list").await;
    assert_eq!((answer.status().as_u16(), &json_of(&answer)["error"]), (500, &json!("not_configured")));
}
