//! Handles of services, instances, jobs and secrets.

use osc_auth_layer::ContextErrorKind as Kind;
use osc_tests::{ADSERVER, Asked, Stage, soon, use_instance};
use serde_json::json;

#[tokio::test]
async fn a_handle_sends_nothing_and_outlives_its_context() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let (demo, job, secret) = (adserver.instance("demo"), adserver.job("work"), adserver.secret("key"));
    assert_eq!((adserver.id(), demo.service().id(), demo.name()), (ADSERVER, ADSERVER, "demo"));
    assert_eq!((job.instance().name(), secret.name()), ("work", "key"));
    assert_eq!(secret.reference(), "{{secrets.key}}");
    drop((osc, adserver, job, secret));
    assert_eq!(stage.asked(), Asked::nothing());
    let health = tokio::spawn(async move { demo.health().await });
    assert!(soon(health).await.unwrap().unwrap().is_running());
}

#[tokio::test]
async fn debug_of_a_known_instance_shows_neither_options_nor_links() {
    let stage = Stage::signed_in().await;
    let adserver = stage.context().await.service(ADSERVER);
    stage.osc.set_link("health", json!("/api-eyevinn-test-adserver/health/demo?key=in-the-link"));
    stage.osc.set_instance_field("password", json!("an-open-password"));
    let found = soon(adserver.instance("demo").get()).await.unwrap().unwrap();
    assert_eq!(found.fields["password"], "an-open-password");
    assert!(found.link("health").unwrap().contains("in-the-link"));
    let shown = format!("{:?}", adserver.known_instance(&found));
    assert!(shown.contains("demo"), "{shown}");
    assert!(!shown.contains("in-the-link") && !shown.contains("an-open-password"), "{shown}");
}

#[tokio::test]
async fn an_instance_that_was_read_before_is_not_looked_up_again() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let demo = adserver.instance("demo");
    let found = soon(demo.get()).await.unwrap().unwrap();
    stage.osc.forget_requests();
    soon(use_instance(&adserver.known_instance(&found))).await.unwrap();
    assert_eq!(stage.asked(), Asked { instances: 7, ..Asked::nothing() });
    stage.osc.forget_requests();
    soon(use_instance(&demo)).await.unwrap();
    assert_eq!(stage.asked(), Asked { instances: 14, ..Asked::nothing() });
}

#[tokio::test]
async fn a_suspended_instance_is_listed_elsewhere_until_it_is_resumed() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let demo = adserver.instance("demo");
    let listed = async || soon(adserver.list_instances()).await.unwrap().len();
    assert_eq!(listed().await, 1);
    assert!(stage.osc.default_workspace().suspend_instance(ADSERVER, "demo"));
    assert_eq!(listed().await, 0);
    let [suspended] = &soon(osc.suspended_instances()).await.unwrap()[..] else { panic!("one instance") };
    assert_eq!((suspended.service_id.as_str(), suspended.name.as_str()), (ADSERVER, "demo"));
    let create = demo.create_or_adopt(json!({}), std::time::Duration::from_secs(5));
    assert_eq!(soon(create).await.unwrap_err().kind(), Kind::NameTaken);

    soon(suspended.instance(&osc).resume()).await.unwrap();
    assert_eq!(listed().await, 1);
    assert!(soon(osc.suspended_instances()).await.unwrap().is_empty());
}
