//! The bytes of a session's record in the store.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | the number of the format |
//! | 1 | 0 for a session that has not ended, 1 or 2 for its ending, or 3 for a mark. Nothing follows an ending. |
//! | 4 | the length of the header |
//! | … | the header: what the nodes need to agree on the refresh. It is readable, but cannot be altered. |
//! | 4 | the length of the summary |
//! | … | the summary: what a list of the user's sessions shows, sealed under the cookie key |
//! | … | the body: the tokens, sealed under the session's own key |
//! | 16 | in a marked record, the version that the body is sealed to |
//!
//! A node without a session's id cannot open the record, but it can end the session by a mark. The tokens stay in the record for a
//! node that meets the cookie, and so can open it and revoke the grant.

use super::record::Ending;
use crate::store::{StoreError, Version};

const FORMAT: u8 = 1;
const LIVE: u8 = 0;
const SIGNED_OUT: u8 = 1;
const DROPPED: u8 = 2;
const MARKED: u8 = 3;

/// A session's record, split into its parts.
#[derive(Debug, PartialEq)]
pub(super) enum Layout<'v> {
    Ended(Ending),
    Held(Parts<'v>),
}

#[derive(Debug, PartialEq)]
pub(super) struct Parts<'v> {
    pub(super) header: &'v [u8],
    pub(super) summary: &'v [u8],
    pub(super) body: &'v [u8],
    /// The version that the body of a marked record is sealed to. `None` if the record is not marked.
    pub(super) marked: Option<Version>,
}

/// The reason that this node cannot use a record.
#[derive(Debug, PartialEq)]
pub(super) enum Unreadable {
    /// A newer version of the layer wrote it.
    Newer,
    /// It was altered, or belongs to another session or app.
    Altered,
}

impl From<Unreadable> for StoreError {
    fn from(unreadable: Unreadable) -> Self {
        Self::new(match unreadable {
            Unreadable::Newer => "a newer version of osc-auth-layer wrote a session record; update this node",
            Unreadable::Altered => "a session record cannot be decrypted",
        })
    }
}

/// Returns the value that stands for an ended session.
pub(super) fn ended(ending: Ending) -> [u8; 2] {
    match ending {
        Ending::SignedOut => [FORMAT, SIGNED_OUT],
        Ending::Dropped => [FORMAT, DROPPED],
    }
}

/// Returns the value of a session that has not ended.
pub(super) fn live(header: &[u8], summary: &[u8], body: &[u8]) -> Vec<u8> {
    [&[FORMAT, LIVE], &length(header)[..], header, &length(summary), summary, body].concat()
}

fn length(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).expect("no part has 4 GB").to_be_bytes()
}

/// Marks a value as ended. Returns `None` if it has ended already. A value that this version cannot read just ends.
pub(super) fn marked(value: &[u8], version: Version) -> Option<Vec<u8>> {
    match split(value) {
        Ok(Layout::Ended(_) | Layout::Held(Parts { marked: Some(_), .. })) => None,
        Ok(Layout::Held(_)) => Some([&[FORMAT, MARKED], &value[2..], version.as_bytes()].concat()),
        Err(_) => Some(ended(Ending::SignedOut).to_vec()),
    }
}

pub(super) fn split(value: &[u8]) -> Result<Layout<'_>, Unreadable> {
    let (rest, marked) = match value {
        [FORMAT, SIGNED_OUT, ..] => return Ok(Layout::Ended(Ending::SignedOut)),
        [FORMAT, DROPPED, ..] => return Ok(Layout::Ended(Ending::Dropped)),
        [FORMAT, LIVE, rest @ ..] => (rest, None),
        [FORMAT, MARKED, rest @ ..] => {
            let (rest, version) = rest.split_last_chunk::<16>().ok_or(Unreadable::Altered)?;
            (rest, Some(Version::from_bytes(*version)))
        }
        [FORMAT, _, ..] => return Err(Unreadable::Newer),
        [format, ..] if *format > FORMAT => return Err(Unreadable::Newer),
        _ => return Err(Unreadable::Altered),
    };
    let (header, rest) = part(rest)?;
    let (summary, body) = part(rest)?;
    Ok(Layout::Held(Parts { header, summary, body, marked }))
}

/// Splits off a part, which has its length in front.
fn part(bytes: &[u8]) -> Result<(&[u8], &[u8]), Unreadable> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(Unreadable::Altered)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Unreadable::Altered)?;
    rest.split_at_checked(length).ok_or(Unreadable::Altered)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: Version = Version::from_bytes([7; 16]);

    #[test]
    fn a_mark_keeps_every_part_and_the_version_of_the_body() {
        let value = live(b"header", b"summary", b"body");
        let parts = |marked| {
            Ok(Layout::Held(Parts { header: b"header", summary: b"summary", body: b"body", marked }))
        };
        assert_eq!(split(&value), parts(None));
        let marked = marked(&value, VERSION).unwrap();
        assert_eq!(split(&marked), parts(Some(VERSION)));
        assert_eq!(super::marked(&marked, VERSION), None);
    }

    #[test]
    fn an_ended_record_is_not_marked_and_an_unreadable_one_ends() {
        for ending in [Ending::SignedOut, Ending::Dropped] {
            assert_eq!(split(&ended(ending)), Ok(Layout::Ended(ending)));
            assert_eq!(marked(&ended(ending), VERSION), None);
        }
        for (value, unreadable) in [
            (&[2, 0, 0, 0][..], Unreadable::Newer),
            (&[1, 4], Unreadable::Newer),
            (&[], Unreadable::Altered),
            (&[0, 0], Unreadable::Altered),
            (&[1, 0, 0, 9, 1], Unreadable::Altered),
            (&[1, 0, 0, 0, 0, 9, 1], Unreadable::Altered),
            (&[1, 0, 255, 255, 255, 255, 1], Unreadable::Altered),
            (&[1, 0, 0, 0, 0, 1, 1, 0], Unreadable::Altered),
            (&[1, 3, 0, 0, 0, 0, 0, 0, 0, 0], Unreadable::Altered),
        ] {
            assert_eq!(split(value), Err(unreadable));
            assert_eq!(marked(value, VERSION).as_deref(), Some(&ended(Ending::SignedOut)[..]));
        }
    }
}
