//! Keeps the headers of an answer within what proxies accept.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Answer;

/// The most bytes of headers in an answer of the layer. Each header counts with its name and four bytes for separators.
/// nginx refuses an answer whose headers do not fit into 4 KB.
pub(crate) const MOST_HEADERS: usize = 3584;

/// Omits cookie removals until the headers fit into [`MOST_HEADERS`]. The browser sends these cookies again, and the next
/// answer removes them.
pub(crate) fn fit(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    let mut total = total(headers);
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

/// Adds the first of `values` that fits beside the headers that `answer` has. The last must be short.
pub(super) fn insert_fitting(answer: &mut Answer, name: HeaderName, values: impl Iterator<Item = String>) {
    let room = MOST_HEADERS.saturating_sub(total(answer.headers()) + name.as_str().len() + 4);
    let mut values = values.peekable();
    while let Some(value) = values.next() {
        if value.len() <= room || values.peek().is_none() {
            return insert(answer.headers_mut(), name, &value);
        }
    }
}

fn total(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| size(name, value)).sum()
}

fn size(name: &HeaderName, value: &HeaderValue) -> usize {
    name.as_str().len() + value.len() + 4
}

pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => _ = headers.append(name, value),
        Err(_) => tracing::error!(
            %name,
            "The layer left out a header, because its value holds invalid characters. Check the configured paths and URLs."
        ),
    }
}
