//! Selects the cookies that the layer's own endpoints read.

use std::collections::HashSet;

use http::{HeaderMap, HeaderValue, header};

use super::{BadCookie, LONGEST};

/// The part of a pending sign-in's cookie name between the session cookie's name and the tag.
const PENDING: &str = "_signin_";
/// The length of a tag: six bytes in base64url, enough to tell a browser's pending sign-ins apart.
pub(crate) const TAG: usize = 8;
/// The most pending sign-ins that are read for one request. The layer leaves a browser four. Tabs that sign in at the same moment
/// can leave more, and each may remember a sign-in that had to make room.
const MOST_PENDING: usize = 32;

/// Returns the name of the cookie that holds the pending sign-in with this tag.
pub(crate) fn pending_name(session: &str, tag: &str) -> String {
    format!("{session}{PENDING}{tag}")
}

/// HTTP/2 counts each cookie as a header with a name and 32 bytes (RFC 9113 §6.5.2).
pub(crate) const BESIDE_EACH: usize = 38;

/// The cookies of a request that an endpoint reads.
#[derive(Debug)]
pub(crate) struct Ours {
    /// The session cookie and the pending sign-ins. `None` if there are none.
    pub(crate) header: Option<HeaderValue>,
    /// The bytes of all other cookies, as HTTP/2 counts them.
    pub(crate) foreign_bytes: usize,
}

/// Reduces a request's cookies to the session cookie and, if `pending` is `Some`, up to 32 pending sign-ins. A pending
/// sign-in with the tag in `pending` is always among them.
///
/// Compares raw names. `tower-cookies` percent-decodes names, so it would accept a foreign `%5F_Host-…` as the layer's.
///
/// # Errors
/// One of the layer's cookies is duplicate or oversized, even if it is not among those that are kept.
pub(crate) fn only_ours(
    headers: &HeaderMap,
    session: &str,
    pending: Option<Option<&str>>,
) -> Result<Ours, BadCookie> {
    let (mut names, mut too_long) = (HashSet::new(), None);
    let (mut ours, mut room, mut foreign_bytes) = (String::new(), MOST_PENDING, 0);
    for header in headers.get_all(header::COOKIE) {
        for pair in header.as_bytes().split(|byte| *byte == b';') {
            let pair = pair.trim_ascii();
            let Some(at) = memchr::memchr(b'=', pair) else { continue };
            let (name, value) = (&pair[..at], pair[at + 1..].trim_ascii());
            let Some(kind) = OurName::parse(name, session) else {
                foreign_bytes += pair.len() + BESIDE_EACH;
                continue;
            };
            if !names.insert(name) {
                return Err(BadCookie::Duplicate(String::from_utf8_lossy(name).into_owned()));
            }
            if value.len() > LONGEST {
                too_long = Some(name);
            }
            if let OurName::Pending(tag) = kind
                && pending != Some(Some(tag))
            {
                if room == 0 || pending.is_none() {
                    foreign_bytes += pair.len() + BESIDE_EACH;
                    continue;
                }
                room -= 1;
            }
            // A value that is not text counts as a duplicate, as on the app's paths, but is not read.
            let Ok(pair) = str::from_utf8(pair) else { continue };
            ours.push_str(if ours.is_empty() { "" } else { "; " });
            ours.push_str(pair);
        }
    }
    if let Some(name) = too_long {
        return Err(BadCookie::TooLong(String::from_utf8_lossy(name).into_owned()));
    }
    // Parts of header values are valid in a header again.
    let header = HeaderValue::from_str(&ours).ok().filter(|_| !ours.is_empty());
    Ok(Ours { header, foreign_bytes })
}

/// The name of one of the layer's cookies.
enum OurName<'n> {
    Session,
    Pending(&'n str),
}

impl<'n> OurName<'n> {
    fn parse(name: &'n [u8], session: &str) -> Option<Self> {
        let rest = name.strip_prefix(session.as_bytes())?;
        if rest.is_empty() {
            return Some(Self::Session);
        }
        let tag = rest.strip_prefix(PENDING.as_bytes())?;
        let is_tag = (1..=TAG).contains(&tag.len()) && tag.iter().copied().all(is_name_byte);
        str::from_utf8(tag).ok().filter(|_| is_tag).map(Self::Pending)
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
