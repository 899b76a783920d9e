use std::convert::Infallible;

use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use tower::{Layer, ServiceExt, service_fn};
use tower_cookies::{CookieManagerLayer, Cookies};

use super::{cookie_pairs, is_pending_name, percent_decoded};
use crate::request::cookie::{CookieMode, LONGEST, only_ours};

/// Input: a kind of name, then one `Cookie` header a line.
///
/// The layer finds the same session as splitting the header does, and refuses two cookies of its name. The cookie parser of
/// the endpoints reads the session and the first 32 pending sign-ins as the raw header has them.
pub fn session_cookie(data: &[u8]) {
    let Some((kind, lines)) = data.split_first() else { return };
    let (mode, name) = match kind % 3 {
        0 => (CookieMode::secure("osc_session"), "__Host-osc_session"),
        1 => (CookieMode::loopback("osc_session", 3000), "osc_session_3000"),
        _ => (CookieMode::any_loopback_port("osc_session"), "osc_session_80"),
    };
    let lines = lines.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers: HeaderMap = lines.map(|line| (header::COOKIE, line)).collect();
    let pairs = cookie_pairs(&headers);

    let found = mode.find_session(&headers, || 80);
    let of_its_name: Vec<_> =
        pairs.iter().filter(|(other, _)| *other == name.as_bytes()).map(|(_, value)| *value).collect();
    match &of_its_name[..] {
        [] => assert_eq!(found, Ok(None)),
        [value] if value.len() <= LONGEST => {
            let id = found.expect("one cookie of this name");
            assert_eq!(
                id.as_ref().map(|id| &id.as_bytes()[..]),
                Some(*value).filter(|value| value.len() == 43)
            );
        }
        _ => assert!(found.is_err(), "two of one name, or too long"),
    }

    let is_pending = |other: &[u8]| is_pending_name(other, name);
    let ours: Vec<_> =
        pairs.into_iter().filter(|(other, _)| *other == name.as_bytes() || is_pending(other)).collect();
    let is_twice =
        ours.iter().enumerate().any(|(n, (name, _))| ours[..n].iter().any(|(other, _)| other == name));
    let is_too_long = ours.iter().any(|(_, value)| value.len() > LONGEST);
    let Ok(passed_on) = only_ours(&headers, name, Some(None)) else {
        assert!(is_twice || is_too_long, "refused without a reason");
        return;
    };
    assert!(!is_twice && !is_too_long, "two of one name, or too long");
    let read = passed_on.header.map(read).unwrap_or_default();
    let mut so_far = 0;
    let mut expected: Vec<_> = ours
        .into_iter()
        .filter(|(other, _)| {
            so_far += usize::from(is_pending(other));
            !is_pending(other) || so_far <= 32
        })
        .filter_map(|(name, value)| {
            // The parser trims all white space of Unicode.
            let value = std::str::from_utf8(value).ok()?.trim().as_bytes();
            Some((String::from_utf8(name.to_vec()).ok()?, String::from_utf8(percent_decoded(value)).ok()?))
        })
        .collect();
    expected.sort();
    assert_eq!(read, expected);
}

/// Reads a header with the cookie parser of the endpoints.
fn read(header: HeaderValue) -> Vec<(String, String)> {
    let list = service_fn(|request: Request<()>| async move {
        let cookies = request.extensions().get::<Cookies>().expect("the layer puts it there").list();
        let pair = |cookie: &tower_cookies::Cookie<'_>| (cookie.name().to_owned(), cookie.value().to_owned());
        Ok::<_, Infallible>(Response::new(cookies.iter().map(pair).collect()))
    });
    let request = Request::get("/").header(header::COOKIE, header).body(()).expect("a valid request");
    let response = CookieManagerLayer::new().layer(list).oneshot(request).now_or_never();
    let Ok(response) = response.expect("it waits for nothing");
    let mut list: Vec<_> = response.into_body();
    list.sort();
    list
}
