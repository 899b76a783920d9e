//! The sessions of a user whose browsers use different nodes.

use futures_util::FutureExt;
use http::StatusCode;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::store::{SessionStore, Swap, Version};
use osc_auth_layer::test_util::TestToken;
use osc_auth_layer::{SessionErrorKind, SessionInfo};
use osc_tests::{Browser, EXPIRED, Nodes, Op, Trouble, holds, soon, token_of};

use super::{assert_refused, both_kinds};

async fn assert_over(nodes: &Nodes, browser: &Browser, at: usize) {
    assert_refused(&soon(nodes.send(browser, at).fetch("/")).await, "unauthenticated");
}

#[tokio::test]
async fn s85_a_session_ended_at_one_node_is_over_at_all_as_fast_as_a_sign_out() {
    for nodes in both_kinds(3).await {
        let other = nodes.another(1).await;
        nodes.warm_up().await;
        let ended = nodes.session_of(&other, 2).await;
        let this = nodes.token(0).await.session();

        assert!(soon(this.end(&ended.id())).await.expect("it ends"));

        for at in [1, 2, 0] {
            assert_over(&nodes, &other, at).await;
            nodes.token(at).await;
        }
        assert_eq!(soon(ended.token()).await.unwrap_err().kind(), SessionErrorKind::Ended);
        nodes.settle().await;
        assert_eq!((nodes.osc.count(Endpoint::Revoke), nodes.osc.live_refresh_tokens()), (1, 1));
    }
}

#[tokio::test]
async fn s85_the_node_that_next_meets_the_cookie_revokes_the_grant_of_an_ended_session_once() {
    for nodes in both_kinds(3).await {
        let other = nodes.another(1).await;
        nodes.pass(EXPIRED);
        nodes.session_of(&other, 1).await;
        nodes.settle_leases().await;
        let newest = nodes.osc.issued_tokens().pop().expect("a token");
        let this = nodes.token(0).await.session();
        soon(this.sign_out_everywhere()).await.expect("they end");
        // Node 2 knows neither session.
        assert_over(&nodes, &nodes.at(2), 2).await;
        for _ in 0..2 {
            assert_over(&nodes, &other, 2).await;
            assert_over(&nodes, &other, 1).await;
        }
        nodes.settle().await;
        let revoked = nodes.osc.requests(Endpoint::Revoke);
        let of_other = revoked.iter().filter(|request| request.field("token") == Some(&newest));
        assert_eq!((revoked.len(), of_other.count()), (2, 1));
        assert_eq!((nodes.osc.live_refresh_tokens(), nodes.store.sessions()), (0, 0));
    }
}

#[tokio::test]
async fn s85_a_node_that_knows_a_session_revokes_its_grant_as_soon_as_it_ends_it() {
    for nodes in both_kinds(2).await {
        let other = nodes.another(1).await;
        let id = nodes.session_of(&other, 0).await.id();
        let this = nodes.token(0).await.session();
        assert!(soon(this.end(&id)).await.expect("it ends"));
        nodes.settle().await;
        assert_eq!((nodes.osc.count(Endpoint::Revoke), nodes.osc.live_refresh_tokens()), (1, 1));
    }
}

#[tokio::test]
async fn s85_a_session_ends_although_it_is_refreshed_at_the_same_time() {
    for nodes in both_kinds(2).await {
        let other = nodes.another(1).await;
        let id = nodes.session_of(&other, 1).await.id();
        let this = nodes.token(0).await.session();
        nodes.pass(EXPIRED);
        nodes.token(0).await;
        nodes.settle_leases().await;
        let hold = nodes.node(0).store.hold(Op::Mark);
        let ending = tokio::spawn(async move { this.end(&id).await });
        soon(nodes.node(0).store.asked(Op::Mark, 1)).await;
        nodes.session_of(&other, 1).await;
        hold.release();
        assert!(soon(ending).await.expect("no panic").expect("it ends"));
        assert_over(&nodes, &other, 1).await;
    }
}

