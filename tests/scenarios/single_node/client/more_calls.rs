//! Calls that the mock does not support, against a scripted platform: plan, secrets, suspended instances, the
//! internal endpoint, logs of a period.

use std::time::Duration;

use mock_osc::Endpoint;
use osc_auth_layer::workspace::Plan;
use osc_auth_layer::{ContextErrorKind as Kind, OscContext};
use osc_tests::{ADSERVER, Asking, LOOK, MINIO, Scripted, Stage, WatchedClock, soon};
use serde_json::json;

type Reply = (u16, &'static str, String);

fn ok(body: &serde_json::Value) -> Reply {
    (200, "application/json", body.to_string())
}

/// Starts a platform that lists the test ad server, issues a token, and answers everything else with `more`.
async fn platform(more: impl Fn(&str) -> Reply + Clone + Send + Sync + 'static) -> (Scripted, OscContext) {
    let answer = move |base: &str, asking: &Asking| match asking.line.as_str() {
        "GET /catalog/mysubscriptions" => ok(
            &json!([{ "serviceId": ADSERVER, "apiUrl": format!("{base}/api/things"), "serviceType": "instance" }]),
        ),
        "POST /token/servicetoken" => {
            ok(&json!({ "serviceId": ADSERVER, "token": "a-service-access-token" }))
        }
        line => more(line),
    };
    let platform = Scripted::start(answer).await;
    let context = OscContext::builder("a-personal-access-token").platform(platform.base());
    (platform, context.clock(WatchedClock::default()).build().expect("it builds"))
}

/// Returns the last request, with the headers that matter to a server.
fn last(platform: &Scripted) -> (String, [Option<String>; 4], String) {
    let last = platform.asked().pop().expect("a request");
    let names = ["x-pat-jwt", "x-jwt", "authorization", "content-type"];
    let headers = names.map(|name| last.header(name).map(str::to_owned));
    (last.line, headers, last.body)
}

const PERSONAL: &str = "Bearer a-personal-access-token";
const SERVICE: &str = "Bearer a-service-access-token";
const JSON: &str = "application/json";

/// Returns the headers of a request with the personal access token.
fn personal(content_type: Option<&str>) -> [Option<String>; 4] {
    [Some(PERSONAL.to_owned()), None, None, content_type.map(str::to_owned)]
}

#[tokio::test]
async fn the_plan_is_read_and_an_unknown_one_is_kept() {
    for (word, plan) in [
        ("FREE", Plan::Free),
        ("PERSONAL", Plan::Personal),
        ("PROFESSIONAL", Plan::Professional),
        ("PRO", Plan::Pro),
        ("BUSINESS", Plan::Business),
        ("ENTERPRISE", Plan::Enterprise),
        ("GALACTIC", Plan::Other("GALACTIC".to_owned())),
    ] {
        let (platform, osc) = platform(move |_| ok(&json!({ "planType": word, "more": 1 }))).await;
        assert_eq!(soon(osc.plan()).await.unwrap(), plan);
        let (line, headers, body) = last(&platform);
        assert_eq!(
            (line.as_str(), headers, body.as_str()),
            ("GET /money/mytenantplan", personal(Some(JSON)), "")
        );
    }
    let (_platform, osc) = platform(|_| ok(&json!({}))).await;
    assert_eq!(soon(osc.plan()).await.unwrap_err().kind(), Kind::UnexpectedAnswer);
}

#[tokio::test]
async fn secrets_are_managed_as_by_oscs_command_line() {
    let list = json!([{ "serviceId": MINIO, "secretName": "key" }, { "odd": 1 }, { "secretName": "other" }]);
    let (platform, osc) = platform(move |line| match line {
        "GET /deploy/mysecrets/minio-minio" => ok(&list),
        _ => ok(&json!({ "message": "ok" })),
    })
    .await;
    assert_eq!(soon(osc.service(MINIO).list_secrets()).await.unwrap(), ["key", "other"]);
    let (line, headers, _) = last(&platform);
    assert_eq!((line.as_str(), headers), ("GET /deploy/mysecrets/minio-minio", personal(None)));
    soon(osc.service(MINIO).secret("key").update("correct horse")).await.unwrap();
    let (line, headers, body) = last(&platform);
    assert_eq!((line.as_str(), headers), ("PUT /deploy/mysecrets/minio-minio/key", personal(Some(JSON))));
    assert_eq!(body, json!({ "secretData": "correct horse" }).to_string());
    soon(osc.service(MINIO).secret("a key/x").remove()).await.unwrap();
    let (line, headers, body) = last(&platform);
    assert_eq!(line, "DELETE /deploy/mysecrets/minio-minio/a%20key%2Fx");
    assert_eq!((headers, body.as_str()), (personal(Some(JSON)), ""));
}

#[tokio::test]
async fn secret_errors_leak_nothing_and_names_are_encoded() {
    let (platform, osc) = platform(|_| (400, "text/plain", "correct horse is too weak".to_owned())).await;
    let minio = osc.service(MINIO);
    let key = minio.secret("key");
    let error = soon(key.update("correct horse")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(!format!("{error} {error:?}").contains("correct horse"), "{error}");
    let before = platform.asked().len();
    for name in ["", ".", ".."] {
        for refused in [
            soon(minio.secret(name).update("value")).await,
            soon(minio.secret(name).remove()).await,
            soon(minio.secret(name).save("value")).await,
        ] {
            assert_eq!(refused.unwrap_err().kind(), Kind::InvalidInput, "{name:?}");
        }
    }
    assert_eq!(soon(osc.service("..").list_secrets()).await.unwrap_err().kind(), Kind::InvalidInput);
    assert_eq!(soon(key.update("")).await.unwrap_err().kind(), Kind::InvalidInput);
    assert_eq!(platform.asked().len(), before);
}

#[tokio::test]
async fn suspended_instances_are_listed_and_resumed() {
    let suspended = json!([
        { "serviceId": ADSERVER, "instanceName": "mine", "suspendedAt": "2026-09-29T08:00:00Z", "reason": "idle",
          "parameters": { "level": 1 } },
        { "serviceId": ADSERVER },
    ]);
    let (platform, osc) = platform(move |line| match line {
        "GET /deploy/mysuspended" => ok(&suspended),
        "POST /deploy/mysuspended/eyevinn-test-adserver/mine/resume" => ok(&json!({ "resumedAt": "now" })),
        _ => (404, JSON, json!({ "reason": "no such instance" }).to_string()),
    })
    .await;
    let [it] = &soon(osc.suspended_instances()).await.unwrap()[..] else { panic!("one entry makes sense") };
    assert_eq!(
        (it.name.as_str(), it.reason.as_deref(), &it.parameters["level"]),
        ("mine", Some("idle"), &json!(1))
    );
    assert_eq!(last(&platform).0, "GET /deploy/mysuspended");
    soon(osc.service(ADSERVER).instance("mine").resume()).await.unwrap();
    let (line, headers, body) = last(&platform);
    assert_eq!(line, "POST /deploy/mysuspended/eyevinn-test-adserver/mine/resume");
    // Some servers refuse a JSON content type without a body.
    assert_eq!((headers, body.as_str()), (personal(None), ""));
    assert_eq!(
        soon(osc.service(ADSERVER).instance("other").resume()).await.unwrap_err().kind(),
        Kind::NotFound
    );
}

/// The API of the resumed instance answers 401 for a while, then 404, then normally.
#[tokio::test]
async fn a_resumed_instance_is_waited_for_despite_401_and_404() {
    let looks = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let clock = WatchedClock::default();
    let answer = move |base: &str, asking: &Asking| match asking.line.as_str() {
        "GET /catalog/mysubscriptions" => {
            ok(&json!([{ "serviceId": ADSERVER, "apiUrl": format!("{base}/api/things") }]))
        }
        "POST /token/servicetoken" => ok(&json!({ "token": "a-service-access-token" })),
        "GET /api/things/mine" => match looks.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0..20 => (401, "text/html", "<html>401 Authorization Required</html>".to_owned()),
            20..40 => (404, JSON, json!({ "message": "not found" }).to_string()),
            _ => ok(&json!({ "name": "mine", "_links": { "health": { "href": "/health/mine" } } })),
        },
        "GET /health/mine" => ok(&json!({ "status": "running" })),
        _ => ok(&json!({})),
    };
    let platform = Scripted::start(answer).await;
    let context =
        OscContext::builder("a-token").platform(platform.base()).clock(clock.clone()).build().unwrap();
    let mine = context.service(ADSERVER).instance("mine");
    soon(mine.resume()).await.unwrap();
    let mut waiting = std::pin::pin!(mine.wait_until_ready(Duration::from_secs(120), |_| {}));
    for pause in 1.. {
        tokio::select! {
            biased;
            ready = soon(&mut waiting) => {
                ready.unwrap();
                break;
            }
            length = clock.slept(LOOK, pause) => clock.advance(length),
        }
    }
    let tokens = platform.asked().iter().filter(|asking| asking.line == "POST /token/servicetoken").count();
    assert!(tokens <= 4, "{tokens} service access tokens");
}

#[tokio::test]
async fn the_name_of_a_suspended_instance_is_taken() {
    let (platform, osc) = platform(|line| match line {
        "GET /deploy/mysuspended" => ok(&json!([{ "serviceId": ADSERVER, "instanceName": "mine" }])),
        "POST /api/things" => (409, JSON, json!({ "reason": "name taken" }).to_string()),
        _ => (404, JSON, "{}".to_owned()),
    })
    .await;
    let mine = osc.service(ADSERVER).instance("mine");
    let error = soon(mine.create_or_adopt(json!({}), Duration::from_secs(600))).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NameTaken);
    assert!(error.to_string().contains("a suspended instance has this name"), "{error}");
    assert_eq!(platform.asked().iter().filter(|asking| asking.line == "POST /api/things").count(), 1);
}

