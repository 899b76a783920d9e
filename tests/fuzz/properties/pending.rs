use std::sync::LazyLock;

use http::header;
use serde_json::Value;
use tower_cookies::{Cookie, Cookies};

use super::{NOW_MILLIS, PUBLIC_URL, layer};
use crate::OscAuthLayer;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::endpoints::pending::{NewSignIn, PendingCookies, PendingSignIn};
use crate::endpoints::state::{self, Parties, State};
use crate::response::see_other;

const SESSION_COOKIE: &str = "__Host-osc_session";
pub(super) const TAG: &str = "tagtagta";
pub(super) const NAME: &str = "__Host-osc_session_signin_tagtagta";
/// The cookie of the sealed states below: a secret, no evicted sign-in, no page.
pub(super) const COOKIE: &str = "secretsecretsecretsecr..";

/// Input: a kind, and then one of these:
///
/// - changes to the `state` and the cookie of a pending sign-in;
/// - the plain text of a `state`;
/// - the parts of a new sign-in.
///
/// A `state` opens only if it was sealed with this key for these parties, and only together with its cookie. A new sign-in comes back
/// unchanged.
pub fn pending_cookie(data: &[u8]) {
    static LAYER: LazyLock<OscAuthLayer> = LazyLock::new(|| layer(|builder| builder.public_url(PUBLIC_URL)));
    let Some((kind, data)) = data.split_first() else { return };
    let (cookies, config) = (Cookies::default(), &LAYER.auth.config);
    let pending =
        PendingCookies { cookies: &cookies, config, session_cookie: SESSION_COOKIE, foreign_bytes: 0 };
    match kind % 3 {
        0 => altered(&pending, data),
        1 => opened(&pending, data),
        _ => begun(&pending, data),
    }
}

/// Seals `plain` for the cookie [`COOKIE`] called [`NAME`].
pub(super) fn sealed(config: &Config, parties: Parties<'_>, plain: &str) -> String {
    State::sealed_for_test(&config.cookie_keys, parties, TAG, plain)
}

pub(super) fn plain(client_id: &str) -> String {
    let binding = crate::endpoints::pending::binding_for_test(COOKIE);
    serde_json::json!({ "b": binding, "t": NOW_MILLIS, "n": 0, "p": 1, "e": false, "c": client_id, "r": "/" })
        .to_string()
}

const PARTIES: Parties<'_> =
    Parties { issuer: "https://id.example", redirect_uri: "https://app.example/auth/callback" };

fn found(pending: &PendingCookies<'_>, text: &str) -> Option<PendingSignIn> {
    let state = State::open(&pending.config.cookie_keys, PARTIES, text)?;
    pending.find(&state, PARTIES.redirect_uri.to_owned())
}

/// Changes both by pairs of bytes: a position in one after the other, and the change at it.
fn altered(pending: &PendingCookies<'_>, changes: &[u8]) {
    let state = sealed(pending.config, PARTIES, &plain("cli"));
    pending.cookies.add(Cookie::new(NAME, COOKIE));
    assert!(found(pending, &state).is_some());
    let both = format!("{state}{COOKIE}");
    let mut bytes = both.clone().into_bytes();
    for change in changes.chunks_exact(2) {
        let at = usize::from(change[0]) % bytes.len();
        bytes[at] ^= change[1] & 0x7f;
    }
    let altered = String::from_utf8(bytes).expect("ASCII stays ASCII");
    let (text, cookie) = altered.split_at(state.len());
    pending.cookies.add(Cookie::new(NAME, cookie.to_owned()));
    assert_eq!(found(pending, text).is_none(), altered != both);

    pending.cookies.add(Cookie::new(NAME, COOKIE));
    for parties in
        [Parties { issuer: "https://other.example", ..PARTIES }, Parties { redirect_uri: "x", ..PARTIES }]
    {
        assert!(State::open(&pending.config.cookie_keys, parties, &state).is_none(), "sealed for others");
    }
    let renamed = state.replacen(TAG, "gattagta", 1);
    pending.cookies.add(Cookie::new(NAME.replace(TAG, "gattagta"), COOKIE));
    assert!(found(pending, &renamed).is_none(), "sealed for another name");
}

