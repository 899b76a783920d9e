//! Creating an instance twice: double clicks, retries, other sessions.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{join, join_all};
use mock_osc::{Endpoint, Fault};
use osc_auth_layer::ContextErrorKind as Kind;
use osc_auth_layer::workspace::{Creation, Instance};
use osc_tests::{ADSERVER, Browser, app, path_of, soon, token_of};
use serde_json::json;

use super::creating::{
    TEN_MINUTES, create_or_adopt, creates, gateway_timeout, is_create, options, taken, turn_up, with_secret,
};

#[tokio::test]
async fn after_the_timeout_a_second_call_adopts_the_instance() {
    let (stage, osc) = with_secret().await;
    stage.osc.fault(Endpoint::Instances, gateway_timeout()).when(is_create);
    let error = stage.through_looks(create_or_adopt(&osc)).await.unwrap_err();
    assert_eq!((error.kind(), creates(&stage)), (Kind::MaybeCreated, 1));
    assert!(error.to_string().contains("did not appear in time"), "{error}");
    turn_up(&stage, &options());
    assert!(matches!(soon(create_or_adopt(&osc)).await.unwrap(), Creation::Adopted(_)));
    assert_eq!(creates(&stage), 1);
    // The instance was adopted once. From now on it counts as any existing instance.
    assert_eq!(soon(create_or_adopt(&osc)).await.unwrap_err().kind(), Kind::NameTaken);
}

#[tokio::test]
async fn a_second_call_creates_what_a_504_did_not() {
    let (stage, osc) = with_secret().await;
    stage.osc.fault(Endpoint::Instances, gateway_timeout()).when(is_create).once();
    stage.through_looks(create_or_adopt(&osc)).await.unwrap_err();
    assert!(matches!(soon(create_or_adopt(&osc)).await.unwrap(), Creation::Created(_)));
    assert_eq!(creates(&stage), 2);
}

#[tokio::test]
async fn an_unclear_create_is_remembered_for_half_an_hour_and_with_its_options() {
    for (minutes, wanted, kind) in [
        (29, options(), None),
        (31, options(), Some(Kind::NameTaken)),
        (1, json!({ "level": 2 }), Some(Kind::NameTaken)),
    ] {
        let (stage, osc) = with_secret().await;
        let mine = osc.service(ADSERVER).instance("mine");
        stage.osc.fault(Endpoint::Instances, gateway_timeout()).when(is_create);
        let error = soon(mine.create(options())).await.unwrap_err();
        assert_eq!(error.kind(), Kind::MaybeCreated);
        turn_up(&stage, &options());
        stage.pass(Duration::from_secs(60 * minutes));
        let again = soon(mine.create_or_adopt(&wanted, TEN_MINUTES)).await;
        assert_eq!(again.err().map(|error| error.kind()), kind, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn an_instance_that_was_removed_is_not_adopted_from_somebody_else() {
    let (stage, osc) = with_secret().await;
    let mine = osc.service(ADSERVER).instance("mine");
    stage.osc.fault(Endpoint::Instances, Fault::LostAnswer).when(is_create).once();
    soon(mine.create(options())).await.unwrap_err();
    soon(mine.remove()).await.unwrap();
    turn_up(&stage, &options());
    assert_eq!(soon(create_or_adopt(&osc)).await.unwrap_err().kind(), Kind::NameTaken);
}

#[tokio::test]
async fn concurrent_clicks_create_one_instance_and_adopt_it() {
    let (stage, osc) = with_secret().await;
    let clicks = soon(join_all((0..50).map(|_| create_or_adopt(&osc)))).await;
    let clicks: Vec<_> = clicks.into_iter().map(Result::unwrap).collect();
    let created = clicks.iter().filter(|creation| matches!(creation, Creation::Created(_))).count();
    assert_eq!((created, clicks.len(), creates(&stage)), (1, 50, 1));
    let names = clicks.into_iter().map(Creation::into_instance);
    assert!(names.map(|instance: Instance| instance.name).all(|name| name == "mine"));
}

#[tokio::test]
async fn clicks_during_a_504_send_one_create_and_all_adopt() {
    let (stage, osc) = with_secret().await;
    stage.osc.fault(Endpoint::Instances, gateway_timeout()).when(is_create);
    let appear = |pause| {
        if pause == 9 {
            turn_up(&stage, &options());
        }
    };
    let clicks = join_all((0..3).map(|_| create_or_adopt(&osc)));
    let clicks = stage.through_looks_with(clicks, appear).await;
    assert!(clicks.iter().all(|creation| matches!(creation, Ok(Creation::Adopted(_)))), "{clicks:?}");
    assert_eq!(creates(&stage), 1);
}

#[tokio::test]
async fn a_concurrent_click_with_other_options_gets_name_taken() {
    let (stage, osc) = with_secret().await;
    let mine = osc.service(ADSERVER).instance("mine");
    let other = mine.create_or_adopt(json!({ "level": 2 }), TEN_MINUTES);
    let (first, second) = soon(join(create_or_adopt(&osc), other)).await;
    assert!(matches!(first.unwrap(), Creation::Created(_)));
    assert_eq!(second.unwrap_err().kind(), Kind::NameTaken);
    assert_eq!((creates(&stage), &stage.osc.instance(ADSERVER, "mine").unwrap()["level"]), (1, &json!(1)));
}

#[tokio::test]
async fn a_click_in_another_session_of_the_same_user_adopts_what_the_first_created() {
    let (stage, osc) = with_secret().await;
    let mut tablet = Browser::new(app(&stage.layer));
    let authorize = tablet.begin_sign_in("/auth/signin").await;
    let callback = stage.osc.approve(&authorize).await.unwrap();
    tablet.navigate(path_of(&callback)).await;
    let tablet = token_of(&tablet.fetch("/").await).unwrap().context();
    // Both have looked before either creates. The other session's create arrives first.
    stage.osc.fault(Endpoint::Instances, taken()).when(is_create).once();
    let create = |pause| {
        if pause == 1 {
            turn_up(&stage, &options());
        }
    };
    let second = stage.through_looks_with(create_or_adopt(&tablet), create).await.unwrap();
    assert!(matches!(second, Creation::Adopted(_)));
    assert_eq!(soon(create_or_adopt(&osc)).await.unwrap_err().kind(), Kind::NameTaken);
}

#[tokio::test]
async fn a_click_whose_browser_went_away_is_adopted_by_the_next() {
    for has_landed in [false, true] {
        let (stage, osc) = with_secret().await;
        let hold = stage.osc.hold(Endpoint::Instances);
        let mut first = Box::pin(create_or_adopt(&osc));
        assert!(first.as_mut().now_or_never().is_none());
        let arrived = async { soon(hold.arrived(1)).await };
        tokio::select! { biased; _ = &mut first => panic!("it did not wait"), () = arrived => {} }
        drop(first);
        hold.release();
        while has_landed && soon(osc.service(ADSERVER).instance("mine").get()).await.unwrap().is_none() {}
        let second = soon(create_or_adopt(&osc)).await.unwrap();
        assert!(matches!(second, Creation::Adopted(_)), "{second:?}");
        assert_eq!((creates(&stage), stage.osc.instances(ADSERVER).len()), (1, 2));
        assert_eq!(soon(create_or_adopt(&osc)).await.unwrap_err().kind(), Kind::NameTaken);
    }
}
