//! Keeps pending sign-ins in the browsers that began them. A sealed `state` travels through the provider, and a cookie proves
//! that the browser is the same.
//!
//! The server stores nothing for a pending sign-in. Each one has its own cookie, so tabs do not disturb each other.

mod value;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tower_cookies::Cookies;

use self::value::{Value, binding};
use super::state::{self, Carried, Parties, State};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::request::cookie::{BESIDE_EACH, pending_name};
use crate::response::return_to::path_of;
use crate::secret::{Secret, random_bytes};

/// The time that the cookie stays. An expired sign-in still leads the user to the right page.
const KEPT_FOR: Duration = Duration::from_secs(60 * 60);
/// The most pending sign-ins of a browser.
const MOST: usize = 4;
/// The most that the layer itself began anew.
const MOST_BEGUN_ANEW: usize = 12;
/// The most bytes of all pending sign-ins' cookies. nginx limits a header line to 8 KB.
const MOST_BYTES: usize = 4096;
/// The room for all cookies of a request. Many HTTP/2 servers limit all headers to 16 KB.
const ROOM_FOR_COOKIES: usize = 13_500;
/// The most cookies that one answer removes. Further ones have to make room at the next sign-in.
const MOST_REMOVED: usize = 12;
/// The bytes of a header that removes a cookie.
const REMOVAL: usize = 130;
/// A longer cookie gets one of [`SHARED_TAGS`], so that many tabs with long pages do not fill the headers of all requests.
const LONGEST_OF_ITS_OWN: usize = 640;
/// The tags that the sign-ins with long cookies share. A later one takes the place of an earlier one.
const SHARED_TAGS: [&str; 3] = ["_______-", "______--", "_____-_-"];
/// The room for pending sign-ins if the app's own cookies leave none.
const LEAST_BYTES: usize = 512;

/// A sign-in to begin.
#[derive(Debug)]
pub(crate) struct NewSignIn<'n> {
    pub(crate) parties: Parties<'n>,
    pub(crate) client_id: &'n str,
    pub(crate) iss_due: bool,
    /// The page that the user returns to. `None` for the app's default.
    pub(crate) return_to: Option<&'n str>,
    pub(crate) restarts: u8,
    pub(crate) process: u16,
    pub(crate) now: Timestamp,
    /// The most bytes that `state` and cookie may take together.
    pub(crate) room: usize,
}

/// A sign-in that has begun: what the provider gets, and what the browser gets.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) state: String,
    /// The PKCE challenge by the method `S256` (RFC 7636 §4.2).
    pub(crate) challenge: String,
    tag: String,
    cookie: String,
    /// The tags of the sign-ins whose cookies have to make room.
    evicted: Vec<String>,
}

/// A sign-in that the callback's browser began.
#[derive(Debug)]
pub(crate) struct PendingSignIn {
    pub(crate) state: State,
    pub(crate) verifier: Secret,
    pub(crate) redirect_uri: String,
    pub(crate) return_to: Option<String>,
}

impl PendingSignIn {
    /// Identifies the sign-in. Unguessable.
    pub(crate) fn id(&self) -> &str {
        self.state.id.expose()
    }
}

/// The cookies of one browser's pending sign-ins.
pub(crate) struct PendingCookies<'c> {
    pub(crate) cookies: &'c Cookies,
    pub(crate) config: &'c Config,
    /// The session cookie's name, which every name here starts with.
    pub(crate) session_cookie: &'c str,
    /// The bytes of the request's other cookies.
    pub(crate) foreign_bytes: usize,
}

/// One of the browser's pending sign-ins.
struct Other {
    tag: String,
    bytes: usize,
    value: Option<Value>,
}

