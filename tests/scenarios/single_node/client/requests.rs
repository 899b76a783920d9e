//! The number of requests. A session loads its workspace's data once.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::ContextErrorKind;
use osc_tests::{ADSERVER, Asked, Browser, MINIO, Stage, VALKEY, app, soon, token_of, use_instance};
use serde_json::json;

#[tokio::test]
async fn listing_instances_twice_costs_one_list_of_subscriptions_and_one_token() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    for _ in 0..2 {
        let instances = soon(osc.service(ADSERVER).list_instances()).await.unwrap();
        assert_eq!(instances.iter().map(|instance| &instance.name).collect::<Vec<_>>(), ["demo"]);
    }
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 1, instances: 2, ..Asked::nothing() });
}

#[tokio::test]
async fn all_contexts_of_a_session_share_one_cache() {
    let stage = Stage::signed_in().await;
    soon(stage.context().await.service(ADSERVER).list_instances()).await.unwrap();
    soon(stage.token().await.session().context().service(ADSERVER).list_instances()).await.unwrap();
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 1, instances: 2, ..Asked::nothing() });
}

#[tokio::test]
async fn all_calls_in_one_service_cost_one_token() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let mine = adserver.instance("mine");
    soon(mine.create(json!({}))).await.unwrap();
    assert!(soon(mine.get()).await.unwrap().is_some());
    assert_eq!(soon(adserver.list_instances()).await.unwrap().len(), 2);
    soon(mine.remove()).await.unwrap();
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 1, instances: 4, ..Asked::nothing() });
    assert_eq!(stage.osc.instances(ADSERVER), ["demo"]);
}

#[tokio::test]
async fn each_service_has_its_token_and_subscriptions_are_read_once() {
    let stage = Stage::signed_in().await;
    stage.osc.subscribe(MINIO);
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let minio = osc.service(MINIO);
    for _ in 0..2 {
        soon(adserver.list_instances()).await.unwrap();
        soon(minio.list_instances()).await.unwrap();
    }
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 2, instances: 4, ..Asked::nothing() });
    let tokens = [soon(adserver.access_token()).await, soon(minio.access_token()).await];
    let [ad, minio] = tokens.map(Result::unwrap);
    assert_eq!((ad.service_id(), minio.service_id()), (ADSERVER, MINIO));
    assert_ne!(ad.token(), minio.token());
    assert_eq!(stage.asked().tokens, 2, "those were kept");
}

#[tokio::test]
async fn a_thousand_callers_at_once_cost_one_list_and_one_token() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let answers = soon(join_all((0..1000).map(|_| adserver.list_instances()))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().len() == 1));
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 1, instances: 1000, ..Asked::nothing() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_on_several_threads_cost_one_list_and_one_token() {
    for _ in 0..5 {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        let tasks = (0..300).map(|_| {
            let osc = osc.clone();
            tokio::spawn(async move {
                osc.service(ADSERVER).list_instances().await.map(|instances| instances.len())
            })
        });
        for task in soon(join_all(tasks)).await {
            assert_eq!(task.unwrap().unwrap(), 1);
        }
        assert_eq!(stage.asked(), Asked { lists: 1, tokens: 1, instances: 300, ..Asked::nothing() });
    }
}

#[tokio::test]
async fn while_the_token_service_is_slow_all_callers_wait_for_one_request() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let hold = stage.osc.hold(Endpoint::ServiceToken);
    let adserver = osc.service(ADSERVER);
    let mut callers = Box::pin(join_all((0..1000).map(|_| adserver.list_instances())));
    let arrived = async { soon(hold.arrived(1)).await };
    tokio::select! {
        biased;
        _ = &mut callers => panic!("somebody did not wait"),
        () = arrived => {}
    }
    assert!(callers.as_mut().now_or_never().is_none());
    hold.release();
    assert!(soon(callers).await.iter().all(Result::is_ok));
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 1, instances: 1000, ..Asked::nothing() });
}

#[tokio::test]
async fn a_slow_caller_uses_the_token_another_got() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let adserver = osc.service(ADSERVER);
    let mut slow = Box::pin(adserver.list_instances());
    assert!(slow.as_mut().now_or_never().is_none());
    soon(adserver.list_instances()).await.unwrap();
    soon(slow).await.unwrap();
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 1, instances: 2, ..Asked::nothing() });
}

