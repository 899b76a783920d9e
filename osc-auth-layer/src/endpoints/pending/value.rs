//! The value of a pending sign-in's cookie.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::request::cookie::TAG;
use crate::secret::{Secret, random_token};

/// The most evicted sign-ins that a browser remembers.
const MOST_EVICTED: usize = 24;

/// The letters that stand, after a `*`, for characters that a cookie cannot hold (RFC 6265 §4.1.1) or that have a meaning here.
const ESCAPES: [(char, char); 6] = [('!', '0'), ('*', '1'), ('"', '2'), (',', '3'), (';', '4'), ('\\', '5')];

/// A secret of the browser, the tags of its evicted sign-ins, and the page to return to if that does not fit into the `state`.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) secret: Secret,
    evicted: Vec<String>,
    pub(super) return_to: Option<String>,
}

impl Value {
    pub(super) fn new(return_to: Option<&str>) -> Self {
        let return_to = return_to.map(str::to_owned);
        Self { secret: Secret::new(random_token::<16>()), evicted: Vec::new(), return_to }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (secret, rest) = text.split_once('.')?;
        let (evicted, return_to) = rest.split_once('.')?;
        let evicted = evicted.as_bytes().chunks(TAG).map(|tag| String::from_utf8_lossy(tag).into_owned());
        let return_to = (!return_to.is_empty()).then(|| unescaped(return_to));
        Some(Self { secret: Secret::new(secret), evicted: evicted.collect(), return_to })
    }

    pub(super) fn text(&self) -> String {
        let return_to = self.return_to.as_deref().map(escaped).unwrap_or_default();
        format!("{}.{}.{return_to}", self.secret.expose(), self.evicted.concat())
    }

    /// Remembers the newest of these evicted sign-ins, each once. Several cookies may remember the same one, because requests
    /// that cross each displace it.
    pub(super) fn remember<'t>(&mut self, tags: impl Iterator<Item = &'t str>) {
        let mut known = HashSet::new();
        let new = tags.filter(|tag| tag.len() == TAG && known.insert(*tag));
        self.evicted = new.take(MOST_EVICTED).map(str::to_owned).collect();
    }

    /// Returns the value of a finished sign-in, if there is anything to remember.
    pub(super) fn finished(self) -> Option<Self> {
        (!self.evicted.is_empty()).then(|| Self { secret: Secret::new(""), return_to: None, ..self })
    }

    /// Returns true if the sign-in is over, and its cookie only remembers those that it displaced.
    pub(super) fn is_finished(&self) -> bool {
        self.secret.expose().is_empty()
    }

    pub(super) fn evicted(&self) -> impl Iterator<Item = &str> {
        self.evicted.iter().map(String::as_str)
    }
}

/// Returns a hash that binds a `state` to the text of a cookie: 128 bits.
pub(super) fn binding(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..16])
}

/// Writes a page's address for a cookie. A `%` becomes a `!`, because parsers of cookies decode percent-escapes.
fn escaped(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    for c in page.chars() {
        match ESCAPES.iter().find(|(plain, _)| *plain == c) {
            Some((_, letter)) => text.extend(['*', *letter]),
            None => text.push(if c == '%' { '!' } else { c }),
        }
    }
    text
}

fn unescaped(text: &str) -> String {
    let (mut page, mut rest) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = rest.next() {
        match c {
            '!' => page.push('%'),
            '*' => {
                let letter = rest.next();
                let plain = ESCAPES.iter().find(|(_, escape)| Some(*escape) == letter);
                page.extend(plain.map(|(plain, _)| *plain));
            }
            c => page.push(c),
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_survives_the_cookie() {
        let all: String = ('!'..='~').collect();
        for page in ["/", "/a%2Fb?x=!*\"*0,;\\&y=100%25#top", "/%%%", "/!*", &format!("/{all}")] {
            let text = Value::new(Some(page)).text();
            assert!(
                text.bytes().all(|byte| byte.is_ascii_graphic() && !b"%\",;\\".contains(&byte)),
                "{text}"
            );
            assert_eq!(Value::parse(&text).unwrap().return_to.as_deref(), Some(page));
        }
    }

    #[test]
    fn a_value_remembers_the_first_tags_of_the_right_length() {
        let mut value = Value::new(None);
        let tags: Vec<_> = (0..30).map(|n| format!("{n:08}")).collect();
        value.remember(["short"].into_iter().chain(tags.iter().map(String::as_str)));
        let parsed = Value::parse(&value.text()).unwrap();
        assert_eq!(parsed.evicted().collect::<Vec<_>>(), &tags[..MOST_EVICTED]);
        assert!(parsed.return_to.is_none());
    }

    #[test]
    fn a_tag_that_several_values_remember_takes_one_place() {
        let mut value = Value::new(None);
        let tags: Vec<_> = (0..MOST_EVICTED).map(|n| format!("{n:08}")).collect();
        value.remember(["00000000"; MOST_EVICTED].into_iter().chain(tags.iter().map(String::as_str)));
        assert_eq!(value.evicted().collect::<Vec<_>>(), tags);
    }

    #[test]
    fn text_without_its_parts_is_no_value() {
        for text in ["", "a", "a.b"] {
            assert!(Value::parse(text).is_none(), "{text}");
        }
    }
}
