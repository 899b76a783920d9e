use std::time::Duration;

use mock_osc::{Endpoint, Fault, MockOsc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;
use crate::user::*;

#[tokio::test]
async fn the_workspace_has_something_to_show() {
    let user = User::new(start().await).await;
    let subscriptions = user.json("/catalog/mysubscriptions").await;
    assert_eq!(
        (&subscriptions[0]["serviceId"], &subscriptions[0]["serviceType"]),
        (&json!(SERVICE), &json!("instance"))
    );
    assert_eq!(user.json("/money/mytokencount").await, json!({ "tokens": 1250 }));
    user.osc.set_balance(7);
    assert_eq!(user.json("/money/mytokencount").await, json!({ "tokens": 7 }));
    assert!(user.json("/deploy/myapps").await[0]["gitHubUrl"].is_string());
    let list: Value = user.api(SERVICE).await.call(Method::GET, "", &Value::Null).await.json().await.unwrap();
    assert_eq!((&list[0]["name"], user.osc.instances(SERVICE)), (&json!("demo"), vec!["demo".to_owned()]));
    assert!(list[0]["resources"]["license"]["url"].is_string());
}

#[tokio::test]
async fn an_instance_is_made_starts_runs_and_goes() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let made = api.call(Method::POST, "", &json!({ "name": "mine", "Option": "x" })).await;
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    assert_eq!((&made["name"], &made["Option"]), (&json!("mine"), &json!("x")));
    assert_eq!(user.osc.instances(SERVICE), ["demo", "mine"]);

    let null = Value::Null;
    let got: Value = api.call(Method::GET, "/mine", &null).await.json().await.unwrap();
    assert_eq!(got, made);
    let health = || async {
        api.follow(Method::GET, &made, "health", "x-jwt", &null).await.json::<Value>().await.unwrap()
    };
    assert_eq!(health().await, json!({ "status": "starting" }));
    user.osc.advance(Duration::from_secs(2));
    assert_eq!(health().await, json!({ "status": "running" }));
    assert!(api.follow(Method::POST, &made, "restart", "x-jwt", &null).await.status().is_success());
    assert_eq!(health().await, json!({ "status": "starting" }));
    for rel in ["logs", "ports"] {
        let rows: Value = api.follow(Method::GET, &made, rel, "x-jwt", &null).await.json().await.unwrap();
        assert!(!rows.as_array().unwrap().is_empty(), "{rel}");
    }
    let changed =
        api.follow(Method::PATCH, &made, "self", "x-jwt", &json!({ "Option": "y", "name": "no" })).await;
    let changed: Value = changed.json().await.unwrap();
    assert_eq!((&changed["name"], &changed["Option"]), (&json!("mine"), &json!("y")));

    let gone = api.call(Method::DELETE, "/mine", &null).await;
    assert_eq!(gone.status(), 204);
    assert!(!gone.headers().contains_key("content-type"));
    assert_eq!(api.call(Method::DELETE, "/mine", &null).await.status(), 404);
    assert_eq!(api.call(Method::GET, "/mine", &null).await.status(), 404);
    assert_eq!(user.osc.instances(SERVICE), ["demo"]);
}

#[tokio::test]
async fn scaling_takes_the_authorization_header() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let demo: Value = api.call(Method::GET, "/demo", &Value::Null).await.json().await.unwrap();
    let wanted = json!({ "desiredReplicas": 3 });
    assert_eq!(api.follow(Method::PUT, &demo, "scale", "x-jwt", &wanted).await.status(), 401);
    assert_eq!(api.follow(Method::PUT, &demo, "scale", "authorization", &wanted).await.status(), 200);
    let scale = api.follow(Method::GET, &demo, "scale", "authorization", &Value::Null).await;
    assert_eq!(scale.json::<Value>().await.unwrap(), json!({ "actualReplicas": 3, "desiredReplicas": 3 }));
}

#[tokio::test]
async fn creation_refuses_bad_names_taken_names_and_zero_balance() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    for (body, status) in [
        (json!({ "name": "my-instance" }), 400),
        (json!({ "name": "" }), 400),
        (json!({}), 400),
        (json!([]), 400),
        (json!({ "name": "demo" }), 409),
    ] {
        let refused = api.call(Method::POST, "", &body).await;
        assert_eq!(refused.status(), status, "{body}");
        assert!(refused.json::<Value>().await.unwrap()["reason"].is_string());
    }
    user.osc.set_balance(0);
    assert_eq!(api.call(Method::POST, "", &json!({ "name": "more" })).await.status(), 403);
}

#[tokio::test]
async fn a_service_must_be_activated_before_it_gives_a_token() {
    let user = User::new(start().await).await;
    let body = json!({ "serviceId": "minio-minio" });
    let ask = || async { user.call(Method::POST, "/token/servicetoken", &body).await.status() };
    assert_eq!(ask().await, 403);
    let unknown =
        user.call(Method::POST, "/catalog/mysubscriptions", &json!({ "services": ["nothing"] })).await;
    assert_eq!(unknown.status(), 404);
    let activated =
        user.call(Method::POST, "/catalog/mysubscriptions", &json!({ "services": ["minio-minio"] })).await;
    assert_eq!(
        activated.json::<Value>().await.unwrap(),
        json!({ "teamId": "adalovelace", "services": ["minio-minio"] })
    );
    assert_eq!(ask().await, 200);
}

