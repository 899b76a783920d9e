//! Instances: created, read, changed, inspected and removed.

use std::collections::BTreeMap;

use mock_osc::{Endpoint, Fault, LogForm, MockOsc};
use osc_auth_layer::ContextErrorKind as Kind;
use osc_auth_layer::workspace::{Instance, ServiceType};
use osc_tests::{ADSERVER, Asked, MINIO, Stage, soon};
use serde_json::{Value, json};

fn names(instances: &[Instance]) -> Vec<&str> {
    instances.iter().map(|instance| instance.name.as_str()).collect()
}

#[tokio::test]
async fn an_instance_is_made_found_listed_and_removed() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let mine = adserver.instance("mine");
    let options = json!({ "description": "My own", "size": { "gigabytes": 7 } });

    let made = soon(mine.create(&options)).await.unwrap();

    assert_eq!((made.name.as_str(), &made.fields["description"]), ("mine", &json!("My own")));
    assert_eq!(made.fields["size"]["gigabytes"], 7);
    assert!(made.url.as_deref().unwrap().starts_with("https://"));
    assert!(made.link("health").unwrap().ends_with("/health/mine"));
    assert_eq!(soon(mine.get()).await.unwrap().as_ref(), Some(&made));
    assert_eq!(names(&soon(adserver.list_instances()).await.unwrap()), ["demo", "mine"]);
    soon(mine.remove()).await.unwrap();
    assert_eq!(soon(mine.get()).await.unwrap(), None);
    assert_eq!(stage.osc.instances(ADSERVER), ["demo"]);
}

#[tokio::test]
async fn creates_updates_and_removals_are_sent_once_and_unchanged() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let mine = osc.service(ADSERVER).instance("mine");
    soon(mine.create(json!({ "level": 1, "x": null }))).await.unwrap();
    soon(mine.update(json!({ "level": 2 }))).await.unwrap();
    soon(mine.scale(0)).await.unwrap();
    soon(mine.remove()).await.unwrap();
    let sent = stage.osc.requests(Endpoint::Instances).into_iter().filter(|request| request.method != "GET");
    let sent: Vec<_> = sent.map(|request| (request.method, request.body)).collect();
    let json = |value: Value| value.to_string();
    assert_eq!(
        sent,
        [
            ("POST".to_owned(), json(json!({ "level": 1, "x": null, "name": "mine" }))),
            ("PATCH".to_owned(), json(json!({ "level": 2 }))),
            ("PUT".to_owned(), json(json!({ "desiredReplicas": 0 }))),
            ("DELETE".to_owned(), String::new()),
        ]
    );
}

#[tokio::test]
async fn the_name_in_the_options_gives_way_to_the_name() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let mine = osc.service(ADSERVER).instance("mine");
    for other in [json!("demo"), json!("Not A Name"), json!(7), json!(null)] {
        let made = soon(mine.create(json!({ "name": other }))).await.unwrap();
        assert_eq!(made.name, "mine");
        assert_eq!(stage.osc.instances(ADSERVER), ["demo", "mine"]);
        soon(mine.remove()).await.unwrap();
    }
}

#[tokio::test]
async fn options_and_fields_may_have_the_callers_own_types() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let minio = osc.service(MINIO);
    let options = BTreeMap::from([("RootUser", "admin"), ("RootPassword", "{{secrets.password}}")]);
    soon(minio.secret("password").save("correct horse")).await.unwrap();
    let made = soon(minio.instance("store").create(&options)).await.unwrap();
    let fields: BTreeMap<String, Value> = made.deserialize().unwrap();
    let found = ["name", "RootUser", "RootPassword"].map(|field| fields[field].as_str().unwrap());
    assert_eq!(found, ["store", "admin", "***"]);
    assert!(made.deserialize::<Vec<String>>().is_err());
}

#[tokio::test]
async fn a_secret_is_stored_replaced_referred_to_and_not_shown() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    for secret in ["hunter2", "correct horse"] {
        soon(adserver.secret("key").save(secret)).await.unwrap();
        assert_eq!(stage.osc.secret(ADSERVER, "key").as_deref(), Some(secret));
    }
    let made = soon(adserver.instance("mine").create(json!({ "password": "{{secrets.key}}" }))).await;
    assert_eq!(made.unwrap().fields["password"], "***");
    let listed = soon(adserver.list_instances()).await.unwrap();
    assert_eq!(listed[1].fields["password"], "***");
    assert_eq!(stage.osc.instance(ADSERVER, "mine").unwrap()["password"], "{{secrets.key}}");
}

