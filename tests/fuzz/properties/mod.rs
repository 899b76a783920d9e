//! Properties of the code that reads foreign bytes. Each property is one function over bytes. It panics if it does not hold.
//!
//! The fuzz targets in the repository's `tests/fuzz` call these functions. The unit tests call them too, with input that is
//! nearly valid and with the corpora of the targets. Most properties are a second implementation, slow and obvious, that must
//! give the same result.

// Public only with `cfg(fuzzing)`, for the fuzz targets.
#![allow(unreachable_pub)]

mod callback;
mod metadata;
mod pending;
mod public_path;
mod query;
mod record;
#[cfg(feature = "redis")]
mod redis_answer;
mod return_to;
mod session_cookie;
mod token_answer;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use self::callback::callback;
pub use self::metadata::metadata;
pub use self::pending::pending_cookie;
pub use self::public_path::public_path;
pub use self::query::callback_query;
pub use self::record::record;
#[cfg(feature = "redis")]
pub use self::redis_answer::redis_answer;
pub use self::return_to::return_to;
pub use self::session_cookie::session_cookie;
pub use self::token_answer::token_answer;
use crate::{Clock, OAuthClient, OscAuthLayer, OscAuthLayerBuilder};

const CLIENT_ID: &str = "cli";
/// Nothing listens at this address, so a request to the provider fails at once.
const ISSUER: &str = "http://127.0.0.1:1";
const PUBLIC_URL: &str = "https://app.example";

fn layer(configure: impl FnOnce(OscAuthLayerBuilder) -> OscAuthLayerBuilder) -> OscAuthLayer {
    let builder = OscAuthLayer::builder(OAuthClient::public(CLIENT_ID))
        .issuer(ISSUER)
        .cookie_key([7; 32])
        .clock(StandingClock);
    configure(builder).build().expect("a valid configuration")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A clock that stands still: the same input gives the same result at any time.
struct StandingClock;

const NOW_MILLIS: u64 = 1_700_000_000_000;

impl Clock for StandingClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(NOW_MILLIS)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Decodes percent-escapes. A `%` that begins no escape stays as it is.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.extend(u8::try_from(high * 16 + low));
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

/// Splits the cookies of a request into names and values at semicolons (RFC 6265 §5.4).
fn cookie_pairs(headers: &http::HeaderMap) -> Vec<(&[u8], &[u8])> {
    let mut pairs = Vec::new();
    for header in headers.get_all(http::header::COOKIE) {
        for pair in header.as_bytes().split(|byte| *byte == b';') {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                pairs.push((name.trim_ascii_start(), value.trim_ascii()));
            }
        }
    }
    pairs
}

/// Returns true for the name of a pending sign-in's cookie, if the session cookie is called `session`.
fn is_pending_name(name: &[u8], session: &str) -> bool {
    let tag = name.strip_prefix(format!("{session}_signin_").as_bytes()).unwrap_or_default();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    (1..=8).contains(&tag.len()) && tag.iter().all(is_plain)
}
