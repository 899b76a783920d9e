//! The sessions of a user: a list, the end of one, and the end of all.

use http::{Method, StatusCode};
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::{Clock, OscSession, SessionErrorKind, SessionInfo};
use osc_tests::{Answer, Browser, EXPIRED, Stage, app, callback, error_of, soon, token_of};
use serde_json::json;

use super::{ada, colleague, jwt, test_token};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Signs in with another browser of the provider's current user.
async fn another(stage: &Stage, user_agent: &str) -> Browser {
    let mut browser = Browser::new(app(&stage.layer));
    let path = callback(&mut browser, &stage.osc).await;
    let answer = browser.send(Method::GET, &path, &[("user-agent", user_agent)]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
    browser
}

async fn fetch(browser: &Browser) -> Answer {
    soon(browser.clone().fetch("/")).await
}

async fn session_of(browser: &Browser) -> OscSession {
    token_of(&fetch(browser).await).expect("a signed-in user").session()
}

async fn list(session: &OscSession) -> Vec<SessionInfo> {
    soon(session.list()).await.expect("a list")
}

fn ids(infos: &[SessionInfo]) -> Vec<String> {
    let mut ids: Vec<_> = infos.iter().map(|info| info.id().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted<const N: usize>(mut ids: [String; N]) -> Vec<String> {
    ids.sort();
    ids.to_vec()
}

/// Returns the browser of a user with this access token, without a sign-in at the provider.
async fn with_token(stage: &Stage, access_token: &str) -> Browser {
    soon(stage.browser_with(test_token(access_token))).await
}

async fn is_signed_in(browser: &Browser) -> bool {
    token_of(&fetch(browser).await).is_some()
}

#[tokio::test]
async fn s85_a_user_lists_their_sessions_in_all_browsers_and_nobody_elses() {
    let stage = Stage::signed_in().await;
    let began = stage.clock.now();
    let minute = std::time::Duration::from_secs(60);
    stage.pass(10 * minute);
    let firefox = another(&stage, FIREFOX).await;
    stage.osc.set_claim("userId", json!("grace"));
    let grace = another(&stage, FIREFOX).await;

    let [this, other] = [session_of(&stage.browser).await, session_of(&firefox).await];
    let infos = list(&this).await;
    assert_eq!(ids(&infos), sorted([this.id(), other.id()]));
    for info in &infos {
        assert_eq!(info.is_this(), info.id() == this.id());
        let (label, at) = match info.is_this() {
            true => ("Unknown device", began),
            false => ("Firefox on Linux", began + 10 * minute),
        };
        assert_eq!(info.label(), label);
        let off = at.max(info.began()).duration_since(at.min(info.began())).expect("ordered");
        assert!(off < minute, "{off:?}");
        assert!(info.last_used() >= info.began());
    }
    assert_eq!(ids(&list(&other).await), ids(&infos), "every session of the user has the same list");
    let grace = session_of(&grace).await;
    assert_eq!(ids(&list(&grace).await), [grace.id()]);
}

#[tokio::test]
async fn s85_a_user_ends_one_of_their_other_sessions() {
    let stage = Stage::signed_in().await;
    let [other, third] = [another(&stage, FIREFOX).await, another(&stage, FIREFOX).await];
    let [this, ended] = [session_of(&stage.browser).await, session_of(&other).await];

    assert!(soon(this.end(&ended.id())).await.expect("it ends"));

    assert_eq!(error_of(&fetch(&other).await), "unauthenticated");
    assert_eq!(soon(ended.token()).await.unwrap_err().kind(), SessionErrorKind::Ended);
    assert!(is_signed_in(&stage.browser).await && is_signed_in(&third).await);
    assert_eq!(list(&this).await.len(), 2);
    assert!(!soon(this.end(&ended.id())).await.expect("it has ended already"));
    assert!(soon(stage.layer.shutdown(EXPIRED)).await.is_ok());
    assert_eq!((stage.osc.count(Endpoint::Revoke), stage.osc.live_refresh_tokens()), (1, 2));
}

#[tokio::test]
async fn s86_a_public_id_of_another_user_ends_nothing() {
    let stage = Stage::signed_in().await;
    stage.osc.set_claim("userId", json!("grace"));
    let grace = another(&stage, FIREFOX).await;
    let (ada, theirs) = (session_of(&stage.browser).await, session_of(&grace).await.id());
    for id in [&*theirs, "", "../..", &"x".repeat(10_000)] {
        assert!(!soon(ada.end(id)).await.expect("an answer"), "{id}");
    }
    let mut thief = stage.browser.clone();
    for cookie in stage.browser.cookies().keys() {
        thief.set_cookie(cookie, &theirs);
    }
    assert!(!is_signed_in(&thief).await, "it is no cookie");
    assert!(is_signed_in(&grace).await);
    soon(ada.sign_out_everywhere()).await.expect("it ends");
    assert!(is_signed_in(&grace).await && !is_signed_in(&stage.browser).await);
}

#[tokio::test]
async fn s85_sign_out_everywhere_ends_all_sessions_of_the_user_and_revokes_their_grants() {
    let stage = Stage::signed_in().await;
    let others = [another(&stage, FIREFOX).await, another(&stage, "").await];
    let session = session_of(&stage.browser).await;
    soon(session.sign_out_everywhere()).await.expect("they end");
    for browser in [&stage.browser, &others[0], &others[1]] {
        assert_eq!(error_of(&fetch(browser).await), "unauthenticated");
    }
    assert_eq!(soon(session.list()).await.unwrap_err().kind(), SessionErrorKind::Ended);
    assert!(soon(stage.layer.shutdown(EXPIRED)).await.is_ok());
    assert_eq!((stage.osc.count(Endpoint::Revoke), stage.osc.live_refresh_tokens()), (3, 0));
}

#[tokio::test]
async fn s86_without_a_users_key_a_session_sees_and_ends_only_itself() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    for token in [colleague(), "opaque".to_owned()] {
        let [one, two] = [with_token(&stage, &token).await, with_token(&stage, &token).await];
        let [this, other] = [session_of(&one).await, session_of(&two).await];
        assert_eq!(ids(&list(&this).await), [this.id()]);
        assert!(!soon(this.end(&other.id())).await.expect("an answer"));
        soon(this.sign_out_everywhere()).await.expect("it ends");
        assert!(is_signed_in(&two).await && !is_signed_in(&one).await);
        assert!(soon(other.end(&other.id())).await.expect("it ends"), "a session may end itself");
        assert!(!is_signed_in(&two).await);
    }
}

#[tokio::test]
async fn s85_an_administrator_lists_and_ends_the_sessions_of_a_key() {
    let stage = Stage::before_sign_in(MockOsc::builder(), |layer| layer).await;
    let browsers = [with_token(&stage, &ada()).await, with_token(&stage, &ada()).await];
    let other = with_token(&stage, &jwt(&json!({ "tenantId": "team", "userId": "ada/x" }))).await;
    let key = token_of(&fetch(&browsers[0]).await).and_then(|token| token.user()?.key()).expect("a key");

    let of_ada = stage.layer.sessions_of(&*key);
    let infos = soon(of_ada.list()).await.expect("a list");
    assert_eq!(infos.len(), 2);
    assert!(infos.iter().all(|info| !info.is_this()));
    for wrong in ["", "ada", &key[1..], &format!("{key}x"), &key.to_uppercase()] {
        assert_eq!(soon(stage.layer.sessions_of(wrong).list()).await.expect("a list"), []);
    }
    assert!(soon(of_ada.end(infos[0].id())).await.expect("it ends"));
    assert_eq!(soon(of_ada.list()).await.expect("a list").len(), 1);
    soon(of_ada.end_all()).await.expect("they end");
    assert_eq!(soon(of_ada.list()).await.expect("a list"), []);
    assert!(!is_signed_in(&browsers[0]).await && !is_signed_in(&browsers[1]).await);
    assert!(is_signed_in(&other).await);
    drop((stage.layer, stage.browser, browsers, other));
    assert_eq!(soon(of_ada.list()).await.unwrap_err().kind(), SessionErrorKind::Ended);
}

#[tokio::test]
async fn s86_nothing_of_a_strange_user_agent_reaches_the_list() {
    let stage = Stage::signed_in().await;
    let controls: String = "\t\u{80}\u{9b}\u{7ff}".repeat(2000);
    assert!(controls.len() > 8192);
    let browser = another(&stage, &controls).await;
    let infos = list(&session_of(&browser).await).await;
    assert!(infos.iter().all(|info| info.label() == "Unknown device"), "{infos:?}");
}

#[tokio::test]
async fn a_session_that_ended_or_expired_is_not_in_the_list() {
    let stage = Stage::signed_in().await;
    let signed_out = another(&stage, FIREFOX).await;
    soon(signed_out.clone().post_from("same-origin", "/auth/signout")).await;
    let replaced = another(&stage, FIREFOX).await;
    let replacing = soon(replaced.clone().sign_in(&stage.osc)).await;
    assert_eq!(replacing.status(), StatusCode::SEE_OTHER);
    let session = session_of(&stage.browser).await;
    assert_eq!(list(&session).await.len(), 2, "this one, and the one that replaced another");
    stage.pass(20 * EXPIRED);
    session_of(&stage.browser).await;
    stage.pass(5 * EXPIRED);
    assert_eq!(ids(&list(&session).await), [session.id()], "the others were idle for a day");
}