#[tokio::test]
async fn an_update_returns_the_instance_even_if_the_platform_does_not() {
    let answers = [None, Some(json!("").to_string()), Some(String::new()), Some("OK".to_owned())];
    for answer in answers {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        let looks = if answer.is_some() { 3 } else { 2 };
        if let Some(body) = answer {
            let fault = Fault::Answer(200, "text/plain", body).after_processing();
            stage.osc.fault(Endpoint::Instances, fault).when(|request| request.method == "PATCH");
        }
        let updated =
            soon(osc.service(ADSERVER).instance("demo").update(json!({ "level": 2 }))).await.unwrap();
        assert_eq!((updated.name.as_str(), &updated.fields["level"]), ("demo", &json!(2)));
        assert_eq!(updated.fields["description"], "Made with the workspace", "the rest stays");
        assert_eq!(stage.asked().instances, looks);
    }
}

#[tokio::test]
async fn an_update_changes_named_fields_and_needs_an_instance() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    soon(adserver.instance("demo").update(json!({ "a": 1, "b": [2] }))).await.unwrap();
    let now = stage.osc.instance(ADSERVER, "demo").unwrap();
    assert_eq!(
        (&now["a"], &now["b"], &now["description"]),
        (&json!(1), &json!([2]), &json!("Made with the workspace"))
    );
    let error = soon(adserver.instance("none").update(json!({}))).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[tokio::test]
async fn logs_come_line_by_line_in_whatever_form_they_are_given() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let demo = osc.service(ADSERVER).instance("demo");
    let rows = ["started", "  indented, with \"quotes\"", "{\"level\":\"info\"}", "[1]", "ünïcödé 🎉"];
    stage.osc.set_logs(&rows);
    for form in [LogForm::Rows, LogForm::Text, LogForm::JsonText] {
        stage.osc.set_log_form(form);
        assert_eq!(soon(demo.logs()).await.unwrap(), rows, "{form:?}");
    }
    stage.osc.set_logs(&[]);
    for form in [LogForm::Rows, LogForm::Text, LogForm::JsonText] {
        stage.osc.set_log_form(form);
        assert_eq!(soon(demo.logs()).await.unwrap(), [] as [&str; 0], "{form:?}");
    }
}

#[tokio::test]
async fn long_logs_come_whole() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let row = "x".repeat(100);
    let rows: Vec<&str> = std::iter::repeat_n(row.as_str(), 30_000).collect();
    stage.osc.set_logs(&rows);
    assert_eq!(soon(osc.service(ADSERVER).instance("demo").logs()).await.unwrap().len(), rows.len());
}

#[tokio::test]
async fn ports_health_and_scaling_have_types() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let demo = osc.service(ADSERVER).instance("demo");
    let ports = soon(demo.ports()).await.unwrap();
    let found = (ports[0].external_ip.as_str(), ports[0].external_port, ports[0].internal_port);
    assert_eq!((ports.len(), found), (1, ("192.0.2.10", 10503, 8080)));
    let health = soon(demo.health()).await.unwrap();
    assert_eq!((health.status.as_str(), health.is_running()), ("running", true));
    for replicas in [3, 0, 1] {
        soon(demo.scale(replicas)).await.unwrap();
        let scaling = soon(demo.scaling()).await.unwrap();
        assert_eq!((scaling.actual_replicas, scaling.desired_replicas), (replicas, replicas));
    }
    soon(demo.scale(0)).await.unwrap();
    let stopped = soon(demo.health()).await.unwrap();
    assert_eq!((stopped.status.as_str(), stopped.is_running()), ("stopped", false));
}

#[tokio::test]
async fn a_restart_starts_anew() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let demo = osc.service(ADSERVER).instance("demo");
    soon(demo.restart()).await.unwrap();
    assert_eq!(soon(demo.health()).await.unwrap().status, "starting");
    let before = soon(demo.scaling()).await.unwrap();
    assert_eq!((before.actual_replicas, before.desired_replicas), (0, 1));
}