#[tokio::test]
async fn a_slow_caller_finds_the_service_activated() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let minio = osc.service(MINIO);
    let mut slow = Box::pin(minio.access_token());
    assert!(slow.as_mut().now_or_never().is_none());
    soon(minio.access_token()).await.unwrap();
    soon(slow).await.unwrap();
    assert_eq!((stage.asked().activations, stage.asked().tokens), (1, 1));
}

#[tokio::test]
async fn a_dropped_caller_does_not_cancel_the_shared_token_request() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let hold = stage.osc.hold(Endpoint::ServiceToken);
    let first = osc.clone();
    let first = tokio::spawn(async move { first.service(ADSERVER).list_instances().await.map(drop) });
    soon(hold.arrived(1)).await;
    let adserver = osc.service(ADSERVER);
    let mut second = Box::pin(adserver.list_instances());
    assert!(second.as_mut().now_or_never().is_none());
    first.abort();
    assert!(soon(first).await.unwrap_err().is_cancelled());
    hold.release();
    assert_eq!(soon(second).await.unwrap().len(), 1);
    assert_eq!(stage.asked(), Asked { lists: 1, tokens: 1, instances: 1, ..Asked::nothing() });
}

#[tokio::test]
async fn creating_in_a_service_activates_it_once_for_any_number_of_callers() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let names: Vec<_> = (0..100).map(|n| format!("mine{n}")).collect();
    let instances: Vec<_> = names.iter().map(|name| osc.service(MINIO).instance(name)).collect();
    let hold = stage.osc.hold(Endpoint::Catalog);
    let mut callers = Box::pin(join_all(instances.iter().map(|instance| instance.create(json!({})))));
    assert!(callers.as_mut().now_or_never().is_none());
    soon(hold.arrived(1)).await;
    hold.release();
    let made = soon(callers).await;
    assert!(made.iter().zip(&names).all(|(made, name)| made.as_ref().unwrap().name == *name));
    assert_eq!(stage.asked(), Asked { lists: 2, activations: 1, tokens: 1, instances: 100, others: 0 });
    assert_eq!(stage.osc.instances(MINIO).len(), 100);
    assert_eq!(stage.osc.subscriptions(), [ADSERVER, MINIO]);
}

#[tokio::test]
async fn a_service_that_is_listed_late_after_its_activation_is_waited_for() {
    for (late, found) in [(1, true), (4, true), (5, false)] {
        let stage = Stage::with(MockOsc::builder().late_subscriptions(late), |layer| layer).await;
        let osc = stage.context().await;
        let minio = osc.service(MINIO);
        let mut token = Box::pin(minio.access_token());
        let pause = Duration::from_millis(500);
        for look in 1..5.min(late + 1) {
            tokio::select! {
                biased;
                _ = &mut token => panic!("it did not wait"),
                _ = stage.clock.slept(pause..=pause, look) => stage.pass(pause),
            }
        }
        let token = soon(token).await;
        match found {
            true => assert_eq!(token.unwrap().service_id(), MINIO),
            false => assert_eq!(token.unwrap_err().kind(), ContextErrorKind::UnexpectedAnswer),
        }
        let lists = 1 + 5.min(late + 1);
        assert_eq!((stage.asked().lists, stage.asked().activations), (lists, 1), "{late}");
    }
}

#[tokio::test]
async fn looking_at_a_service_that_is_not_subscribed_to_activates_nothing() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let minio = osc.service(MINIO);
    let a = minio.instance("a");
    let kinds = [
        soon(minio.list_instances()).await.map(drop),
        soon(a.get()).await.map(drop),
        soon(a.remove()).await,
        soon(use_instance(&a)).await,
        soon(a.health()).await.map(drop),
        soon(a.wait_until_ready(Duration::from_secs(9), |_| {})).await,
    ];
    for kind in kinds {
        assert_eq!(kind.unwrap_err().kind(), ContextErrorKind::NotSubscribed);
    }
    assert_eq!(stage.asked(), Asked { lists: 6, ..Asked::nothing() });
    assert_eq!(stage.osc.subscriptions(), [ADSERVER]);
}

