use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header;
use serde_json::Value;
use tower_cookies::{Cookie, Cookies};

use super::{NOW_MILLIS, layer};
use crate::OscAuthLayer;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::endpoints::pending::{PendingCookies, PendingSignIn};
use crate::response::see_other;

const SESSION_COOKIE: &str = "__Host-osc_session";
pub(super) const STATE: &str = "tagtagtaAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
pub(super) const NAME: &str = "__Host-osc_session_signin_tagtagta";

/// Input: a kind, and then one of these:
///
/// - changes to the sealed value in the cookie of a pending sign-in;
/// - the plain text in it;
/// - the parts of a new sign-in.
///
/// A value opens only if it was sealed with this key for this name. It then belongs to the state that asked for it. A new
/// sign-in comes back unchanged.
pub fn pending_cookie(data: &[u8]) {
    static LAYER: LazyLock<OscAuthLayer> =
        LazyLock::new(|| layer(|builder| builder.public_url(super::PUBLIC_URL)));
    let Some((kind, data)) = data.split_first() else { return };
    let cookies = Cookies::default();
    let pending =
        PendingCookies { cookies: &cookies, config: &LAYER.auth.config, session_cookie: SESSION_COOKIE };
    match kind % 3 {
        0 => altered(&pending, data),
        1 => opened(&pending, data),
        _ => begun(&pending, data),
    }
}

/// Seals `plain` for a cookie called `name`.
pub(super) fn sealed(config: &Config, name: &str, plain: &str) -> String {
    URL_SAFE_NO_PAD.encode(config.cookie_keys.sealing().seal(plain.as_bytes(), name.as_bytes()))
}

fn seal(pending: &PendingCookies<'_>, name: &str, plain: &str) {
    pending.cookies.add(Cookie::new(name.to_owned(), sealed(pending.config, name, plain)));
}

fn plain(state: &str) -> String {
    serde_json::json!({
        "s": state, "v": "v", "i": "https://id.example", "c": "cli", "u": "https://app.example/auth/callback",
        "e": false, "r": "/", "t": NOW_MILLIS,
    })
    .to_string()
}

/// Changes a value by pairs of bytes: a position, and the change at it.
fn altered(pending: &PendingCookies<'_>, changes: &[u8]) {
    seal(pending, NAME, &plain(STATE));
    assert!(pending.find(STATE).is_some());
    let value = pending.cookies.get(NAME).expect("just added").value().to_owned();
    let mut altered = value.clone().into_bytes();
    for change in changes.chunks_exact(2) {
        let at = usize::from(change[0]) % altered.len();
        altered[at] ^= change[1] & 0x7f;
    }
    let altered = String::from_utf8(altered).expect("ASCII stays ASCII");
    let is_altered = altered != value;
    pending.cookies.add(Cookie::new(NAME, altered));
    assert_eq!(pending.find(STATE).is_none(), is_altered);
    pending.cookies.add(Cookie::new(NAME.replace("tagtagta", "gattagta"), value));
    assert!(pending.find(&STATE.replacen("tagtagta", "gattagta", 1)).is_none(), "sealed for another name");
}

fn opened(pending: &PendingCookies<'_>, plain: &[u8]) {
    let Ok(plain) = std::str::from_utf8(plain) else { return };
    pending.cookies.add(Cookie::new(NAME, plain.to_owned()));
    assert!(pending.find(STATE).is_none(), "what nobody sealed");
    seal(pending, NAME, plain);
    let json: Value = serde_json::from_str(plain).unwrap_or_default();
    let state = json["s"].as_str().unwrap_or(STATE);
    for asked in [state, STATE, "", "tag", "tagtagt\u{e9}", "tagtagta"] {
        let Some(found) = pending.find(asked) else { continue };
        assert_eq!((found.state(), json["s"].as_str()), (asked, Some(asked)));
        let now = Timestamp::from_millis(NOW_MILLIS);
        assert_eq!(found.has_expired(now), found.expires_at() <= now);
        assert_eq!(found.challenge().len(), 43);
        let answer = see_other(&found.return_to);
        let target = found.return_to.as_bytes();
        assert!(answer.headers().get(header::LOCATION).is_none_or(|location| location == target));
        pending.remove(&found);
        assert!(pending.find(asked).is_none());
    }
}

/// Reads the parts from lines: issuer, client, redirect URI, `return_to`, and the time it began.
fn begun(pending: &PendingCookies<'_>, lines: &[u8]) {
    let Ok(text) = std::str::from_utf8(lines) else { return };
    let mut lines = text.splitn(5, '\n').map(str::to_owned);
    let mut line = || lines.next().unwrap_or_default();
    let (issuer, client_id, redirect_uri, return_to, began_at) = (line(), line(), line(), line(), line());
    let began_at = Timestamp::from_millis(began_at.parse().unwrap_or(NOW_MILLIS));
    let iss_due = text.len() % 2 == 0;
    let begin = || {
        let (issuer, client_id) = (issuer.clone(), client_id.clone());
        let (redirect_uri, return_to) = (redirect_uri.clone(), return_to.clone());
        PendingSignIn::begin(issuer, client_id, redirect_uri, iss_due, return_to, began_at)
    };
    let (one, other) = (begin(), begin());
    let (state, verifier) = (one.state().to_owned(), one.verifier.expose().to_owned());
    let other_state = other.state().to_owned();
    pending.add(one, "/");
    pending.add(other, "/");
    let found = pending.find(&state).expect("what was just begun is found");
    assert_eq!(found.state(), state);
    assert_eq!(found.verifier.expose(), verifier);
    assert_eq!((&found.issuer, &found.client_id), (&issuer, &client_id));
    assert_eq!((&found.redirect_uri, found.iss_due), (&redirect_uri, iss_due));
    assert!(found.return_to == return_to || found.return_to == "/");
    assert_eq!(found.expires_at(), began_at.plus(std::time::Duration::from_secs(600)));
    let cookies = pending.cookies.list();
    assert!(cookies.iter().filter(|cookie| cookie.value().len() > 1024).all(|_| found.return_to == "/"));
    assert!(pending.find(&other_state).is_some(), "tabs do not disturb each other");
    pending.remove(&found);
    assert!(pending.find(&state).is_none());
}