#[tokio::test]
async fn tokens_of_the_wrong_kind_dead_or_together_are_refused() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let minio =
        Api { url: format!("{}/api-minio-minio/minioinstance", user.osc.platform()), sat: api.sat.clone() };
    assert_eq!(minio.call(Method::GET, "", &Value::Null).await.status(), 403);
    let wrong = Api { url: api.url.clone(), sat: user.pat.clone() };
    assert_eq!(wrong.call(Method::GET, "", &Value::Null).await.status(), 401);
    let both =
        http().get(&api.url).header("x-jwt", format!("Bearer {}", api.sat)).header("x-pat-jwt", "Bearer x");
    assert_eq!(both.send().await.unwrap().status(), 400);

    user.osc.revoke_service_tokens();
    assert_eq!(api.call(Method::GET, "", &Value::Null).await.status(), 401);
    let again = user.api(SERVICE).await;
    user.osc.advance(Duration::from_secs(3600));
    assert_eq!(again.call(Method::GET, "", &Value::Null).await.status(), 401);
    assert_eq!(user.call(Method::GET, "/money/mytokencount", &Value::Null).await.status(), 401);
}

#[tokio::test]
async fn a_missing_token_gets_401_and_a_malformed_token_header_500() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let scale = api.url.replace("test-adserverinstance", "scale/demo");
    let balance = format!("{}/money/mytokencount", user.osc.platform());
    for (url, header) in [(&balance, "x-pat-jwt"), (&api.url, "x-jwt"), (&scale, "authorization")] {
        assert_eq!(http().get(url).send().await.unwrap().status(), 401, "{url}");
        for malformed in ["", "Bearer", "Bearer ", "Basic YTpi", &user.pat] {
            let answer = http().get(url).header(header, malformed).send().await.unwrap();
            assert_eq!(answer.status(), 500, "{url}: {malformed}");
        }
        let unknown = http().get(url).header(header, "Bearer x").send().await.unwrap();
        assert_eq!(unknown.status(), 401, "{url}");
    }
}

#[tokio::test]
async fn a_secret_is_stored_referred_to_and_never_shown() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    let body = json!({ "name": "a", "Key": "{{secrets.key}}" });
    assert_eq!(api.call(Method::POST, "", &body).await.status(), 400);
    let secret = json!({ "secretName": "key", "secretData": "hidden" });
    let stored = user.call(Method::POST, &format!("/deploy/mysecrets/{SERVICE}"), &secret).await;
    assert_eq!(stored.status(), 200);
    assert_eq!(user.osc.secret(SERVICE, "key").as_deref(), Some("hidden"));
    let made: Value = api.call(Method::POST, "", &body).await.json().await.unwrap();
    assert_eq!(made["Key"], "***");
}

#[tokio::test]
async fn the_host_of_osc_leads_to_the_same_services() {
    let user = User::new(start().await).await;
    let by_host = |host: &'static str, path: &str| {
        http().get(format!("{}{path}", user.osc.platform())).header("host", host)
    };
    let catalog = by_host("catalog.svc.prod.osaas.io", "/mysubscriptions")
        .header("x-pat-jwt", format!("Bearer {}", user.pat));
    let catalog: Value = catalog.send().await.unwrap().json().await.unwrap();
    let host = "api-eyevinn-test-adserver.auto.prod.osaas.io";
    assert_eq!(catalog[0]["apiUrl"], format!("https://{host}/test-adserverinstance"));
    let sat = format!("Bearer {}", user.api(SERVICE).await.sat);
    let demo = by_host(host, "/test-adserverinstance/demo").header("x-jwt", &sat).send().await.unwrap();
    let demo: Value = demo.json().await.unwrap();
    assert_eq!(demo["_links"]["health"]["href"], "/health/demo");
    let health = by_host(host, "/health/demo").header("x-jwt", &sat).send().await.unwrap();
    assert_eq!(health.json::<Value>().await.unwrap(), json!({ "status": "running" }));
}

#[tokio::test]
async fn old_instances_have_no_links_and_are_found_by_the_host_of_the_api() {
    let user = User::new(MockOsc::builder().without_instance_links().start().await.unwrap()).await;
    let api = user.api(SERVICE).await;
    let demo: Value = api.call(Method::GET, "/demo", &Value::Null).await.json().await.unwrap();
    assert!(demo.get("_links").is_none());
    let url = format!("{}/health/demo", user.osc.platform());
    let health = api.send(Method::GET, &url, "x-jwt", &Value::Null).await;
    assert_eq!(health.json::<Value>().await.unwrap(), json!({ "status": "running" }));
}

#[tokio::test]
async fn a_creation_can_succeed_and_its_answer_get_lost() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    user.osc.fault(Endpoint::Instances, Fault::Status(504).after_processing()).once();
    assert_eq!(api.call(Method::POST, "", &json!({ "name": "lost" })).await.status(), 504);
    assert_eq!(user.osc.instances(SERVICE), ["demo", "lost"]);
}

#[tokio::test]
async fn a_console_token_needs_no_sign_in_and_lives_until_it_is_revoked() {
    let osc = start().await;
    let token = osc.personal_access_token("grace");
    let url = format!("{}/money/mytokencount", osc.platform());
    let request = http().get(url).header("x-pat-jwt", format!("Bearer {token}"));
    let status = || async { request.try_clone().unwrap().send().await.unwrap().status() };
    assert!(osc.issued_tokens().contains(&token));
    osc.advance(Duration::from_secs(400 * 24 * 3600));
    assert_eq!(status().await, 200);
    osc.revoke_grants();
    assert_eq!(status().await, 401);
}
