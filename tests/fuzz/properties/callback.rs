use std::convert::Infallible;
use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use memchr::memmem;
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tower::{Layer, ServiceExt, service_fn};

use super::pending::{NAME, STATE, sealed};
use super::query::parameters;
use super::{CLIENT_ID, ISSUER, NOW_MILLIS, PUBLIC_URL, cookie_pairs, is_pending_name, layer, runtime};
use crate::OscAuthLayer;
use crate::clock::Timestamp;

/// Input: a callback's query, then one `Cookie` header a line. `$PENDING` stands for the cookie that this browser got when its
/// sign-in began.
///
/// The layer asks the provider for tokens only if state, cookie and issuer belong to that sign-in. Without tokens there is no
/// session.
pub fn callback(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let target = [b"/auth/callback?", lines.next().unwrap_or_default()].concat();
    let Ok(uri) = Uri::try_from(target) else { return };
    let stage = STAGE.lock();
    let header = |line| HeaderValue::from_bytes(&replaced(line, &stage.pending)).ok();
    let cookies = lines.filter_map(header).map(|line| (header::COOKIE, line));
    let cookies: HeaderMap = cookies.collect();
    let is_due = is_answer(uri.query().unwrap_or_default()) && is_the_browser(&cookies, &stage.pending);
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    *request.headers_mut() = cookies;
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("app.example"));

    let auth = &stage.layer.auth;
    while auth.sweep(Timestamp::from_millis(u64::MAX)) {}
    let app = service_fn(|_: Request<()>| async {
        panic!("the callback is not the app's");
        #[expect(unreachable_code, reason = "the type of its answer")]
        Ok::<_, Infallible>(Response::new(bytes::Bytes::new()))
    });
    let answer = stage.runtime.block_on(stage.layer.layer(app).oneshot(request));
    let Ok(answer) = answer;
    assert_eq!(answer.status() == StatusCode::BAD_GATEWAY, is_due, "{}", answer.status());
    assert!(is_due || answer.status().is_client_error());
    assert_eq!(auth.sessions.table.len(), 0);
    for cookie in answer.headers().get_all(header::SET_COOKIE) {
        let value = cookie.as_bytes().strip_prefix(b"__Host-osc_session=");
        assert!(value.is_none_or(|value| value.starts_with(b";")), "a session");
    }
}

const SESSION: &str = "__Host-osc_session";

struct Stage {
    layer: OscAuthLayer,
    runtime: Runtime,
    pending: String,
}

static STAGE: LazyLock<Mutex<Stage>> = LazyLock::new(|| {
    let layer = layer(|builder| builder.public_url(PUBLIC_URL));
    let plain = serde_json::json!({
        "s": STATE, "v": "v", "i": ISSUER, "c": CLIENT_ID, "u": format!("{PUBLIC_URL}/auth/callback"), "e": false,
        "r": "/", "t": NOW_MILLIS,
    });
    let pending = sealed(&layer.auth.config, NAME, &plain.to_string());
    Mutex::new(Stage { layer, runtime: runtime(), pending })
});

fn replaced(line: &[u8], pending: &str) -> Vec<u8> {
    const PLACEHOLDER: &[u8] = b"$PENDING";
    match memmem::find(line, PLACEHOLDER) {
        Some(at) => {
            [&line[..at], pending.as_bytes(), &replaced(&line[at + PLACEHOLDER.len()..], pending)].concat()
        }
        None => line.to_vec(),
    }
}

/// Checks the parameters as RFC 6749 §4.1.2 and RFC 9207 §2.4 say.
fn is_answer(query: &str) -> bool {
    let Some(parameters) = parameters(query) else { return false };
    let is = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
    is("state") == Some(STATE)
        && is("iss").is_none_or(|iss| iss == ISSUER)
        && is("error").is_none()
        && is("code").is_some()
}

fn is_the_browser(cookies: &HeaderMap, pending: &str) -> bool {
    let pairs = cookie_pairs(cookies);
    let is_ours = |name: &[u8]| name == SESSION.as_bytes() || is_pending_name(name, SESSION);
    let ours: Vec<_> = pairs.into_iter().filter(|(name, _)| is_ours(name)).collect();
    let is_once = |name: &[u8]| ours.iter().filter(|(other, _)| *other == name).count() == 1;
    let value = ours.iter().find(|(name, _)| *name == NAME.as_bytes()).map(|(_, value)| *value);
    ours.iter().all(|(name, value)| is_once(name) && value.len() <= crate::request::cookie::LONGEST)
        && value.is_some_and(|value| super::percent_decoded(value) == pending.as_bytes())
}
