//! Of several nodes, one tells of a session's end, and only once.

use std::time::Duration;

use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::SessionEventKind::{self, Ended, SignedIn, SignedOut};
use osc_auth_layer::{EndReason, OscAuthLayerBuilder, SessionEvent};
use osc_tests::{EXPIRED, Nodes, Op, Trouble, WatchedClock, error_of, soon};
use serde_json::json;

use crate::heard::{Heard, user_id};

const MINUTE: Duration = Duration::from_secs(60);

/// Nodes on a store that notifies, and on one that does not, each with what its nodes told of.
async fn both_kinds(
    count: usize,
    configure: fn(OscAuthLayerBuilder) -> OscAuthLayerBuilder,
) -> [(Nodes, Vec<Heard>); 2] {
    [kind(true, count, configure).await, kind(false, count, configure).await]
}

async fn kind(
    is_notified: bool,
    count: usize,
    configure: fn(OscAuthLayerBuilder) -> OscAuthLayerBuilder,
) -> (Nodes, Vec<Heard>) {
    let mut heard = Vec::new();
    let nodes = Nodes::with(MockOsc::builder(), is_notified, count, |layer| {
        heard.push(Heard::default());
        heard[heard.len() - 1].listen(configure(layer))
    });
    let nodes: Nodes = nodes.await.sign_in().await;
    assert_eq!(heard[0].kinds(1).await, [SignedIn]);
    heard[0].forget();
    (nodes, heard)
}

/// Waits until no node has anything to do, and returns the events of each.
async fn settled(nodes: &Nodes, heard: &[Heard]) -> Vec<Vec<SessionEvent>> {
    nodes.settle().await;
    heard.iter().map(Heard::now).collect()
}

fn kinds(events: &[Vec<SessionEvent>]) -> Vec<Vec<SessionEventKind>> {
    events.iter().map(|events| events.iter().map(SessionEvent::kind).collect()).collect()
}

async fn sign_out(nodes: &Nodes, at: usize) {
    soon(nodes.at(at).post_from("same-origin", "/auth/signout")).await;
}

/// Lets time pass in steps that the sweepers believe, with a sweep of every node after each.
async fn sweep(nodes: &Nodes, minutes: u32) {
    for _ in 0..minutes {
        let sweeps: Vec<_> = nodes.iter().map(|node| node.clock.sleeps(WatchedClock::SWEEP)).collect();
        nodes.pass(MINUTE);
        for (node, sweeps) in nodes.iter().zip(sweeps) {
            node.clock.slept(WatchedClock::SWEEP, sweeps + 1).await;
        }
    }
}

#[tokio::test]
async fn the_node_of_the_sign_out_tells_of_it_and_no_other() {
    for (nodes, heard) in both_kinds(3, |layer| layer).await {
        nodes.warm_up().await;
        sign_out(&nodes, 1).await;
        for at in [0, 1, 2] {
            assert_eq!(nodes.fetch(at).await.status(), StatusCode::UNAUTHORIZED);
            sign_out(&nodes, at).await;
        }
        assert_eq!(kinds(&settled(&nodes, &heard).await), [vec![], vec![SignedOut], vec![]]);
    }
}

#[tokio::test]
async fn a_node_that_never_met_the_session_tells_of_its_user() {
    for (nodes, heard) in both_kinds(2, |layer| layer).await {
        let id = nodes.token(0).await.session().id();
        sign_out(&nodes, 1).await;
        let events = settled(&nodes, &heard).await;
        assert_eq!(kinds(&events), [vec![], vec![SignedOut]]);
        assert_eq!((events[1][0].session_id(), user_id(&events[1][0])), (&*id, Some("ada")));
    }
}

#[tokio::test]
async fn s89_of_two_sign_outs_at_the_same_time_one_is_reported() {
    for (nodes, heard) in both_kinds(2, |layer| layer).await {
        nodes.warm_up().await;
        let holds = [0, 1].map(|at| nodes.node(at).store.hold(Op::End));
        let mut leaving = [0, 1].map(|at| nodes.at(at));
        let [one, other] = &mut leaving;
        let leave = async {
            tokio::join!(
                one.post_from("same-origin", "/auth/signout"),
                other.post_from("same-origin", "/auth/signout")
            )
        };
        let release = async {
            soon(nodes.node(0).store.asked(Op::End, 1)).await;
            soon(nodes.node(1).store.asked(Op::End, 1)).await;
            holds.into_iter().for_each(osc_tests::StoreHold::release);
        };
        tokio::join!(leave, release);
        let events = settled(&nodes, &heard).await.concat();
        assert_eq!(kinds(&[events]), [[SignedOut]]);
    }
}

