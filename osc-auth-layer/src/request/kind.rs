//! Recognises the kind of a request, which decides what form of answer leads its user or program on.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};

/// The longest id of a Turbo frame that an answer repeats.
const LONGEST_FRAME: usize = 256;

/// The kind of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RequestKind {
    /// A navigation of a whole window, made by the browser or passed on by a service worker.
    Navigation,
    /// A request of Turbo that shows the HTML of any answer: a form, or the content of the frame with this id.
    Turbo { frame: Option<String> },
    /// A request of htmx.
    Htmx(Htmx),
    /// A request of `EventSource`, which gives up for good on any status but 200.
    EventStream,
    /// A gRPC or gRPC-Web call. Contains its content type, without parameters.
    Grpc(HeaderValue),
    /// All else: scripts, frames, images and programs.
    Background,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Htmx {
    /// The request changes a part of its page.
    Part,
    /// A boosted link or form, which replaces the page.
    Boosted,
    /// The browser's *Back* to a page that is not cached. htmx 2 reads neither headers nor the body of an error there.
    Restore,
}

impl RequestKind {
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Self {
        let has = |name: &str, expected: &[u8]| value(headers, name) == Some(expected);
        if let Some(content_type) = grpc(headers) {
            return Self::Grpc(content_type);
        }
        // Without Fetch Metadata, the requests of htmx and Turbo look like navigations.
        if has("hx-history-restore-request", b"true") {
            return Self::Htmx(Htmx::Restore);
        }
        if has("hx-request", b"true") {
            return Self::Htmx(if has("hx-boosted", b"true") { Htmx::Boosted } else { Htmx::Part });
        }
        let frame = headers.get("turbo-frame").and_then(|id| id.to_str().ok());
        if let Some(frame) = frame.filter(|id| (1..=LONGEST_FRAME).contains(&id.len())) {
            return Self::Turbo { frame: Some(frame.to_owned()) };
        }
        if !method.is_safe() && accepts(headers, b"text/vnd.turbo-stream.html") {
            return Self::Turbo { frame: None };
        }
        if is_navigation(headers) {
            return Self::Navigation;
        }
        // A program that accepts other types too can read an error.
        let is_stream =
            value(headers, "accept").is_some_and(|accept| essence(accept) == b"text/event-stream");
        if *method == Method::GET && is_stream { Self::EventStream } else { Self::Background }
    }
}

/// Returns true if the browser may load a whole page by this request. Costs no more than a look at two headers.
pub(crate) fn may_load_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request") || accepts(headers, b"text/html")
}

/// Returns true for a navigation of a whole window: if Fetch Metadata says so, or else if the request accepts `text/html`.
fn is_navigation(headers: &HeaderMap) -> bool {
    match (value(headers, "sec-fetch-mode"), value(headers, "sec-fetch-dest")) {
        (None, None) => accepts(headers, b"text/html"),
        // A service worker's `fetch(event.request)` loses the destination, and with changed options the mode becomes
        // `same-origin`. No other request of a browser has both headers.
        (Some(b"navigate" | b"same-origin"), Some(b"empty")) => {
            accepts(headers, b"text/html") && value(headers, "upgrade-insecure-requests") == Some(b"1")
        }
        (mode, dest) => {
            mode.is_none_or(|mode| mode == b"navigate") && dest.is_none_or(|dest| dest == b"document")
        }
    }
}

/// Returns true if the request may open the sign-in: a navigation, or a client without Fetch Metadata.
///
/// Prefetches, frames and scripts may not: the user did not click there, and could not consent.
pub(crate) fn may_sign_in(method: &Method, headers: &HeaderMap) -> bool {
    let is_speculative = ["sec-purpose", "purpose", "x-moz"]
        .into_iter()
        .filter_map(|name| value(headers, name))
        .any(|purpose| purpose.starts_with(b"prefetch") || purpose.starts_with(b"preview"));
    let has_metadata = ["sec-fetch-mode", "sec-fetch-dest"].iter().any(|name| headers.contains_key(*name));
    let may = match RequestKind::of(method, headers) {
        RequestKind::Navigation => true,
        RequestKind::Background => !has_metadata,
        _ => false,
    };
    may && !is_speculative
}

/// Returns the content type of a gRPC call, such as `application/grpc-web+proto`.
fn grpc(headers: &HeaderMap) -> Option<HeaderValue> {
    let content_type = essence(value(headers, CONTENT_TYPE.as_str())?);
    let protocol = content_type.split(|byte| *byte == b'+').next()?;
    matches!(protocol, b"application/grpc" | b"application/grpc-web" | b"application/grpc-web-text")
        .then(|| HeaderValue::from_bytes(content_type).ok())?
}

/// Returns a media type without its parameters.
fn essence(media_type: &[u8]) -> &[u8] {
    media_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

fn accepts(headers: &HeaderMap, media_type: &[u8]) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter();
    accepted.any(|accept| memchr::memmem::find(accept.as_bytes(), media_type).is_some())
}

fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    headers.get(name).map(HeaderValue::as_bytes)
}
