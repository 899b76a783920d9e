//! Keeps the app's answers to one visitor from another one: no shared cache may store them (RFC 9111).

use http::header::{CACHE_CONTROL, Entry, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

static PRIVATE: HeaderValue = HeaderValue::from_static("private");
static COOKIE: HeaderValue = HeaderValue::from_static("Cookie");

/// Says whether the app's answer may depend on the user, or on whether there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    /// The request has a token, so its answer may be for this user only.
    pub(crate) is_personal: bool,
    /// The path is public, so the answer may depend on whether the visitor is signed in.
    pub(crate) is_public: bool,
}

impl Marks {
    /// Adds `Cache-Control: private` and `Vary: Cookie` to the app's answer, where they apply.
    pub(crate) fn mark<B>(self, response: &mut Response<B>) {
        // An upgrade is no answer that could be stored.
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let headers = response.headers_mut();
        if self.is_personal {
            // `s-maxage` allows shared caches to store the answer, as `public` does (RFC 9111 §3.5).
            add_unless(headers, CACHE_CONTROL, &PRIVATE, &["no-store", "private", "public", "s-maxage"]);
        }
        if self.is_public && !lists(headers.get_all(CACHE_CONTROL), &["public"]) {
            add_unless(headers, VARY, &COOKIE, &["cookie", "*"]);
        }
    }
}

/// Adds an item to the header's list, unless the list has one of `names`.
///
/// All items go into one value, because nginx before 1.23 reads only the last `Vary`.
fn add_unless(headers: &mut HeaderMap, header: HeaderName, item: &HeaderValue, names: &[&str]) {
    match headers.entry(header) {
        Entry::Vacant(entry) => _ = entry.insert(item.clone()),
        Entry::Occupied(mut entry) => {
            if !lists(entry.iter(), names) {
                let mut items: Vec<_> = entry.iter().map(HeaderValue::as_bytes).collect();
                items.push(item.as_bytes());
                let list = HeaderValue::from_bytes(&items.join(&b", "[..]));
                entry.insert(list.unwrap_or_else(|_| item.clone()));
            }
        }
    }
}

/// Returns true if one of a header's values lists one of `names`, with or without an argument.
fn lists<'v>(values: impl IntoIterator<Item = &'v HeaderValue>, names: &[&str]) -> bool {
    values.into_iter().any(|value| {
        // A comma in a quoted string separates nothing.
        let mut is_quoted = false;
        let separates = |&byte: &u8| {
            is_quoted ^= byte == b'"';
            byte == b',' && !is_quoted
        };
        value.as_bytes().split(separates).any(|item| {
            let name = item.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
            names.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the values of both headers after marking an answer that has these.
    fn marked(marks: Marks, cache_control: &[&'static str], vary: &[&'static str]) -> [Vec<String>; 2] {
        let mut response = Response::new(());
        let headers = response.headers_mut();
        let given = cache_control.iter().map(|value| (CACHE_CONTROL, value));
        for (name, value) in given.chain(vary.iter().map(|value| (VARY, value))) {
            headers.append(name, HeaderValue::from_static(value));
        }
        marks.mark(&mut response);
        [CACHE_CONTROL, VARY].map(|name| {
            let values = response.headers().get_all(name).into_iter();
            values.map(|value| value.to_str().unwrap().to_owned()).collect()
        })
    }

    const PERSONAL: Marks = Marks { is_personal: true, is_public: false };
    const PUBLIC: Marks = Marks { is_personal: false, is_public: true };
    const BOTH: Marks = Marks { is_personal: true, is_public: true };

    #[test]
    fn an_answer_to_a_user_becomes_private() {
        for (given, expected) in [
            (&[][..], "private"),
            (&["max-age=60"], "max-age=60, private"),
            (&["no-cache", "max-age=60"], "no-cache, max-age=60, private"),
            (&["publicity, s-maxage-not=1, x=private"], "publicity, s-maxage-not=1, x=private, private"),
            (&["x=\"a, public, b\""], "x=\"a, public, b\", private"),
            (&["x=\"public, s-maxage=1"], "x=\"public, s-maxage=1, private"),
        ] {
            assert_eq!(marked(PERSONAL, given, &[]), [vec![expected.to_owned()], vec![]], "{given:?}");
        }
    }

    #[test]
    fn the_apps_own_cache_directives_stay() {
        for given in [
            &["public"][..],
            &["max-age=60 ,PUBLIC"],
            &["max-age=60", "S-MaxAge = 5"],
            &["no-cache,Private"],
            &["private=\"set-cookie\""],
            &["", "no-Store"],
        ] {
            assert_eq!(marked(PERSONAL, given, &[]), [given.to_vec(), vec![]], "{given:?}");
        }
    }

    #[test]
    fn an_answer_on_a_public_path_varies_with_cookies() {
        for (given, expected) in [
            (&[][..], &["Cookie"][..]),
            (&["Accept-Encoding"], &["Accept-Encoding, Cookie"]),
            (&["Origin", "X-Cookie"], &["Origin, X-Cookie, Cookie"]),
            (&["Accept, cookie"], &["Accept, cookie"]),
            (&["Accept", "COOKIE"], &["Accept", "COOKIE"]),
            (&["*"], &["*"]),
        ] {
            assert_eq!(marked(PUBLIC, &[], given)[1], expected, "{given:?}");
            assert_eq!(marked(PERSONAL, &[], given)[1], given, "{given:?}");
        }
        assert_eq!(marked(BOTH, &[], &[]), [vec!["private"], vec!["Cookie"]]);
        assert_eq!(marked(PUBLIC, &["private"], &[]), [vec!["private"], vec!["Cookie"]]);
        assert_eq!(marked(BOTH, &["max-age=9, public"], &[]), [vec!["max-age=9, public"], vec![]]);
    }

    #[test]
    fn an_upgrade_stays_as_it_is() {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        BOTH.mark(&mut response);
        assert!(response.headers().is_empty());
    }
}