#[tokio::test]
async fn the_internal_endpoint_is_read_from_its_link() {
    let endpoint = json!({
        "serviceDns": "mine.things.svc.cluster.local", "publicAccess": false,
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
    });
    let (platform, osc) = platform(move |line| match line {
        "GET /api/things/mine" => {
            ok(&json!({ "name": "mine", "_links": { "internalEndpoint": { "href": "/internal/mine" } } }))
        }
        "GET /internal/mine" => ok(&endpoint),
        "GET /api/things/old" => ok(&json!({ "name": "old" })),
        _ => (404, JSON, "{}".to_owned()),
    })
    .await;
    let found = soon(osc.service(ADSERVER).instance("mine").internal_endpoint()).await.unwrap();
    assert_eq!(
        (found.service_dns.as_str(), found.public_access),
        ("mine.things.svc.cluster.local", Some(false))
    );
    let port = &found.ports[0];
    assert_eq!((port.name.as_str(), port.port, port.protocol.as_str()), ("http", 8080, "TCP"));
    let (line, headers, _) = last(&platform);
    let service = [None, Some(SERVICE.to_owned()), None, Some(JSON.to_owned())];
    assert_eq!((line.as_str(), headers), ("GET /internal/mine", service));
    assert_eq!(
        soon(osc.service(ADSERVER).instance("old").internal_endpoint()).await.unwrap_err().kind(),
        Kind::NotSupported
    );
}

