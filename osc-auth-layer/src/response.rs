//! Makes every answer that the layer gives by itself: its status, its headers and its text.

mod facts;
mod page;
mod refusal;
pub(crate) mod return_to;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

pub(crate) use self::facts::Facts;
use self::refusal::Kind;
pub(crate) use self::refusal::{Refusal, StateProblem};
use crate::config::Config;

/// The most bytes of headers in an answer of the layer. Each header counts with its name and four bytes for separators.
/// nginx refuses an answer whose headers do not fit into 4 KB.
pub(crate) const MOST_HEADERS: usize = 3584;

/// An answer of the layer, before it becomes a `Response<ResponseBody<B>>`.
pub(crate) type Answer = Response<Bytes>;

/// Makes the answer to a refused request.
pub(crate) fn answer(config: &Config, facts: &Facts, refusal: Refusal) -> Answer {
    let kind = refusal.kind(config.outage_status);
    let needs_signin = matches!(refusal, Refusal::Unauthenticated | Refusal::SessionEnded);
    let mut response = if config.redirect_to_signin && needs_signin && facts.is_navigation && facts.is_safe {
        see_other(&facts.signin_link())
    } else {
        page_or_json(facts, kind, &refusal.description())
    };
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge(facts, kind.2));
    }
    let headers = response.headers_mut();
    match refusal {
        Refusal::SessionEnded => {
            let removal = config.cookies.removal(facts.session_cookie.clone());
            insert(headers, header::SET_COOKIE, &removal.to_string());
        }
        // Only the layer can repair this. Scripts cannot see the cookie, and users do not know where to look for it.
        Refusal::BadCookie(bad) => {
            for removal in config.cookies.removals(bad.name(), &facts.path) {
                insert(headers, header::SET_COOKIE, &removal.to_string());
            }
        }
        Refusal::TemporarilyUnavailable { retry_after } => {
            // Rounded up, so that a retry at exactly this time is not too early.
            let seconds = retry_after.as_millis().div_ceil(1000).max(1);
            insert(headers, header::RETRY_AFTER, &seconds.to_string());
        }
        Refusal::MethodNotAllowed { allow } => insert(headers, header::ALLOW, allow.as_str()),
        _ => {}
    }
    fit(response)
}

/// Omits cookie removals until the headers fit into [`MOST_HEADERS`]. The browser sends these cookies again, and the next
/// answer removes them.
pub(crate) fn fit(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    let mut total: usize = headers.iter().map(|(name, value)| size(name, value)).sum();
    if total <= MOST_HEADERS {
        return answer;
    }
    if let header::Entry::Occupied(cookies) = headers.entry(header::SET_COOKIE) {
        let (name, cookies) = cookies.remove_entry_mult();
        let cookies: Vec<_> = cookies.collect();
        for cookie in cookies {
            let is_removal = memchr::memmem::find(cookie.as_bytes(), b"; Max-Age=0").is_some();
            if total > MOST_HEADERS && is_removal {
                total -= size(&name, &cookie);
            } else {
                headers.append(&name, cookie);
            }
        }
    }
    if total > MOST_HEADERS {
        tracing::error!(
            bytes = total,
            "The headers of an answer take more than 3.5 KB, which a proxy may refuse. Shorten the public URL, the \
             layer's paths or the scopes."
        );
    }
    answer
}

fn size(name: &HeaderName, value: &HeaderValue) -> usize {
    name.as_str().len() + value.len() + 4
}

/// Returns the challenge that every 401 needs (RFC 9110 §11.6.1). It names the cookie and, if a sign-in helps, its address.
///
/// A `Bearer` challenge would ask for a token in a header that the layer never reads.
fn challenge(facts: &Facts, offers_signin: bool) -> HeaderValue {
    let mut challenge = format!("Cookie realm=\"osc\", cookie-name=\"{}\"", facts.session_cookie);
    if offers_signin {
        challenge.push_str(&format!(", form-action=\"{}\"", facts.signin));
    }
    HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Cookie realm=\"osc\""))
}

fn page_or_json(facts: &Facts, (error, status, offers_signin): Kind, description: &str) -> Answer {
    let signin = offers_signin.then(|| facts.signin_link());
    if facts.is_navigation {
        let mut response = own(status, page::render(error, description, signin.as_deref()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_SECURITY_POLICY, page::POLICY.clone());
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        return response;
    }
    let mut json = json!({ "error": error, "error_description": description });
    if let Some(signin) = signin {
        json["signin"] = signin.into();
    }
    json_answer(status, &json)
}

pub(crate) fn json_answer(status: StatusCode, json: &Value) -> Answer {
    let mut response = own(status, json.to_string());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Redirects by 303, never 307, so that the browser does not repeat a form's body at the target (RFC 9700 §4.12).
pub(crate) fn see_other(location: &str) -> Answer {
    let mut response = own(StatusCode::SEE_OTHER, Bytes::new());
    insert(response.headers_mut(), header::LOCATION, location);
    response
}

/// Makes an answer with the headers that every answer of the layer has.
///
/// `Referrer-Policy` matters because the callback's URL contains a code. Pages that it leads to must not see the code.
fn own(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::VARY, HeaderValue::from_static("Cookie, Accept, Sec-Fetch-Mode, Sec-Fetch-Dest"));
    response
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => _ = headers.append(name, value),
        Err(_) => tracing::error!(
            %name,
            "The layer left out a header, because its value holds invalid characters. Check the configured paths and URLs."
        ),
    }
}
