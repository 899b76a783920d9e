//! Creating an instance on a platform that loses answers.

use std::time::Duration;

use mock_osc::{Endpoint, Fault, Recorded};
use osc_auth_layer::workspace::Creation;
use osc_auth_layer::{ContextError, ContextErrorKind as Kind, OscContext};
use osc_tests::{ADSERVER, LOOK, Stage, soon};
use serde_json::{Map, Value, json};

pub(super) const TEN_MINUTES: Duration = Duration::from_secs(600);
const PAGE: &str = "<html><head><title>504 Gateway Time-out</title></head></html>";

pub(super) fn gateway_timeout() -> Fault {
    Fault::Answer(504, "text/html", PAGE.to_owned())
}

pub(super) fn is_create(request: &Recorded) -> bool {
    request.method == "POST"
}

pub(super) fn creates(stage: &Stage) -> usize {
    stage.osc.requests(Endpoint::Instances).iter().filter(|request| is_create(request)).count()
}

/// The options of every create in these tests.
pub(super) fn options() -> Value {
    json!({ "level": 1, "password": "{{secrets.key}}" })
}

pub(super) async fn create_or_adopt(osc: &OscContext) -> Result<Creation, ContextError> {
    osc.service(ADSERVER).instance("mine").create_or_adopt(options(), TEN_MINUTES).await
}

/// Makes the instance appear, with these options.
pub(super) fn turn_up(stage: &Stage, options: &Value) {
    stage.osc.add_instance(ADSERVER, "mine", options.as_object().cloned().unwrap_or_default());
}

pub(super) async fn with_secret() -> (Stage, OscContext) {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    soon(osc.service(ADSERVER).secret("key").save("correct horse")).await.expect("it is stored");
    (stage, osc)
}

pub(super) fn taken() -> Fault {
    Fault::Answer(400, "application/json", json!({ "message": "Name already taken" }).to_string())
}

#[tokio::test]
async fn a_create_without_a_clear_answer_says_that_it_may_have_been_created() {
    let long = "x".repeat(10 * 1024 * 1024);
    let unclear = [
        (gateway_timeout(), Some(504)),
        (Fault::Answer(504, "application/json", json!({ "reason": "timeout" }).to_string()), Some(504)),
        (Fault::Status(502), Some(502)),
        (Fault::Answer(500, "text/html", PAGE.to_owned()), Some(500)),
        (Fault::Answer(503, "text/plain", "no healthy upstream".to_owned()), Some(503)),
        (Fault::HangUp, None),
        (Fault::LostAnswer, None),
        (Fault::HalfAnswer, None),
        (Fault::Answer(200, "application/json", long.clone()), None),
        (Fault::Answer(500, "text/plain", long), None),
    ];
    for (fault, status) in unclear {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        stage.osc.fault(Endpoint::Instances, fault).when(is_create);
        let error = soon(osc.service(ADSERVER).instance("mine").create(json!({}))).await.unwrap_err();
        assert_eq!((error.kind(), error.kind().as_str()), (Kind::MaybeCreated, "maybe_created"), "{error}");
        assert_eq!(error.status().map(|status| status.as_u16()), status, "{error}");
        assert_eq!(error.response_status().as_u16(), 504);
        let text = "could not create mine (eyevinn-test-adserver): it may have been created; \
                    look for it in a few minutes before you create it again";
        assert!(error.to_string().starts_with(text), "{error}");
        assert_eq!(creates(&stage), 1, "{error}");
    }
}

#[tokio::test]
async fn a_create_declined_by_the_service_is_a_clear_refusal() {
    let json = |status, reason: &str| {
        Fault::Answer(status, "application/json", json!({ "reason": reason }).to_string())
    };
    for (fault, kind) in [
        (json(500, "out of memory"), Kind::Unavailable),
        (json(503, "ORCHESTRATOR_UNAVAILABLE"), Kind::Unavailable),
        (Fault::RetryAfter(503, "5".to_owned()), Kind::Unavailable),
        (json(402, "upgrade your plan"), Kind::PlanRequired),
        (json(400, "port 80 is already in use"), Kind::Refused),
        (json(400, "the name is taken"), Kind::NameTaken),
        (json(403, "Instance mine already exists"), Kind::NameTaken),
        (Fault::Answer(422, "text/plain", "Name already in use".to_owned()), Kind::NameTaken),
        (json(200, "no tokens left"), Kind::Refused),
        (json(200, "name already taken"), Kind::NameTaken),
    ] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        stage.osc.fault(Endpoint::Instances, fault).when(is_create);
        let error = soon(osc.service(ADSERVER).instance("mine").create(json!({}))).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(creates(&stage), 1);
    }
}

