//! After the sign-out, calls of a context fail, and the session's cached tokens are used nowhere.

use futures_util::FutureExt;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::ContextErrorKind as Kind;
use osc_tests::{ADSERVER, Asked, MINIO, Nodes, Stage, calls, soon, use_instance};
use serde_json::json;

/// Checks that every call fails without a request.
async fn assert_ended(osc: &osc_auth_layer::OscContext, provider: &MockOsc) {
    let before = Asked::of(provider);
    for call in calls() {
        let error = soon(call.make(osc)).await.expect_err(call.doing);
        assert_eq!((error.kind(), error.status()), (Kind::SessionEnded, None), "{}: {error}", call.doing);
    }
    assert_eq!(Asked::of(provider), before);
}

#[tokio::test]
async fn s61_after_the_sign_out_in_the_browser_or_from_code_nothing_is_sent() {
    for from_code in [true, false] {
        let mut stage = Stage::signed_in().await;
        let osc = stage.context().await;
        soon(osc.service(ADSERVER).list_instances()).await.unwrap();
        match from_code {
            true => soon(osc.session().unwrap().sign_out()).await,
            false => drop(soon(stage.browser.post_from("same-origin", "/auth/signout")).await),
        }
        assert_ended(&osc, &stage.osc).await;
        assert_ended(&osc.clone(), &stage.osc).await;
    }
}

#[tokio::test]
async fn s61_after_the_layer_is_gone_nothing_is_sent() {
    let stage = Stage::signed_in().await;
    let context = stage.context().await;
    soon(context.service(ADSERVER).list_instances()).await.unwrap();
    let Stage { layer, browser, osc, .. } = stage;
    drop((layer, browser));
    assert_ended(&context, &osc).await;
}

#[tokio::test]
async fn s61_after_the_sign_out_on_another_node_nothing_is_sent() {
    for is_notified in [true, false] {
        let nodes = if is_notified { Nodes::notified(2).await } else { Nodes::polling(2).await };
        nodes.warm_up().await;
        let osc = nodes.token(0).await.context();
        soon(osc.service(ADSERVER).list_instances()).await.unwrap();
        soon(nodes.at(1).post_from("same-origin", "/auth/signout")).await;
        assert_ended(&osc, &nodes.osc).await;
    }
}

#[tokio::test]
async fn s61_a_service_token_requested_during_sign_out_is_not_used() {
    for endpoint in [Endpoint::Catalog, Endpoint::ServiceToken] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        let mine = osc.service(MINIO).instance("mine");
        let hold = stage.osc.hold(endpoint);
        let mut call = Box::pin(mine.create(json!({})));
        assert!(call.as_mut().now_or_never().is_none());
        let arrived = async { soon(hold.arrived(1)).await };
        tokio::select! { biased; _ = &mut call => panic!("it did not wait"), () = arrived => {} }
        soon(osc.session().unwrap().sign_out()).await;
        let asked = stage.asked();
        hold.release();
        assert_eq!(soon(call).await.unwrap_err().kind(), Kind::SessionEnded, "{endpoint:?}");
        assert_eq!((stage.asked(), stage.osc.instances(MINIO).len()), (asked, 0), "{endpoint:?}");
    }
}

#[tokio::test]
async fn s61_a_service_token_arriving_after_sign_out_is_discarded() {
    let stage = Stage::signed_in().await;
    let osc = stage.context().await;
    let hold = stage.osc.hold(Endpoint::ServiceToken);
    let adserver = osc.service(ADSERVER);
    let mut call = Box::pin(adserver.access_token());
    let arrived = async { soon(hold.arrived(1)).await };
    tokio::select! { biased; _ = &mut call => panic!("it did not wait"), () = arrived => {} }
    soon(osc.session().unwrap().sign_out()).await;
    hold.release();
    assert_eq!(soon(call).await.unwrap_err().kind(), Kind::SessionEnded);
}