#[tokio::test]
async fn a_session_after_its_absolute_timeout_is_not_in_the_list() {
    let day = 24 * EXPIRED;
    let short =
        |layer: osc_auth_layer::OscAuthLayerBuilder| layer.idle_timeout(3 * day).absolute_timeout(4 * day);
    let nodes: Nodes = Nodes::with(MockOsc::builder(), true, 2, short).await.sign_in().await;
    nodes.pass(2 * day);
    let other = nodes.another(1).await;
    nodes.token(0).await;
    let session = nodes.session_of(&other, 1).await;
    assert_eq!(soon(session.list()).await.expect("a list").len(), 2);
    nodes.pass(2 * day + EXPIRED);
    assert_eq!(soon(session.list()).await.expect("a list").len(), 1);
}

#[tokio::test]
async fn s30_a_refresh_finishing_after_its_session_was_ended_elsewhere_is_revoked() {
    for nodes in both_kinds(2).await {
        let other = nodes.another(1).await;
        let id = nodes.session_of(&other, 1).await.id();
        let this = nodes.token(0).await.session();
        nodes.pass(EXPIRED);
        nodes.token(0).await;
        nodes.settle_leases().await;
        let hold = nodes.osc.hold(Endpoint::Token);
        let mut at_work = nodes.send(&other, 1);
        let request = tokio::spawn(async move { at_work.fetch("/").await });
        soon(hold.arrived(1)).await;

        assert!(soon(this.end(&id)).await.expect("it ends"));
        hold.release();

        assert_refused(&soon(request).await.expect("no panic"), "unauthenticated");
        nodes.settle().await;
        assert_eq!(nodes.osc.live_refresh_tokens(), 1, "that of the session that did not end");
    }
}

#[tokio::test]
async fn s86_while_the_store_is_down_nothing_is_listed_or_ended_and_a_second_try_succeeds() {
    let nodes = Nodes::notified(2).await;
    let other = nodes.another(1).await;
    let this = nodes.token(0).await.session();
    let id = nodes.session_of(&other, 1).await.id();
    let unavailable = SessionErrorKind::Unavailable;
    for op in [Op::Members, Op::Read, Op::Mark] {
        nodes.node(0).store.trouble(op, Trouble::Fails);
        assert_eq!(soon(this.end(&id)).await.unwrap_err().kind(), unavailable, "{op:?}");
        assert_eq!(soon(this.sign_out_everywhere()).await.unwrap_err().kind(), unavailable, "{op:?}");
        if op != Op::Mark {
            assert_eq!(soon(this.list()).await.unwrap_err().kind(), unavailable, "{op:?}");
        }
        nodes.node(0).store.mend();
    }
    assert_eq!(soon(this.list()).await.expect("a list").len(), 2);
    assert_eq!(nodes.session_of(&other, 1).await.id(), id);
    soon(this.sign_out_everywhere()).await.expect("they end");
    assert_over(&nodes, &other, 1).await;
    assert_over(&nodes, &nodes.at(0), 0).await;
}

#[tokio::test]
async fn s86_a_record_that_cannot_be_read_hides_and_saves_no_other_session() {
    let nodes = Nodes::notified(2).await;
    let others = [nodes.another(1).await, nodes.another(1).await, nodes.another(1).await];
    let this = nodes.token(0).await.session();
    let store = &nodes.node(0).store;
    store.trouble_next(Op::Read, Trouble::Fails, 1);
    let listed = soon(this.list()).await.expect("a list");
    // The order of the reads is random. The list does not need the record of its own session.
    assert!(listed.len() >= 3 && listed.iter().any(SessionInfo::is_this), "{listed:?}");
    store.trouble_next(Op::Read, Trouble::Fails, 1);
    assert_eq!(soon(this.sign_out_everywhere()).await.unwrap_err().kind(), SessionErrorKind::Unavailable);
    let mut alive = 0;
    for other in &others {
        alive += usize::from(token_of(&soon(nodes.send(other, 1).fetch("/")).await).is_some());
    }
    assert!(alive <= 1, "{alive} of three did not end");
    nodes.token(0).await;
    soon(this.sign_out_everywhere()).await.expect("they end");
    for other in &others {
        assert_over(&nodes, other, 1).await;
    }
}

