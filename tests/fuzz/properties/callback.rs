use std::convert::Infallible;
use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use memchr::memmem;
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tower::{Layer, ServiceExt, service_fn};

use super::pending::{COOKIE, NAME, plain, sealed};
use super::query::parameters;
use super::{CLIENT_ID, ISSUER, PUBLIC_URL, cookie_pairs, is_pending_name, layer, runtime};
use crate::OscAuthLayer;
use crate::clock::Timestamp;
use crate::endpoints::state::Parties;

/// Input: a callback's query, then one `Cookie` header a line. [`STATE`] stands for the `state` of a sign-in that this browser began,
/// `$PENDING` for the cookie that it got then.
///
/// The layer asks the provider for tokens only if state, cookie and issuer belong to that sign-in. Without tokens there is no
/// session.
pub fn callback(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let stage = STAGE.lock();
    let query = replaced(lines.next().unwrap_or_default(), STATE, &stage.state);
    let Ok(uri) = Uri::try_from([&b"/auth/callback?"[..], &query].concat()) else { return };
    let header = |line| HeaderValue::from_bytes(&replaced(line, b"$PENDING", COOKIE)).ok();
    let cookies = lines.filter_map(header).map(|line| (header::COOKIE, line));
    let cookies: HeaderMap = cookies.collect();
    let is_due = is_answer(uri.query().unwrap_or_default(), &stage.state) && is_the_browser(&cookies);
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

/// A placeholder, because a sealed `state` differs in each run.
const STATE: &[u8] = b"tagtagtaAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const SESSION: &str = "__Host-osc_session";

struct Stage {
    layer: OscAuthLayer,
    runtime: Runtime,
    state: String,
}

static STAGE: LazyLock<Mutex<Stage>> = LazyLock::new(|| {
    let layer = layer(|builder| builder.public_url(PUBLIC_URL));
    let parties = Parties { issuer: ISSUER, redirect_uri: &format!("{PUBLIC_URL}/auth/callback") };
    let state = sealed(&layer.auth.config, parties, &plain(CLIENT_ID));
    Mutex::new(Stage { layer, runtime: runtime(), state })
});

fn replaced(text: &[u8], placeholder: &[u8], by: &str) -> Vec<u8> {
    match memmem::find(text, placeholder) {
        Some(at) => {
            let rest = replaced(&text[at + placeholder.len()..], placeholder, by);
            [&text[..at], by.as_bytes(), &rest].concat()
        }
        None => text.to_vec(),
    }
}

/// Checks the parameters as RFC 6749 §4.1.2 and RFC 9207 §2.4 say.
fn is_answer(query: &str, state: &str) -> bool {
    let Some(parameters) = parameters(query) else { return false };
    let is = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
    is("state") == Some(state)
        && is("iss").is_none_or(|iss| iss == ISSUER)
        && is("error").is_none()
        && is("code").is_some()
}

fn is_the_browser(cookies: &HeaderMap) -> bool {
    let pairs = cookie_pairs(cookies);
    let is_ours = |name: &[u8]| name == SESSION.as_bytes() || is_pending_name(name, SESSION);
    let ours: Vec<_> = pairs.into_iter().filter(|(name, _)| is_ours(name)).collect();
    let is_once = |name: &[u8]| ours.iter().filter(|(other, _)| *other == name).count() == 1;
    let value = ours.iter().find(|(name, _)| *name == NAME.as_bytes()).map(|(_, value)| *value);
    ours.iter().all(|(name, value)| is_once(name) && value.len() <= crate::request::cookie::LONGEST)
        && value.is_some_and(|value| super::percent_decoded(value) == COOKIE.as_bytes())
}