#[tokio::test]
async fn a_free_name_is_created_with_one_look_and_one_create() {
    let (stage, osc) = with_secret().await;
    let Creation::Created(made) = soon(create_or_adopt(&osc)).await.unwrap() else { panic!("adopted") };
    assert_eq!((made.name.as_str(), &made.fields["level"]), ("mine", &json!(1)));
    assert_eq!((stage.asked().instances, creates(&stage), stage.clock.sleeps(LOOK)), (2, 1, 0));
    assert_eq!(stage.osc.instances(ADSERVER), ["demo", "mine"]);
}

#[tokio::test]
async fn an_instance_that_turns_up_minutes_after_a_504_is_adopted() {
    let (stage, osc) = with_secret().await;
    stage.osc.fault(Endpoint::Instances, gateway_timeout()).when(is_create);
    let appear = |pause| {
        if pause == 90 {
            turn_up(&stage, &options());
        }
    };
    let adopted = stage.through_looks_with(create_or_adopt(&osc), appear).await.unwrap();
    let Creation::Adopted(instance) = adopted else { panic!("created") };
    assert_eq!(instance.name, "mine");
    assert_eq!((creates(&stage), stage.clock.sleeps(LOOK)), (1, 90));
}

#[tokio::test]
async fn an_instance_whose_answer_was_lost_is_adopted() {
    for fault in
        [Fault::LostAnswer, gateway_timeout().after_processing(), Fault::Status(500).after_processing()]
    {
        let (stage, osc) = with_secret().await;
        stage.osc.fault(Endpoint::Instances, fault).when(is_create);
        let adopted = stage.through_looks(create_or_adopt(&osc)).await.unwrap();
        assert!(matches!(&adopted, Creation::Adopted(instance) if instance.name == "mine"), "{adopted:?}");
        assert_eq!(creates(&stage), 1);
    }
}

#[tokio::test]
async fn an_existing_instance_makes_the_name_taken() {
    let (stage, osc) = with_secret().await;
    turn_up(&stage, &options());
    let error = soon(create_or_adopt(&osc)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NameTaken);
    assert_eq!(error.to_string(), "could not create mine (eyevinn-test-adserver): the name is taken");
    assert_eq!((creates(&stage), stage.asked().instances), (0, 1));
}

#[tokio::test]
async fn a_newly_taken_name_is_adopted_if_its_options_match() {
    for (shown, is_adopted) in [
        (options(), true),
        (json!({}), true),
        (json!({ "level": "1", "password": "***", "more": 1 }), true),
        (json!({ "level": 2 }), false),
    ] {
        let (stage, osc) = with_secret().await;
        stage.osc.fault(Endpoint::Instances, taken()).when(is_create);
        let appear = |pause| {
            if pause == 3 {
                turn_up(&stage, &shown);
            }
        };
        let result = stage.through_looks_with(create_or_adopt(&osc), appear).await;
        match result {
            Ok(creation) => assert!(is_adopted && matches!(creation, Creation::Adopted(_)), "{shown}"),
            Err(error) => assert!(!is_adopted && error.kind() == Kind::NameTaken, "{shown}: {error}"),
        }
        assert_eq!((creates(&stage), stage.clock.sleeps(LOOK)), (1, 3));
    }
}

#[tokio::test]
async fn a_taken_name_that_never_turns_up_is_taken_at_the_timeout() {
    let (stage, osc) = with_secret().await;
    stage.osc.fault(Endpoint::Instances, taken()).when(is_create);
    let error = stage.through_looks(create_or_adopt(&osc)).await.unwrap_err();
    assert_eq!((error.kind(), creates(&stage)), (Kind::NameTaken, 1));
    assert!(error.to_string().contains("in time"), "{error}");
}