#[tokio::test]
async fn s85_a_user_who_closes_the_tab_is_signed_out_everywhere_all_the_same() {
    for nodes in both_kinds(2).await {
        let other = nodes.another(1).await;
        let this = nodes.token(0).await.session();
        let hold = nodes.node(0).store.hold(Op::Members);
        let mut leaving = Box::pin(this.sign_out_everywhere());
        assert!(leaving.as_mut().now_or_never().is_none());
        soon(nodes.node(0).store.asked(Op::Members, 1)).await;
        drop(leaving);
        hold.release();
        nodes.settle().await;
        assert_over(&nodes, &other, 1).await;
        assert_over(&nodes, &nodes.at(0), 0).await;
    }
}

#[tokio::test]
async fn s86_a_session_whose_refresh_was_refused_is_not_in_the_list() {
    for nodes in both_kinds(2).await {
        let other = nodes.another(1).await;
        nodes.osc.revoke_refresh_tokens();
        nodes.pass(EXPIRED);
        assert_refused(&soon(nodes.send(&other, 1).fetch("/")).await, "session_ended");
        let third = nodes.another(0).await;
        let session = nodes.session_of(&third, 0).await;
        let infos = soon(session.list()).await.expect("a list");
        let own = infos.iter().filter(|info| info.is_this()).count();
        assert_eq!((infos.len(), own), (2, 1), "this one, and one whose refusal nobody knows yet");
    }
}

#[tokio::test]
async fn s86_an_administrator_ends_what_a_node_holds_although_its_group_has_another_key() {
    let mut keys = [vec![1; 32], vec![2; 32]].into_iter();
    let nodes =
        Nodes::with(MockOsc::builder(), true, 2, |layer| layer.cookie_key(keys.next().expect("a key")));
    let nodes: Nodes = nodes.await.sign_in().await;
    let key = nodes.token(1).await.user().and_then(|user| user.key()).expect("a key");
    let of_user = nodes.node(1).layer.sessions_of(key);
    soon(of_user.end_all()).await.expect("they end");
    assert_over(&nodes, &nodes.at(0), 0).await;
}

#[tokio::test]
async fn s85_a_node_that_saw_the_end_refuses_the_session_although_the_store_is_set_back() {
    for nodes in both_kinds(2).await {
        let other = nodes.another(1).await;
        let ended = nodes.session_of(&other, 1).await;
        let snapshot = nodes.store.snapshot();
        let this = nodes.token(0).await.session();
        assert!(soon(this.end(&ended.id())).await.expect("it ends"));
        assert_over(&nodes, &other, 1).await;
        nodes.store.restore(&snapshot);
        assert_over(&nodes, &other, 1).await;
    }
}

#[tokio::test]
async fn s86_after_a_change_of_cookie_keys_the_old_key_still_finds_the_sessions() {
    let osc = || MockOsc::builder();
    let keys = [vec![vec![1; 32]], vec![vec![2; 32], vec![1; 32]], vec![vec![3; 32]]];
    let mut keys = keys.into_iter();
    let nodes = Nodes::with(osc(), true, 3, |layer| {
        keys.next().expect("a key").into_iter().fold(layer, |layer, key: Vec<u8>| layer.cookie_key(key))
    });
    let nodes: Nodes = nodes.await.sign_in().await;
    let newer = nodes.another(1).await;
    let older = nodes.another(0).await;
    let list = async |at| {
        let infos = soon(nodes.token(at).await.session().list()).await.expect("a list");
        infos.iter().map(|info| info.id().to_owned()).collect::<Vec<_>>()
    };
    let newer_id = nodes.session_of(&newer, 1).await.id();
    assert_eq!(list(1).await.len(), 3, "the node has both keys");
    assert_eq!(list(0).await.len(), 2, "this node does not have the newer key");
    let own = nodes.token(0).await.session().id();
    assert_eq!(list(2).await, [own], "a node without the keys lists the session that asks");
    let session = nodes.token(1).await.session();
    assert!(soon(session.end(&newer_id)).await.expect("it ends"));
    assert_over(&nodes, &newer, 0).await;
    soon(session.sign_out_everywhere()).await.expect("they end");
    assert_over(&nodes, &older, 0).await;
}

