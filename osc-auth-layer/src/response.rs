//! Makes every answer that the layer gives by itself: its status, its headers and its text.

mod facts;
mod headers;
mod refusal;
mod refused;
pub(crate) mod return_to;
mod texts;
mod ways;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

pub(crate) use self::facts::Facts;
pub(crate) use self::headers::{MOST_HEADERS, fit};
use self::headers::{insert, insert_fitting};
use self::refusal::{GrpcStatus, Kind};
pub(crate) use self::refusal::{Refusal, RequestProblem, StateProblem};
pub(crate) use self::refused::Refused;
pub use self::refused::RequestHead;
use self::texts::Texts;
use self::ways::ways;
use crate::config::Config;
use crate::meter;
use crate::pages::{Page, PageAction};
use crate::request::kind::{Htmx, RequestKind};

/// The headers that decide the kind of a request.
const VARY: &str = "Cookie, Accept, Content-Type, Sec-Fetch-Mode, Sec-Fetch-Dest, Upgrade-Insecure-Requests, HX-Request, \
                    HX-Boosted, HX-History-Restore-Request, Turbo-Frame";
/// The headers that decide about a page.
const VARY_OF_PAGES: &str = "Cookie, Accept, Accept-Language, Content-Type, Sec-Fetch-Mode, Sec-Fetch-Dest, \
                             Upgrade-Insecure-Requests, HX-Request, HX-Boosted, HX-History-Restore-Request, Turbo-Frame";
const HX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");
const HX_RESWAP: HeaderName = HeaderName::from_static("hx-reswap");

/// An answer of the layer, before it becomes a `Response<ResponseBody<B>>`.
pub(crate) type Answer = Response<Bytes>;

/// Makes the answer to a refused request.
pub(crate) fn answer(config: &Config, facts: &Facts, refusal: Refusal) -> Answer {
    let needs_signin = refusal.needs_signin();
    let kind = refusal.kind(config.outage_status);
    let (error, offers_signin) = (kind.error, kind.offers_signin);
    let mut response = match (&facts.kind, &refusal) {
        (RequestKind::Navigation, _) if config.redirect_to_signin && needs_signin && facts.is_read => {
            redirect_to_signin(facts)
        }
        (RequestKind::EventStream, Refusal::TemporarilyUnavailable { retry_after, .. }) => {
            empty_stream(*retry_after)
        }
        _ => explained(config, facts, kind, &refusal),
    };
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge(facts, offers_signin));
    }
    match facts.kind {
        // htmx heeds this with any status, and opens the sign-in in the window.
        RequestKind::Htmx(_) if needs_signin || facts.is_signin => {
            insert_fitting(&mut response, HX_REDIRECT, facts.signin_links());
        }
        // htmx 4 shows the body of an error. JSON must not replace a part of the page.
        RequestKind::Htmx(Htmx::Part | Htmx::Boosted) => {
            response.headers_mut().insert(HX_RESWAP, HeaderValue::from_static("none"));
        }
        _ => {}
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
        Refusal::TemporarilyUnavailable { retry_after, .. } => {
            insert(headers, header::RETRY_AFTER, &seconds(retry_after).to_string());
        }
        Refusal::MethodNotAllowed { allow } => insert(headers, header::ALLOW, allow.as_str()),
        _ => {}
    }
    meter::answered(error, response.status());
    fit(facts.close_if_unread(response))
}

/// Rounds up, so that a retry at exactly this time is not too early.
fn seconds(retry_after: Duration) -> u128 {
    retry_after.as_millis().div_ceil(1000).max(1)
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

/// Explains a refusal in the form that the reader understands.
fn explained(config: &Config, facts: &Facts, kind: Kind, refusal: &Refusal) -> Answer {
    match &facts.kind {
        RequestKind::Navigation => page_answer(config, facts, kind, refusal, None),
        RequestKind::Turbo { frame } => page_answer(config, facts, kind, refusal, frame.clone()),
        // htmx 2 would ignore any other status, and show the old page under the new address.
        RequestKind::Htmx(Htmx::Restore) => {
            page_answer(config, facts, Kind { status: StatusCode::OK, ..kind }, refusal, None)
        }
        RequestKind::Grpc(content_type) => {
            let description = Texts::for_programs().description(refusal, facts.is_write);
            trailers_only(content_type.clone(), kind.grpc, &description)
        }
        RequestKind::Htmx(Htmx::Part | Htmx::Boosted)
        | RequestKind::EventStream
        | RequestKind::Background => {
            let description = Texts::for_programs().description(refusal, facts.is_write);
            let mut json = json!({ "error": kind.error, "error_description": description });
            if kind.offers_signin {
                json["signin"] = facts.signin_link().into();
            }
            json_answer(kind.status, &json)
        }
    }
}

fn page_answer(
    config: &Config,
    facts: &Facts,
    kind: Kind,
    refusal: &Refusal,
    turbo_frame: Option<String>,
) -> Answer {
    let pages = &config.pages;
    let texts = Texts::for_people(facts.language, pages.app_name.as_deref());
    let home = pages.home(&facts.base_path);
    let ways = ways(refusal, facts, &home).into_iter().enumerate();
    let actions = ways.map(|(at, (label, href))| {
        let label = texts.label(label, refusal);
        PageAction { label, href, is_primary: at == 0 }
    });
    let page = Page {
        error: kind.error,
        status: kind.status,
        language: facts.language,
        title: texts.title(refusal),
        description: texts.description(refusal, facts.is_write),
        actions: actions.collect(),
        app_name: pages.app_name.clone(),
        home,
        turbo_frame,
        keeps_fragment: kind.offers_signin && facts.keeps_fragment(),
    };
    let (html, policy) = pages.render(&page);
    let mut response = own(page.status, html);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(page.language.tag()));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    // All policies of a response hold (CSP 3 §8.1), so one of the app's cannot allow frames. With a `frame-ancestors` of its own,
    // browsers would ignore `X-Frame-Options`.
    headers.append(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::VARY, HeaderValue::from_static(VARY_OF_PAGES));
    response
}

pub(crate) fn json_answer(status: StatusCode, json: &Value) -> Answer {
    let mut response = own(status, json.to_string());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Makes gRPC's answer without messages. Its trailers are headers, in gRPC-Web too, and the HTTP status is always 200.
fn trailers_only(content_type: HeaderValue, status: GrpcStatus, description: &str) -> Answer {
    const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');
    let mut response = own(StatusCode::OK, Bytes::new());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(HeaderName::from_static("grpc-status"), (status as u16).into());
    let message = utf8_percent_encode(description, ESCAPED).to_string();
    insert(headers, HeaderName::from_static("grpc-message"), &message);
    response
}

/// Makes an event stream that ends at once, and tells the browser when to connect again.
fn empty_stream(retry_after: Duration) -> Answer {
    let milliseconds = seconds(retry_after) * 1000;
    let mut response = own(StatusCode::OK, format!("retry: {milliseconds}\n\n"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn redirect_to_signin(facts: &Facts) -> Answer {
    let mut response = own(StatusCode::SEE_OTHER, Bytes::new());
    // `*` covers all names of `VARY`. They would take room that a long address needs.
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("*"));
    insert_fitting(&mut response, header::LOCATION, facts.signin_links());
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
    headers.insert(header::VARY, HeaderValue::from_static(VARY));
    response
}

#[cfg(test)]
mod tests;