impl PendingCookies<'_> {
    /// Begins a sign-in. If the page to return to is too long, only its path counts.
    pub(crate) fn begin(&self, new: &NewSignIn<'_>) -> Begun {
        let mut others = self.others();
        // A sign-in that the layer began anew displaces only its like. The sign-ins that displaced it are still on their way, and
        // would begin anew in turn.
        let is_last = |tag: &str| new.restarts > 0 && is_begun_anew(tag);
        others.sort_by_key(|other| (is_last(&other.tag), age(&other.tag, new.now)));
        let room = ROOM_FOR_COOKIES.saturating_sub(self.foreign_bytes).clamp(LEAST_BYTES, MOST_BYTES);
        let (page, path) = (new.return_to, new.return_to.map(path_of));
        // The `state` is the better place, because it survives the loss of the cookie.
        let places = [(page, None), (path, page), (None, page), (path, None), (None, path)];
        let attempts = places.into_iter().filter(|places| *places != (None, None));
        let mut fitting = attempts.filter_map(|(in_state, in_cookie)| {
            let begun = self.begun(new, &others, room, in_state, in_cookie);
            let bytes = begun.state.len() + begun.cookie.len() + begun.evicted.len() * REMOVAL;
            let fits = bytes <= new.room && begun.state.len() <= state::LONGEST && begun.cookie.len() <= room;
            fits.then_some(begun)
        });
        fitting.next().unwrap_or_else(|| self.begun(new, &others, room, None, None))
    }

    fn begun(
        &self,
        new: &NewSignIn<'_>,
        others: &[Other],
        room: usize,
        in_state: Option<&str>,
        in_cookie: Option<&str>,
    ) -> Begun {
        let mut value = Value::new(in_cookie);
        let evicted = evicted(others, room.saturating_sub(value.text().len()), new.restarts > 0);
        let earlier = evicted.iter().filter_map(|other| other.value.as_ref()).flat_map(Value::evicted);
        value.remember(evicted.iter().map(|other| &*other.tag).chain(earlier));
        let cookie = value.text();
        let tag = match cookie.len() > LONGEST_OF_ITS_OWN {
            true => SHARED_TAGS[usize::from(random_bytes::<1>()[0]) % SHARED_TAGS.len()].to_owned(),
            false => tag_at(new.now, new.restarts > 0),
        };
        let carried = Carried {
            binding: binding(&cookie),
            began_at: new.now,
            restarts: new.restarts,
            process: new.process,
            iss_due: new.iss_due,
            client_id: new.client_id.to_owned(),
            return_to: in_state.map(str::to_owned),
        };
        let (state, text) = State::seal(&self.config.cookie_keys, new.parties, &tag, carried);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(state.verifier(&value.secret).expose()));
        let evicted = evicted.iter().map(|other| other.tag.clone()).collect();
        Begun { state: text, challenge, tag, cookie, evicted }
    }

    /// Gives the browser the cookie of a sign-in, and removes the cookies that have to make room.
    pub(crate) fn add(&self, begun: Begun) {
        for tag in &begun.evicted {
            self.remove(tag);
        }
        self.cookies.add(self.config.cookies.build(self.name(&begun.tag), begun.cookie, KEPT_FOR));
    }

    /// Returns the sign-in of `state`, if this browser began it.
    pub(crate) fn find(&self, state: &State, redirect_uri: String) -> Option<PendingSignIn> {
        let cookie = self.cookies.get(&self.name(&state.tag));
        // The binding covers the whole value. The tag proves nothing, because it is no secret.
        let cookie = cookie.filter(|cookie| binding(cookie.value()) == state.carried.binding);
        let value = Value::parse(cookie?.value())?;
        let verifier = state.verifier(&value.secret);
        let return_to = value.return_to.or_else(|| state.carried.return_to.clone());
        Some(PendingSignIn { state: state.clone(), verifier, redirect_uri, return_to })
    }

    /// Removes a sign-in that is over. Those that it displaced are still on their way, so a cookie remembers their tags until they
    /// have come back. Their requests may carry a session that another tab has just replaced, and then only this cookie helps them.
    pub(crate) fn finish(&self, tag: &str) {
        let name = self.name(tag);
        let value = self.cookies.get(&name).and_then(|cookie| Value::parse(cookie.value()));
        match value.and_then(Value::finished) {
            Some(memory) => self.cookies.add(self.config.cookies.build(name, memory.text(), KEPT_FOR)),
            None => self.remove(tag),
        }
    }

    fn remove(&self, tag: &str) {
        self.cookies.remove(self.config.cookies.removal(self.name(tag)));
    }

    /// Returns true if the browser has a cookie for this tag, whatever is in it.
    pub(crate) fn has(&self, tag: &str) -> bool {
        self.cookies.get(&self.name(tag)).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.others().is_empty()
    }

    /// Returns true if this browser began the sign-in with this tag, and its cookie had to make room for another.
    pub(crate) fn has_evicted(&self, tag: &str) -> bool {
        let others = self.others();
        let mut evicted = others.iter().filter_map(|other| other.value.as_ref()).flat_map(Value::evicted);
        evicted.any(|other| other == tag) || SHARED_TAGS.contains(&tag) && self.has(tag)
    }

    fn name(&self, tag: &str) -> String {
        pending_name(self.session_cookie, tag)
    }

    fn others(&self) -> Vec<Other> {
        let prefix = self.name("");
        let cookies = self.cookies.list().into_iter();
        let others = cookies.filter_map(|cookie| {
            let tag = cookie.name().strip_prefix(&prefix)?.to_owned();
            let bytes = cookie.name().len() + cookie.value().len() + BESIDE_EACH;
            Some(Other { tag, bytes, value: Value::parse(cookie.value()) })
        });
        others.collect()
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) fn binding_for_test(cookie: &str) -> String {
    binding(cookie)
}

