//! Tokens and secrets appear in no error, no log and no answer to the browser, even if the platform repeats
//! them.

use std::sync::{Arc, Mutex};

use axum::routing::get;
use axum::{Json, Router};
use mock_osc::{Endpoint, Fault, MockOsc, Recorded};
use osc_auth_layer::workspace::Instance;
use osc_auth_layer::{ContextError, OscContext};
use osc_tests::{ADSERVER, Browser, EXPIRED, Logs, MINIO, Stage, boxed, calls, layer, soon, use_instance};
use serde_json::json;

/// Returns the parts of a secret that must not appear either: halves, ends and a piece from its middle.
fn parts(secret: &str) -> Vec<String> {
    let chars: Vec<char> = secret.chars().collect();
    let piece = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
    let (half, end) = (chars.len() / 2, chars.len());
    if end < 48 {
        return vec![secret.to_owned()];
    }
    vec![piece(0, half), piece(half, end), piece(0, 24), piece(end - 24, end), piece(half - 12, half + 12)]
}

fn assert_hidden(text: &str, secrets: &[String], what: &str) {
    for secret in secrets {
        for part in parts(secret) {
            assert!(!text.contains(&part), "{what} shows {part}: {text}");
        }
    }
}

fn bearer(request: &Recorded) -> Option<String> {
    let value = ["x-pat-jwt", "x-jwt", "authorization"].iter().find_map(|name| request.header(name))?;
    Some(value.strip_prefix("Bearer ")?.to_owned())
}

/// Refuses the next requests to the endpoint. The refusals contain `quote` applied to the token that was
/// sent.
fn refuse_quoting(stage: &Stage, endpoint: Endpoint, token: &str, quote: impl Fn(&str) -> String) {
    for (status, kind) in [(403, "application/json"), (400, "text/plain"), (500, "application/json")] {
        let text = quote(token);
        let body = if kind == "text/plain" { text } else { json!({ "message": text }).to_string() };
        stage.osc.fault(endpoint, Fault::Answer(status, kind, body)).once();
    }
}

#[tokio::test]
async fn no_error_repeats_the_token_that_was_sent_nor_a_part_of_it() {
    let quotes: [fn(&str) -> String; 8] = [
        |token| format!("{token} is bad"),
        |token| format!("Bearer {token}"),
        |token| token[..token.len() / 2].to_owned(),
        |token| token[token.len() / 2..].to_owned(),
        |token| format!("<{}>", &token[20..60]),
        |token| format!("{} {}", &token[..40], &token[40..]),
        |token| format!("{}\u{0}{}", &token[..40], &token[40..]),
        |token| format!("{} {token}", "word ".repeat(55)),
    ];
    for quote in quotes {
        let logs = Logs::collect();
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        let personal = stage.token().await;
        let service = soon(osc.service(ADSERVER).access_token()).await.unwrap();
        for call in calls() {
            let token = match call.endpoint {
                // The token is cached, so no request is sent.
                Endpoint::ServiceToken => continue,
                Endpoint::Instances => service.token(),
                _ => personal.access_token(),
            };
            refuse_quoting(&stage, call.endpoint, token, quote);
            for _ in 0..3 {
                let error = soon(call.make(&osc)).await.unwrap_err();
                let shown = format!("{error} {error:?} {error:#?} {:?}", error.reason());
                assert_hidden(&shown, &stage.osc.issued_tokens(), call.doing);
            }
            stage.osc.clear_faults();
        }
        assert_hidden(&logs.text(), &stage.osc.issued_tokens(), "the log");
    }
}

#[tokio::test]
async fn no_error_repeats_a_replaced_token() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    soon(adserver.list_instances()).await.unwrap();
    soon(osc.token_balance()).await.unwrap();
    for endpoint in [Endpoint::Instances, Endpoint::Money] {
        let dead = stage.osc.requests(endpoint).last().and_then(bearer).unwrap();
        // The part before the signature is the same in the new token.
        let end = &dead[dead.len() - 40..];
        let body = json!({ "reason": format!("{end} has been refused before") }).to_string();
        stage.osc.fault(endpoint, Fault::Status(401)).once();
        stage.osc.fault(endpoint, Fault::Answer(401, "application/json", body)).once();
        let error = match endpoint {
            Endpoint::Money => soon(osc.token_balance()).await.unwrap_err(),
            _ => soon(adserver.list_instances()).await.unwrap_err(),
        };
        assert_eq!(error.reason(), Some("[withheld] has been refused before"));
    }
}

#[tokio::test]
async fn no_error_repeats_the_secret_to_store() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let secrets = ["hunter2", "correct horse battery staple", "p&ss\"word\\", "two\nlines", "ünïcödé"];
    for secret in secrets {
        let answers = [
            ("application/json", json!({ "reason": format!("{secret} is too weak") }).to_string()),
            ("text/plain", format!("{secret} is too weak")),
            ("text/plain", format!("got {}", json!({ "secretData": secret }))),
        ];
        for (kind, body) in answers {
            stage.osc.fault(Endpoint::Deploy, Fault::Answer(400, kind, body.clone())).once();
            let error = soon(osc.service(MINIO).secret("key").save(secret)).await.unwrap_err();
            let in_json = json!(secret).to_string();
            for shape in [secret, in_json.trim_matches('"')] {
                assert!(!error.to_string().contains(shape), "{shape:?} in {error} of {body}");
            }
        }
    }
}