#[tokio::test]
async fn old_instances_without_links_are_watched_and_removed_and_offer_no_more() {
    let stage = Stage::with(MockOsc::builder().without_instance_links(), |layer| layer).await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let demo = adserver.instance("demo");
    let found = soon(demo.get()).await.unwrap().unwrap();
    assert!(found.links.is_empty());
    let old = adserver.known_instance(&found);
    assert!(soon(old.health()).await.unwrap().is_running());
    assert_eq!(soon(old.logs()).await.unwrap(), ["started", "listening"]);
    assert_eq!(soon(old.ports()).await.unwrap().len(), 1);
    let paths = stage.osc.requests(Endpoint::Instances).into_iter().skip(1).map(|request| request.path);
    assert_eq!(paths.collect::<Vec<_>>(), ["/health/demo", "/logs/demo", "/ports/demo"]);
    assert_eq!(soon(old.update(json!({ "level": 2 }))).await.unwrap().fields["level"], 2);
    let before = stage.asked();
    for refused in [soon(old.restart()).await, soon(old.scale(2)).await, soon(old.scaling()).await.map(drop)]
    {
        assert_eq!(refused.unwrap_err().kind(), Kind::NotSupported);
    }
    assert_eq!(stage.asked(), before);
    soon(demo.remove()).await.unwrap();
    assert_eq!(stage.osc.instances(ADSERVER), [] as [&str; 0]);
}

#[tokio::test]
async fn links_are_followed_where_they_lead() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let demo = adserver.instance("demo");
    stage.osc.add_instance(ADSERVER, "other", serde_json::Map::default());
    stage.osc.set_logs(&["of the other"]);
    stage.osc.set_link("health", json!("/api-eyevinn-test-adserver/health/other"));
    soon(demo.health()).await.unwrap();
    let last = stage.osc.requests(Endpoint::Instances).pop().unwrap();
    assert_eq!(last.path, "/api-eyevinn-test-adserver/health/other");
    stage.osc.set_link("health", json!("/api-eyevinn-test-adserver/health/other?verbose=1"));
    soon(demo.health()).await.unwrap();
    let last = stage.osc.requests(Endpoint::Instances).pop().unwrap();
    assert_eq!(last.query, [("verbose".to_owned(), "1".to_owned())]);
}

#[tokio::test]
async fn subscriptions_balance_and_apps_are_listed() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let [subscription] = &soon(osc.subscriptions()).await.unwrap()[..] else { panic!("one subscription") };
    let kind = (subscription.service_id.as_str(), &subscription.service_type);
    assert_eq!(kind, (ADSERVER, &ServiceType::Instance));
    stage.osc.subscribe(MINIO);
    assert_eq!(soon(osc.subscriptions()).await.unwrap().len(), 2, "it is read anew");
    for tokens in [1250, 0, -3] {
        stage.osc.set_balance(tokens);
        assert_eq!(soon(osc.token_balance()).await.unwrap().tokens.as_i64(), Some(tokens));
    }
    let [app] = &soon(osc.my_apps()).await.unwrap()[..] else { panic!("one app") };
    assert_eq!((app.name.as_str(), app.kind.as_deref()), ("hello", Some("nodejs")));
    assert_eq!(app.id, "adalovelace-hello");
    assert_eq!(app.url.as_deref(), Some("https://adalovelace-hello.apps.osaas.io"));
    assert_eq!(app.git_hub_url.as_deref(), Some("https://github.com/example/hello"));
    assert_eq!(stage.asked(), Asked { lists: 2, others: 4, ..Asked::nothing() });
}

#[tokio::test]
async fn a_created_instance_is_returned_despite_a_malformed_answer() {
    for answer in [Fault::Empty, Fault::Html, Fault::MalformedJson] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        let plan = stage.osc.fault(Endpoint::Instances, answer.after_processing());
        plan.when(|request| request.method == "POST");
        let made = soon(osc.service(ADSERVER).instance("mine").create(json!({ "level": 1 }))).await.unwrap();
        assert_eq!((made.name.as_str(), &made.fields["level"]), ("mine", &json!(1)));
    }
}

#[tokio::test]
async fn an_instance_has_an_endpoint_inside_the_cluster() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let endpoint = soon(osc.service(ADSERVER).instance("demo").internal_endpoint()).await.unwrap();
    assert_eq!(endpoint.ports.iter().map(|port| port.port).collect::<Vec<_>>(), [8080]);
    assert_eq!(endpoint.public_access, Some(true));
}

#[tokio::test]
async fn an_instance_is_not_renamed() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let error =
        soon(osc.service(ADSERVER).instance("demo").update(json!({ "name": "other" }))).await.unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput);
    assert_eq!(stage.asked(), Asked::nothing());
}