#[tokio::test]
async fn logs_of_a_period_are_asked_for_in_whole_seconds() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let demo = adserver.instance("demo");
    let query = |stage: &Stage| stage.osc.requests(Endpoint::Instances).pop().unwrap().query;
    let since = |seconds: &str| [("sinceSeconds".to_owned(), seconds.to_owned())];
    for (period, seconds) in
        [(Duration::from_secs(3600), "3600"), (Duration::from_millis(1500), "2"), (Duration::ZERO, "1")]
    {
        soon(demo.logs_since(period)).await.unwrap();
        assert_eq!(query(&stage), since(seconds), "{period:?}");
    }
    soon(demo.logs()).await.unwrap();
    assert_eq!(query(&stage), []);
    stage.osc.set_link("logs", json!("/api-eyevinn-test-adserver/logs/demo?timestamps=true"));
    soon(demo.logs_since(Duration::from_secs(5))).await.unwrap();
    assert_eq!(query(&stage)[0], ("timestamps".to_owned(), "true".to_owned()));
    assert_eq!(query(&stage)[1..], since("5"));
    stage.osc.set_instance_links(false);
    soon(demo.logs_since(Duration::from_secs(5))).await.unwrap();
    assert_eq!(query(&stage), since("5"));
}

#[tokio::test]
async fn a_subscription_ends_and_its_tokens_are_forgotten() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    soon(adserver.list_instances()).await.unwrap();
    soon(adserver.unsubscribe()).await.unwrap();
    assert!(stage.osc.subscriptions().is_empty());
    assert_eq!(soon(adserver.list_instances()).await.unwrap_err().kind(), Kind::NotSubscribed);
    assert_eq!(soon(adserver.unsubscribe()).await.unwrap_err().kind(), Kind::NotFound);
    soon(adserver.instance("mine").create(json!({}))).await.unwrap();
    assert_eq!(stage.osc.subscriptions(), [ADSERVER]);
    assert_eq!(soon(osc.service("..").unsubscribe()).await.unwrap_err().kind(), Kind::InvalidInput);
}

/// Unusual answers to the calls that no other scenario makes.
#[tokio::test]
async fn each_odd_answer_to_these_calls_is_reported() {
    let long = "x".repeat(10 * 1024 * 1024);
    let answers = [
        (200, "text/html", "<!doctype html><title>Welcome</title>".to_owned(), Kind::UnexpectedAnswer),
        (200, JSON, String::new(), Kind::UnexpectedAnswer),
        (200, JSON, "[{\"serviceId\":".to_owned(), Kind::UnexpectedAnswer),
        (200, JSON, "7".to_owned(), Kind::UnexpectedAnswer),
        (200, JSON, long, Kind::UnexpectedAnswer),
        (402, JSON, json!({ "reason": "upgrade" }).to_string(), Kind::PlanRequired),
        (404, JSON, json!({ "reason": "none" }).to_string(), Kind::NotFound),
        (503, "text/plain", "busy".to_owned(), Kind::Unavailable),
    ];
    for (status, content_type, body, kind) in answers {
        let (_platform, osc) = platform(move |_| (status, content_type, body.clone())).await;
        let adserver = osc.service(ADSERVER);
        let minio = osc.service(MINIO);
        let what = format!("{status} {content_type}");
        assert_eq!(soon(osc.plan()).await.unwrap_err().kind(), kind, "plan {what}");
        assert_eq!(soon(minio.list_secrets()).await.unwrap_err().kind(), kind, "secrets {what}");
        assert_eq!(soon(osc.suspended_instances()).await.unwrap_err().kind(), kind, "suspended {what}");
        if status >= 400 {
            for result in [
                soon(minio.secret("a").update("value")).await,
                soon(minio.secret("a").remove()).await,
                soon(adserver.instance("a").resume()).await,
                soon(adserver.unsubscribe()).await,
            ] {
                assert_eq!(result.unwrap_err().kind(), kind, "{what}");
            }
        }
    }
}
