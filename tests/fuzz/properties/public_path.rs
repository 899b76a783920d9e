use std::sync::LazyLock;

use http::uri::PathAndQuery;

use super::{layer, percent_decoded};
use crate::OscAuthLayer;

const EXACT: [&str; 3] = ["/", "/about", "/caf%C3%A9"];
const PREFIXES: [&str; 3] = ["/static", "/api/v1", "/a%20b"];

/// Input: the target of a request. If its path is public, every reading of it by a router, proxy or file server is public too.
pub fn public_path(data: &[u8]) {
    static LAYER: LazyLock<OscAuthLayer> = LazyLock::new(|| {
        layer(|builder| {
            let builder = EXACT.into_iter().fold(builder, |builder, path| builder.public_path(path));
            PREFIXES.into_iter().fold(builder, |builder, prefix| builder.public_prefix(prefix))
        })
    });
    let Ok(target) = PathAndQuery::try_from(data) else { return };
    let path = target.path();
    if !LAYER.auth.config.public_paths.matches(path) {
        return;
    }
    for reading in 0..READINGS {
        let read = read(path.as_bytes(), reading);
        assert!(
            is_public(&read, reading),
            "{path:?} is public, and may be read as {:?}",
            read.escape_ascii().to_string()
        );
    }
}

/// The readings decode the path not at all, once or twice, and combine seven habits of readers.
const READINGS: u16 = 3 << 7;

fn read(path: &[u8], reading: u16) -> Vec<u8> {
    let has = |habit: u8| reading & (1 << habit) != 0;
    let mut path = path.to_vec();
    for _ in 0..reading >> 7 {
        path = percent_decoded(&path);
        if has(6) {
            path = normalised(&path);
        }
    }
    if has(0) {
        // URL parsers (WHATWG) drop these bytes. Strings in C end at a zero.
        path.retain(|byte| !b"\t\n\r".contains(byte));
        let end = path.iter().position(|byte| b"?#\0".contains(byte));
        path.truncate(end.unwrap_or(path.len()));
    }
    if has(1) {
        path.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    }
    if has(5) {
        path.make_ascii_lowercase();
    }
    let mut segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').skip(1).collect();
    if has(2) {
        let parameters = |segment: &&[u8]| segment.iter().position(|byte| *byte == b';');
        segments
            .iter_mut()
            .for_each(|segment| *segment = &segment[..parameters(segment).unwrap_or(segment.len())]);
    }
    if has(3) {
        let last = segments.len().saturating_sub(1);
        let mut at = 0;
        segments.retain(|segment| {
            at += 1;
            !segment.is_empty() || at > last
        });
    }
    if has(4) {
        segments = without_dots(&segments);
    }
    segments.iter().flat_map(|segment| [b"/", *segment].concat()).collect()
}

/// Normalises a small part of what UAX #15 does: maps fullwidth forms to ASCII, and drops invisible characters.
pub(super) fn normalised(path: &[u8]) -> Vec<u8> {
    let normal = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        '\u{2024}' | '\u{fe52}' => Some('.'),
        '\u{2044}' | '\u{2215}' => Some('/'),
        '\u{200b}'..='\u{200f}' | '\u{3164}' | '\u{feff}' | '\u{ad}' => None,
        c => Some(c),
    };
    String::from_utf8_lossy(path).chars().filter_map(normal).collect::<String>().into_bytes()
}

/// Removes dot segments (RFC 3986 §5.2.4).
fn without_dots<'p>(segments: &[&'p [u8]]) -> Vec<&'p [u8]> {
    let mut kept = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        match *segment {
            b"." | b".." => {
                if *segment == b".." {
                    kept.pop();
                }
                if at + 1 == segments.len() {
                    kept.push(&b""[..]);
                }
            }
            segment => kept.push(segment),
        }
    }
    kept
}

fn is_public(path: &[u8], reading: u16) -> bool {
    let read = |public: &str| read(public.as_bytes(), reading);
    EXACT.iter().any(|public| read(public) == path)
        || PREFIXES.iter().any(|prefix| {
            path.strip_prefix(&read(prefix)[..]).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
}