#[tokio::test]
async fn s61_a_request_that_waits_during_the_sign_out_is_the_last() {
    for refused in [true, false] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        let adserver = osc.service(ADSERVER);
        soon(adserver.list_instances()).await.unwrap();
        let hold = stage.osc.hold(Endpoint::Instances);
        // Both faults would be followed by another request: for a new token, or to read what was changed.
        let answer = if refused { Fault::Status(401) } else { Fault::Empty };
        stage.osc.fault(Endpoint::Instances, answer).when(|request| request.method == "PATCH");
        let demo = stage.osc.requests(Endpoint::Instances).len();
        let instance = adserver.instance("demo");
        let mut call = Box::pin(instance.update(json!({ "level": 1 })));
        let arrived = async { soon(hold.arrived(1)).await };
        tokio::select! { biased; _ = &mut call => panic!("it did not wait"), () = arrived => {} }
        soon(osc.session().unwrap().sign_out()).await;
        hold.release();
        assert_eq!(soon(call).await.unwrap_err().kind(), Kind::SessionEnded);
        assert_eq!(stage.asked(), Asked { lists: 1, tokens: 1, instances: demo + 1, ..Asked::nothing() });
    }
}

#[tokio::test]
async fn s61_a_request_whose_answer_is_lost_during_the_sign_out_is_not_repeated() {
    for endpoint in [Endpoint::Instances, Endpoint::Money] {
        let stage = Stage::signed_in().await;
        let osc = stage.context().await;
        let adserver = osc.service(ADSERVER);
        soon(adserver.list_instances()).await.unwrap();
        stage.osc.fault(endpoint, Fault::HangUp);
        let (hold, before) = (stage.osc.hold(endpoint), stage.osc.count(endpoint));
        let mut call: osc_tests::Calling<'_> = match endpoint {
            Endpoint::Money => Box::pin(async { osc.token_balance().await.map(drop) }),
            _ => Box::pin(async { adserver.list_instances().await.map(drop) }),
        };
        let arrived = async { soon(hold.arrived(1)).await };
        tokio::select! { biased; _ = &mut call => panic!("it did not wait"), () = arrived => {} }
        soon(osc.session().unwrap().sign_out()).await;
        hold.release();
        assert_eq!(soon(call).await.unwrap_err().kind(), Kind::SessionEnded);
        assert_eq!(stage.osc.count(endpoint), before + 1);
    }
}

#[tokio::test]
async fn s61_the_visitors_next_session_starts_with_an_empty_cache() {
    let mut stage = Stage::signed_in().await;
    let first = stage.context().await;
    let before = soon(first.service(ADSERVER).access_token()).await.unwrap();
    stage.browser.post_from("same-origin", "/auth/signout").await;
    let stage = stage.sign_in().await;
    let second = stage.context().await;
    let after = soon(second.service(ADSERVER).access_token()).await.unwrap();
    assert_ne!(before.token(), after.token());
    assert_eq!(stage.asked(), Asked { lists: 2, tokens: 2, ..Asked::nothing() });
    assert_ended(&first, &stage.osc).await;
}

#[tokio::test]
async fn s61_no_service_access_token_is_written_to_the_store() {
    let nodes = Nodes::notified(2).await;
    nodes.warm_up().await;
    let (here, there) = (nodes.token(0).await.context(), nodes.token(1).await.context());
    let before = nodes.store.dump();
    assert!(!before.is_empty());
    let adserver = here.service(ADSERVER);
    let demo = soon(adserver.instance("demo").get()).await.unwrap().unwrap();
    soon(use_instance(&adserver.known_instance(&demo))).await.unwrap();
    let token = soon(adserver.access_token()).await.unwrap();
    assert_eq!(nodes.store.dump(), before, "the store was written to");
    let other = soon(there.service(ADSERVER).access_token()).await.unwrap();
    assert_ne!(token.token(), other.token(), "it travelled");
    let dump = nodes.store.dump();
    for token in [token, other] {
        assert!(!dump.windows(24).any(|part| token.token().as_bytes().windows(24).any(|own| own == part)));
    }
}