#[tokio::test]
async fn s87_the_store_tells_nobody_who_a_user_is() {
    for nodes in both_kinds(1).await {
        let mut grace = nodes.at(0);
        grace.forget_cookies("");
        nodes.osc.set_claim("userId", serde_json::json!("grace-hopper"));
        nodes.osc.set_claim("tenantId", serde_json::json!("the-workspace"));
        assert_eq!(soon(grace.sign_in(&nodes.osc)).await.status(), StatusCode::SEE_OTHER);
        let session = nodes.session_of(&grace, 0).await;
        let user = token_of(&soon(grace.fetch("/")).await).and_then(|token| token.user()).expect("a user");
        let infos = soon(session.list()).await.expect("a list");
        let dump = nodes.store.dump();
        let (id, key) = (session.id(), user.key().expect("a key"));
        let label = infos[0].label();
        for secret in ["grace-hopper", "the-workspace", &*key, &user.workspace_key(), &*id, &*label] {
            assert!(!holds(&dump, secret.as_bytes()), "{secret}");
        }
        soon(session.sign_out_everywhere()).await.expect("it ends");
        assert!(!holds(&nodes.store.dump(), key.as_bytes()));
    }
}

#[tokio::test]
async fn s85_an_altered_or_newer_record_of_the_user_ends_as_well() {
    let nodes = Nodes::notified(2).await;
    let names: Vec<String> = {
        nodes.another(0).await;
        nodes.another(0).await;
        nodes.node(0).store.created()
    };
    let this = nodes.token(0).await.session();
    let group = group_of(&nodes, &names).await;
    for (name, value) in names[1..].iter().zip([&b"\x02a newer format"[..], b"\x01\0\xff\xff\xff\xffcut"]) {
        let entry = nodes.store.get(name).await.expect("the store works").entry.expect("a record");
        let swap = Swap {
            expected: Some(entry.version),
            version: Version::from_bytes([9; 16]),
            value,
            expires_in: None,
            group: Some(&group),
        };
        nodes.store.swap(name, swap).await.expect("the store works");
    }
    assert_eq!(soon(this.list()).await.expect("a list").len(), 1, "only what this version can read");
    soon(this.sign_out_everywhere()).await.expect("they end");
    assert_eq!(nodes.store.members(&group).await.expect("the store works"), [""; 0]);
}

/// Returns the group that holds these records.
async fn group_of(nodes: &Nodes, names: &[String]) -> String {
    let group = nodes.node(0).store.group().expect("a group");
    let mut members = nodes.store.members(&group).await.expect("the store works");
    members.sort();
    let mut names = names.to_vec();
    names.sort();
    assert_eq!(members, names);
    group
}

#[tokio::test]
async fn s86_ten_thousand_sessions_of_one_user_are_listed_and_ended() {
    const MANY: usize = 10_000;
    let nodes = Nodes::notified(2).await;
    let token = nodes.token(0).await;
    for _ in 1..MANY {
        nodes.node(1).layer.sign_in_for_test(TestToken::new(token.access_token())).await;
    }
    let session = token.session();
    assert_eq!(soon(session.list()).await.expect("a list").len(), MANY);
    soon(session.sign_out_everywhere()).await.expect("they end");
    assert_eq!(nodes.store.sessions(), 0);
    assert_over(&nodes, &nodes.at(1), 1).await;
}