/// Returns the least important pending sign-ins of the browser that cannot stay beside a new one. `others` has the most important
/// first. The new one takes over what a finished one remembers.
fn evicted(others: &[Other], room: usize, is_begun_anew: bool) -> Vec<&Other> {
    let mut left = [MOST, MOST_BEGUN_ANEW];
    left[usize::from(is_begun_anew)] -= 1;
    let mut bytes = 0;
    let mut evicted: Vec<_> = others.iter().collect();
    evicted.retain(|other| {
        let left = &mut left[usize::from(self::is_begun_anew(&other.tag))];
        let is_finished = other.value.as_ref().is_some_and(Value::is_finished);
        let stays = !is_finished && *left > 0 && bytes + other.bytes <= room;
        if stays {
            *left -= 1;
            bytes += other.bytes;
        }
        !stays
    });
    evicted.split_off(evicted.len().saturating_sub(MOST_REMOVED))
}

/// Returns a tag that names a sign-in and tells its age: three bytes of the time in milliseconds, and three random bytes. The last
/// bit tells that the layer began the sign-in anew.
fn tag_at(now: Timestamp, is_begun_anew: bool) -> String {
    let [.., a, b, c] = now.as_millis().to_be_bytes();
    let [d, e, f] = random_bytes();
    URL_SAFE_NO_PAD.encode([a, b, c, d, e, f & 0xfe | u8::from(is_begun_anew)])
}

fn is_begun_anew(tag: &str) -> bool {
    let mut bytes = [0; 6];
    URL_SAFE_NO_PAD.decode_slice(tag, &mut bytes) == Ok(6) && bytes[5] & 1 == 1
}

/// Returns the age of a tag in milliseconds. The count starts anew after more than four hours, and a cookie is kept for one.
fn age(tag: &str, now: Timestamp) -> u64 {
    let mut bytes = [0; 6];
    let is_read = URL_SAFE_NO_PAD.decode_slice(tag, &mut bytes) == Ok(6);
    if !is_read || SHARED_TAGS.contains(&tag) {
        return u64::MAX;
    }
    let [a, b, c, ..] = bytes;
    let age = now.as_millis().wrapping_sub(u64::from(u32::from_be_bytes([0, a, b, c]))) & 0xff_ffff;
    // The clocks of two nodes differ, so a new tag may come from the future.
    if age > 0x7f_ffff { 0 } else { age }
}