#[tokio::test]
async fn no_timeout_repeats_a_token_given_as_status() {
    let stage = Stage::with(MockOsc::builder().opaque_service_tokens(), |layer| layer).await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let demo = adserver.instance("demo");
    let token = soon(adserver.access_token()).await.unwrap();
    stage.osc.set_instance_status(json!(format!("starting {}", token.token())));
    let second = std::time::Duration::from_secs(1);
    let mut waiting = Box::pin(demo.wait_until_ready(second * 5, |_| {}));
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("it did not wait"),
        _ = stage.clock.slept(second..=second, 1) => stage.pass(second * 5),
    }
    let error = soon(waiting).await.unwrap_err();
    assert_hidden(&format!("{error} {error:?}"), &stage.osc.issued_tokens(), "the timeout");
}

#[tokio::test]
async fn no_token_is_logged_on_a_tour_with_faults() {
    let logs = Logs::collect();
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    for call in calls() {
        soon(call.make(&osc)).await.unwrap();
    }
    soon(adserver.secret("password").save("correct horse")).await.unwrap();
    let options = json!({ "password": "{{secrets.password}}", "key": "an-open-password" });
    let made = soon(adserver.instance("mine").create(&options)).await.unwrap();
    soon(use_instance(&adserver.known_instance(&made))).await.unwrap();
    stage.osc.revoke_service_tokens();
    soon(adserver.list_instances()).await.unwrap();
    let token = soon(adserver.access_token()).await.unwrap();
    stage.pass(EXPIRED);
    soon(adserver.list_instances()).await.unwrap();
    for fault in [Fault::Html, Fault::WrongTypes, Fault::HangUp, Fault::HalfAnswer, Fault::Status(500)] {
        for endpoint in [Endpoint::Instances, Endpoint::Money] {
            stage.osc.fault(endpoint, fault.clone());
            soon(adserver.list_instances()).await.ok();
            soon(osc.token_balance()).await.ok();
            stage.osc.clear_faults();
        }
        stage.osc.fault(Endpoint::ServiceToken, fault);
        soon(osc.service(MINIO).access_token()).await.ok();
        stage.osc.clear_faults();
    }
    stage.osc.set_api_url(MINIO, "https://evil.example/minioinstance");
    soon(stage.context().await.service(MINIO).list_instances()).await.ok();
    soon(osc.session().unwrap().sign_out()).await;
    soon(adserver.list_instances()).await.unwrap_err();

    let text = logs.text();
    assert!(text.contains("sent an answer that the layer cannot read"), "{text}");
    assert_hidden(&text, &stage.osc.issued_tokens(), "the log");
    for secret in ["correct horse", "an-open-password"] {
        assert!(!text.contains(secret), "the log shows {secret}: {text}");
    }
    let shown = format!("{osc:?} {made:?} {token:?} {:?}", stage.layer);
    assert_hidden(&shown, &stage.osc.issued_tokens(), "Debug");
    assert!(!shown.contains("an-open-password"), "{shown}");
}

#[tokio::test]
async fn no_answer_to_the_browser_holds_a_token() {
    async fn list(osc: OscContext) -> Result<Json<Vec<Instance>>, ContextError> {
        Ok(Json(osc.service(ADSERVER).list_instances().await?))
    }
    let osc = MockOsc::builder().start().await.unwrap();
    let kept = Arc::new(Mutex::new(None));
    let keep = {
        let kept = kept.clone();
        move |osc: OscContext| async move { *kept.lock().unwrap() = Some(osc) }
    };
    let routes = Router::new().route("/list", get(list)).route("/keep", get(keep));
    let mut browser = Browser::new(boxed(routes.layer(layer(&osc))));
    browser.sign_in(&osc).await;
    assert_eq!(browser.fetch("/list").await.status(), 200);
    let sent = osc.requests(Endpoint::Instances).pop().as_ref().and_then(bearer).unwrap();
    for status in [400, 401, 403, 404, 500, 503] {
        let body = json!({ "reason": format!("no: {sent}") }).to_string();
        osc.fault(Endpoint::Instances, Fault::Answer(status, "application/json", body)).times(2);
        assert!(!browser.fetch("/list").await.status().is_success());
        osc.clear_faults();
    }
    browser.fetch("/keep").await;
    let context = kept.lock().unwrap().take().unwrap();
    assert_eq!(soon(context.service(ADSERVER).list_instances()).await.unwrap().len(), 1);
    browser.post_from("same-origin", "/auth/signout").await;
    assert_eq!(browser.fetch("/list").await.status(), 401);
    assert!(osc.issued_tokens().len() >= 5, "{:?}", osc.issued_tokens());
    assert_hidden(browser.seen(), &osc.issued_tokens(), "an answer");
}