fn opened(pending: &PendingCookies<'_>, plain: &[u8]) {
    let Ok(plain) = std::str::from_utf8(plain) else { return };
    pending.cookies.add(Cookie::new(NAME, COOKIE));
    for text in [plain, &format!("{TAG}{plain}"), &format!("{TAG}{plain}{}", "A".repeat(43))] {
        assert!(State::open(&pending.config.cookie_keys, PARTIES, text).is_none(), "what nobody sealed");
    }
    let text = sealed(pending.config, PARTIES, plain);
    let json: Value = serde_json::from_str(plain).unwrap_or_default();
    let Some(state) = State::open(&pending.config.cookie_keys, PARTIES, &text) else { return };
    assert_eq!(json["b"].as_str(), Some(&*state.carried.binding));
    let now = Timestamp::from_millis(NOW_MILLIS);
    assert_eq!(state.has_expired(now), state.expires_at() <= now);
    let is_bound = json["b"].as_str() == Some(&*crate::endpoints::pending::binding_for_test(COOKIE));
    let found = pending.find(&state, PARTIES.redirect_uri.to_owned());
    assert_eq!(found.is_some(), is_bound);
    let Some(found) = found else { return };
    assert_eq!(found.verifier.expose().len(), 43);
    let page = found.return_to.as_deref().unwrap_or("/");
    let answer = see_other(page);
    assert!(answer.headers().get(header::LOCATION).is_none_or(|location| location == page));
    pending.finish(TAG);
    assert!(!pending.has(TAG));
}

/// Reads the parts from lines: issuer, client, redirect URI, `return_to`, and the time it began.
fn begun(pending: &PendingCookies<'_>, lines: &[u8]) {
    let Ok(text) = std::str::from_utf8(lines) else { return };
    let mut lines = text.splitn(5, '\n').map(str::to_owned);
    let mut line = || lines.next().unwrap_or_default();
    let (issuer, client_id, redirect_uri, return_to, began_at) = (line(), line(), line(), line(), line());
    let began_at = Timestamp::from_millis(began_at.parse().unwrap_or(NOW_MILLIS));
    let is_cookie_text = return_to.bytes().all(|byte| byte.is_ascii_graphic());
    let parties = Parties { issuer: &issuer, redirect_uri: &redirect_uri };
    let new = NewSignIn {
        parties,
        client_id: &client_id,
        iss_due: text.len() % 2 == 0,
        // The check of `return_to` lets no other text through.
        return_to: Some(&*return_to).filter(|page| is_cookie_text && !page.is_empty()),
        restarts: 0,
        process: 1,
        now: began_at,
        room: 3000,
    };
    let (one, other) = (pending.begin(&new), pending.begin(&new));
    let (state, other_state) = (one.state.clone(), other.state.clone());
    assert_ne!(one.challenge, other.challenge);
    pending.add(one);
    let opened = |text: &str| State::open(&pending.config.cookie_keys, parties, text);
    let is_short = Value::from(&*client_id).to_string().len() < 100;
    assert!(state.len() <= state::LONGEST || !is_short, "{}", state.len());
    let Some(opened_state) = opened(&state) else { return assert!(!is_short) };
    let found = pending.find(&opened_state, redirect_uri.clone()).expect("what was just begun is found");
    assert_eq!((&found.state.carried.client_id, &found.redirect_uri), (&client_id, &redirect_uri));
    assert_eq!(found.state.carried.iss_due, new.iss_due);
    let path = return_to.split(['?', '#']).next().filter(|_| new.return_to.is_some());
    assert!(
        found.return_to.as_deref() == new.return_to
            || found.return_to.as_deref() == path
            || return_to.len() > 1000
    );
    assert_eq!(found.state.expires_at(), began_at.plus(std::time::Duration::from_secs(600)));
    let other_state = opened(&other_state).expect("it is as long");
    pending.add(other);
    assert!(pending.find(&other_state, redirect_uri.clone()).is_some(), "the newest is found");
    // Sign-ins with long pages share cookies.
    let shares = other_state.tag == found.state.tag;
    assert!(!shares || found.return_to.is_some_and(|page| page.len() > 400));
    let first = opened(&state).and_then(|state| pending.find(&state, redirect_uri.clone()));
    assert_eq!(first.is_some(), !shares, "tabs do not disturb each other");
    let tag = found.state.tag.clone();
    pending.finish(&tag);
    assert!(!pending.has(&tag));
}