#[tokio::test]
async fn a_missing_subscription_is_not_cached() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let minio = osc.service(MINIO);
    assert_eq!(soon(minio.list_instances()).await.unwrap_err().kind(), ContextErrorKind::NotSubscribed);
    stage.osc.subscribe(MINIO);
    assert!(soon(minio.list_instances()).await.unwrap().is_empty());
    assert_eq!(stage.asked(), Asked { lists: 2, tokens: 1, instances: 1, ..Asked::nothing() });
}

#[tokio::test]
async fn activating_a_service_that_is_subscribed_to_asks_for_nothing_new() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    for _ in 0..2 {
        assert_eq!(soon(osc.service(ADSERVER).subscribe()).await.unwrap().service_id, ADSERVER);
    }
    assert_eq!((stage.asked().activations, stage.asked().tokens), (0, 0));
    let minio = soon(osc.service(MINIO).subscribe()).await.unwrap();
    assert_eq!(minio.api_url, format!("{}/api-minio-minio/minioinstance", stage.osc.platform()));
    assert_eq!((stage.asked().activations, stage.asked().tokens), (1, 0));
}

#[tokio::test]
async fn an_unknown_service_is_not_found() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    for _ in 0..2 {
        let error = soon(osc.service("no-such").instance("a").create(json!({}))).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (ContextErrorKind::NotFound, Some("no such service")));
    }
    assert_eq!((stage.asked().activations, stage.asked().tokens), (2, 0));
}

#[tokio::test]
async fn two_visitors_never_share_a_token_nor_a_workspace() {
    let stage = Stage::signed_in().await;
    let mut grace = Browser::new(app(&stage.layer));
    let authorize = grace.begin_sign_in("/auth/signin").await;
    let callback = stage.osc.approve_as("grace", &authorize).await.unwrap();
    assert_eq!(grace.navigate(osc_tests::path_of(&callback)).await.status(), StatusCode::SEE_OTHER);
    let (ada, grace) = (stage.context().await, token_of(&grace.fetch("/").await).unwrap().context());

    let both = (0..20).map(|n| {
        let (name, osc) = (format!("mine{n}"), if n % 2 == 0 { &ada } else { &grace });
        async move { osc.service(VALKEY).instance(&name).create(json!({})).await }
    });
    assert!(soon(join_all(both)).await.iter().all(Result::is_ok));

    for (workspace, rest, osc) in [("adalovelace", 0, &ada), ("gracehopper", 1, &grace)] {
        let names = stage.osc.workspace(workspace).instances(VALKEY);
        assert_eq!(names.len(), 10, "{names:?}");
        assert!(
            names.iter().all(|name| name[4..].parse::<usize>().unwrap() % 2 == rest),
            "{workspace}: {names:?}"
        );
        let listed = soon(osc.service(VALKEY).list_instances()).await.unwrap();
        assert_eq!(listed.into_iter().map(|instance| instance.name).collect::<Vec<_>>(), names);
    }
    assert_eq!((stage.asked().lists, stage.asked().activations, stage.asked().tokens), (4, 2, 2));
    let tokens =
        [soon(ada.service(VALKEY).access_token()).await, soon(grace.service(VALKEY).access_token()).await];
    let [ada, grace] = tokens.map(Result::unwrap);
    assert_ne!(ada.token(), grace.token());
}

#[tokio::test]
async fn a_context_outlives_its_request_and_three_lifetimes_of_both_tokens() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    // One step every seven minutes for hours, with one break longer than a token's lifetime.
    for step in 0..40 {
        stage.pass(Duration::from_secs(if step == 13 { 2 * 3600 } else { 7 * 60 }));
        let answer = soon(osc.service(ADSERVER).list_instances()).await;
        assert_eq!(answer.unwrap().len(), 1, "step {step}");
    }
    assert_eq!(stage.asked().lists, 1);
    assert!((5..=7).contains(&stage.asked().tokens), "{:?}", stage.asked());
    assert_eq!(stage.asked().instances, 40, "no dead token was sent");
    assert!(stage.refreshes() >= 4, "{}", stage.refreshes());
}