#[tokio::test]
async fn a_session_ended_from_another_node_is_reported_once_with_its_user() {
    for (nodes, heard) in both_kinds(3, |layer| layer).await {
        let others = [nodes.another(1).await, nodes.another(1).await];
        heard[1].all(2).await;
        heard[1].forget();
        // Node 0 knows the first of them, but not the second.
        let ended = nodes.session_of(&others[0], 0).await.id();
        let this = nodes.token(0).await.session();
        soon(this.sign_out_everywhere()).await.expect("they end");
        for other in &others {
            for at in [2, 1, 0] {
                let answer = soon(nodes.send(other, at).fetch("/")).await;
                assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            }
        }
        let events = settled(&nodes, &heard).await;
        let by_user = Ended(EndReason::ByUser);
        assert_eq!(kinds(&events), [vec![by_user, by_user, SignedOut], vec![], vec![]]);
        let ids: Vec<_> = events[0].iter().map(SessionEvent::session_id).collect();
        assert!(ids.contains(&&*ended) && ids[2] == this.id(), "{ids:?}");
        assert!(events[0].iter().all(|event| user_id(event) == Some("ada")), "{events:?}");
    }
}

#[tokio::test]
async fn an_administrator_at_any_node_ends_each_session_once() {
    for (nodes, heard) in both_kinds(2, |layer| layer).await {
        let other = nodes.another(0).await;
        heard[0].all(1).await;
        heard[0].forget();
        let user = nodes.token(0).await.user();
        let key = user.as_ref().and_then(|user| user.key()).expect("a key");
        let id = nodes.session_of(&other, 0).await.id();
        let of_user = nodes.node(1).layer.sessions_of(key);
        assert!(soon(of_user.end(&id)).await.expect("it ends"));
        assert!(!soon(of_user.end(&id)).await.expect("it has ended"));
        soon(of_user.end_all()).await.expect("it ends");
        let events = settled(&nodes, &heard).await;
        assert_eq!(kinds(&events), [vec![], vec![Ended(EndReason::ByApp); 2]]);
        assert!(events[1].iter().all(|event| event.user() == user.as_ref()), "{events:?}");
    }
}

#[tokio::test]
async fn a_session_replaced_at_a_node_that_never_met_it_is_reported_once() {
    for (nodes, heard) in both_kinds(2, |layer| layer).await {
        let mut browser = nodes.at(1);
        nodes.osc.set_claim("userId", json!("grace"));
        assert_eq!(soon(browser.sign_in(&nodes.osc)).await.status(), StatusCode::SEE_OTHER);
        let events = settled(&nodes, &heard).await;
        assert_eq!(kinds(&events), [vec![], vec![SignedIn, Ended(EndReason::Replaced)]]);
        assert_eq!([0, 1].map(|at| user_id(&events[1][at])), [Some("grace"), Some("ada")]);
    }
}

#[tokio::test]
async fn a_refused_refresh_is_reported_by_the_node_that_met_it_and_never_again() {
    let short = |layer: OscAuthLayerBuilder| layer.idle_timeout(90 * MINUTE);
    for (nodes, heard) in both_kinds(3, short).await {
        nodes.warm_up().await;
        nodes.osc.revoke_refresh_tokens();
        nodes.pass(EXPIRED);
        assert_eq!(error_of(&nodes.fetch(1).await), "session_ended");
        assert_eq!(error_of(&nodes.fetch(2).await), "session_ended");
        assert_eq!(heard[1].kinds(1).await, [Ended(EndReason::RefreshRefused)]);
        // Node 0 does not meet the session again, and its copy seems to expire.
        sweep(&nodes, 100).await;
        sign_out(&nodes, 2).await;
        let refused = vec![Ended(EndReason::RefreshRefused)];
        let events = settled(&nodes, &heard).await;
        assert_eq!(kinds(&events), [vec![], refused, vec![]]);
        assert_eq!(user_id(&events[1][0]), Some("ada"));
    }
}

#[tokio::test]
async fn a_refused_session_is_not_reported_again_when_a_copy_elsewhere_expires() {
    for (nodes, heard) in both_kinds(2, |layer| layer.idle_timeout(10 * MINUTE)).await {
        nodes.warm_up().await;
        nodes.osc.revoke_refresh_tokens();
        let token = nodes.token(1).await;
        assert!(soon(token.session().refresh(&token)).await.is_err());
        drop(token);
        assert_eq!(heard[1].kinds(1).await, [Ended(EndReason::RefreshRefused)]);
        sweep(&nodes, 20).await;
        assert_eq!(nodes.node(0).sessions(), 0, "this node dropped its copy");
        let refused = vec![Ended(EndReason::RefreshRefused)];
        assert_eq!(kinds(&settled(&nodes, &heard).await), [vec![], refused]);
    }
}