#[tokio::test]
async fn create_retries_through_an_outage_until_the_timeout() {
    let (stage, osc) = with_secret().await;
    stage.osc.fault(Endpoint::Instances, Fault::Status(503)).times(5);
    let later =
        Fault::Answer(503, "application/json", json!({ "reason": "ORCHESTRATOR_UNAVAILABLE" }).to_string());
    stage.osc.fault(Endpoint::Instances, later).when(is_create).times(2);
    let created = stage.through_looks(create_or_adopt(&osc)).await.unwrap();
    assert!(matches!(created, Creation::Created(_)));
    assert_eq!((stage.clock.sleeps(LOOK), creates(&stage)), (7, 3));

    let (stage, osc) = with_secret().await;
    stage.osc.fault(Endpoint::Instances, Fault::Status(503));
    let error = stage.through_looks(create_or_adopt(&osc)).await.unwrap_err();
    assert_eq!((error.kind(), creates(&stage)), (Kind::TimedOut, 0));
    stage.osc.clear_faults();
    stage.pass(TEN_MINUTES);
    soon(osc.service(ADSERVER).list_instances()).await.unwrap();
    assert_eq!(creates(&stage), 0, "nothing is created after the timeout");
}

#[tokio::test]
async fn after_a_create_refused_tokens_are_retried_for_a_minute() {
    for (looks, kind) in [(40, None), (1000, Some(Kind::Refused))] {
        let (stage, osc) = with_secret().await;
        stage.osc.fault(Endpoint::Instances, gateway_timeout().after_processing()).when(is_create);
        let is_look = |request: &Recorded| request.method == "GET" && request.path.ends_with("/mine");
        stage.osc.fault(Endpoint::Instances, Fault::Status(401)).when(is_look).skip(1).times(looks);
        let result = stage.through_looks(create_or_adopt(&osc)).await;
        assert_eq!(result.err().map(|error| error.kind()), kind);
    }
}

#[tokio::test]
async fn a_refusal_ends_it_and_is_not_remembered() {
    let (stage, osc) = with_secret().await;
    let refused = Fault::Answer(402, "application/json", json!({ "reason": "upgrade" }).to_string());
    stage.osc.fault(Endpoint::Instances, refused).when(is_create).once();
    let error = soon(create_or_adopt(&osc)).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::PlanRequired, Some("upgrade")));
    turn_up(&stage, &options());
    assert_eq!(soon(create_or_adopt(&osc)).await.unwrap_err().kind(), Kind::NameTaken);
}

#[tokio::test]
async fn a_sign_out_ends_it() {
    let (stage, osc) = with_secret().await;
    stage.osc.fault(Endpoint::Instances, gateway_timeout()).when(is_create);
    let mut waiting = Box::pin(create_or_adopt(&osc));
    tokio::select! {
        biased;
        over = &mut waiting => panic!("it did not wait: {over:?}"),
        _ = stage.clock.slept(LOOK, 1) => {}
    }
    soon(osc.session().unwrap().sign_out()).await;
    let asked = stage.asked();
    stage.pass(*LOOK.start());
    assert_eq!(soon(waiting).await.unwrap_err().kind(), Kind::SessionEnded);
    assert_eq!(stage.asked(), asked);
}

#[tokio::test]
async fn unsendable_arguments_are_refused_before_any_request() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let make = |service, name, options: Value| {
        let osc = osc.clone();
        async move { osc.service(service).instance(name).create_or_adopt(options, TEN_MINUTES).await }
    };
    for refused in [
        soon(make(ADSERVER, "Mine", json!({}))).await,
        soon(make(ADSERVER, "../x", json!({}))).await,
        soon(make(ADSERVER, "mine", json!([]))).await,
        soon(make("..", "mine", json!({}))).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), Kind::InvalidInput);
    }
    assert_eq!(stage.asked(), osc_tests::Asked::nothing());
}

#[tokio::test]
async fn a_service_that_is_not_subscribed_to_is_activated() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let mine = osc.service(osc_tests::MINIO).instance("mine");
    let made = soon(mine.create_or_adopt(Map::new(), TEN_MINUTES)).await;
    assert!(matches!(made.unwrap(), Creation::Created(_)));
    assert_eq!((stage.asked().activations, creates(&stage)), (1, 1));
}
