//! Anonymous clients that flood the app.

use std::sync::Arc;

use futures_util::future::join_all;
use http::Method;
use osc_tests::Browser;

use crate::crowd::{Crowd, SESSION_COOKIE};

/// The number of clients at a time.
const STRANGERS: usize = 16;

#[derive(Clone, Copy, Debug)]
enum Attack {
    SignIn,
    /// With a made-up cookie of a pending sign-in.
    SignInAgain,
    Callback,
    CallbackWithCookie,
    Session,
}

const ATTACKS: [Attack; 5] =
    [Attack::SignIn, Attack::SignInAgain, Attack::Callback, Attack::CallbackWithCookie, Attack::Session];

/// Sends `requests` requests and checks that each gets a stranger's answer.
pub(crate) async fn flood(crowd: &Arc<Crowd>, requests: usize) {
    let each = requests / STRANGERS;
    let strangers = (0..STRANGERS).map(|stranger| {
        let crowd = crowd.clone();
        tokio::spawn(async move {
            let mut browser = crowd.browser();
            for turn in 0..each {
                attack(&crowd, &mut browser, ATTACKS[turn % ATTACKS.len()], stranger * each + turn).await;
            }
        })
    });
    for ended in join_all(strangers).await {
        if let Err(panic) = ended {
            crowd.tally.strange.note(format!("a stranger: {panic}"));
        }
    }
}

async fn attack(crowd: &Crowd, browser: &mut Browser, attack: Attack, number: usize) {
    let pending = format!("{SESSION_COOKIE}_signin_AAAAAAAA");
    // An id has 43 characters of base64url.
    let made_up = format!("{number:A<43}");
    let callback = format!("/auth/callback?state=AAAAAAAA{made_up}&code={made_up}");
    let (path, cookie, expected) = match attack {
        Attack::SignIn => ("/auth/signin?return_to=/dashboard", None, 303),
        Attack::SignInAgain => ("/auth/signin", Some(pending.as_str()), 303),
        Attack::Callback => (callback.as_str(), None, 400),
        Attack::CallbackWithCookie => (callback.as_str(), Some(pending.as_str()), 400),
        Attack::Session => ("/api/balance", Some(SESSION_COOKIE), 401),
    };
    browser.forget_cookies("");
    if let Some(name) = cookie {
        browser.set_cookie(name, &made_up);
    }
    let answer = browser.send(Method::GET, path, &[("accept", "application/json")]).await;
    if answer.status().as_u16() != expected {
        crowd.tally.strange.note(format!("{attack:?}: {answer:?}"));
    }
}