#[tokio::test]
async fn a_refresh_with_another_user_is_reported_by_its_node() {
    for (nodes, heard) in both_kinds(2, |layer| layer).await {
        nodes.warm_up().await;
        nodes.osc.set_claim("userId", json!("grace"));
        nodes.pass(EXPIRED);
        nodes.fetch(1).await;
        nodes.fetch(0).await;
        let events = settled(&nodes, &heard).await;
        assert_eq!(kinds(&events), [vec![], vec![Ended(EndReason::UserChanged)]]);
        assert_eq!(user_id(&events[1][0]), Some("ada"));
    }
}

#[tokio::test]
async fn an_ending_that_the_store_did_not_take_is_reported_once_it_has() {
    for trouble in [Trouble::Fails, Trouble::LosesAnswer] {
        for (nodes, heard) in both_kinds(2, |layer| layer).await {
            nodes.warm_up().await;
            nodes.node(0).store.trouble(Op::End, trouble);
            sign_out(&nodes, 0).await;
            assert_eq!(heard[0].now(), [], "{trouble:?}");
            nodes.node(0).store.mend();
            nodes.node(0).clock.advance(MINUTE);
            assert_eq!(heard[0].kinds(1).await, [SignedOut], "{trouble:?}");
            sign_out(&nodes, 1).await;
            assert_eq!(kinds(&settled(&nodes, &heard).await), [vec![SignedOut], vec![]], "{trouble:?}");
        }
    }
}

#[tokio::test]
async fn a_sign_in_that_the_store_did_not_take_is_not_reported() {
    for (nodes, heard) in both_kinds(1, |layer| layer).await {
        nodes.node(0).store.trouble(Op::Create, Trouble::Fails);
        let mut browser = nodes.at(0);
        browser.forget_cookies("");
        assert_ne!(soon(browser.sign_in(&nodes.osc)).await.status(), StatusCode::SEE_OTHER);
        nodes.node(0).store.mend();
        assert_eq!(settled(&nodes, &heard).await, [[]]);
        assert_eq!(nodes.osc.count(Endpoint::Revoke), 1);
    }
}

#[tokio::test]
async fn an_expired_session_is_reported_once_by_one_of_the_nodes_that_had_it() {
    let idle = |layer: OscAuthLayerBuilder| layer.idle_timeout(10 * MINUTE);
    let absolute = |layer: OscAuthLayerBuilder| layer.idle_timeout(60 * MINUTE).absolute_timeout(12 * MINUTE);
    for configure in [idle, absolute] {
        for (nodes, heard) in both_kinds(3, configure).await {
            nodes.warm_up().await;
            sweep(&nodes, 9).await;
            assert!(heard.iter().all(|heard| heard.now().is_empty()));
            sweep(&nodes, 5).await;
            let events = settled(&nodes, &heard).await.concat();
            assert_eq!(events.len(), 1, "{events:?}");
            assert_eq!((events[0].kind(), user_id(&events[0])), (Ended(EndReason::Expired), Some("ada")));
            assert_eq!(nodes.fetch(0).await.status(), StatusCode::UNAUTHORIZED);
        }
    }
}

#[tokio::test]
async fn a_session_that_is_used_at_another_node_is_not_reported_as_expired() {
    for (nodes, heard) in both_kinds(2, |layer| layer.idle_timeout(10 * MINUTE)).await {
        nodes.warm_up().await;
        for _ in 0..5 {
            sweep(&nodes, 5).await;
            let touches = nodes.node(1).store.count(Op::Touch);
            nodes.token(1).await;
            soon(nodes.node(1).store.asked(Op::Touch, touches + 1)).await;
        }
        assert_eq!(nodes.node(0).sessions(), 0, "this node dropped its copy");
        assert!(heard.iter().all(|heard| heard.now().is_empty()));
        sweep(&nodes, 20).await;
        assert_eq!(kinds(&settled(&nodes, &heard).await), [vec![], vec![Ended(EndReason::Expired)]]);
    }
}

#[tokio::test]
async fn a_request_that_finds_the_record_gone_tells_of_the_expiry() {
    for (nodes, heard) in both_kinds(2, |layer| layer.idle_timeout(10 * MINUTE)).await {
        nodes.warm_up().await;
        nodes.pass(14 * MINUTE);
        for at in [1, 0] {
            assert_eq!(nodes.fetch(at).await.status(), StatusCode::UNAUTHORIZED);
        }
        sign_out(&nodes, 1).await;
        let events = settled(&nodes, &heard).await.concat();
        assert_eq!(kinds(&[events]), [[Ended(EndReason::Expired)]]);
    }
}

#[tokio::test]
async fn a_copy_that_has_to_make_room_ends_nothing() {
    for (nodes, heard) in both_kinds(2, |layer| layer.max_sessions(1)).await {
        nodes.another(0).await;
        assert_eq!(heard[0].kinds(1).await, [SignedIn]);
        nodes.token(0).await;
        assert_eq!(settled(&nodes, &heard).await[0].len(), 1);
    }
}
