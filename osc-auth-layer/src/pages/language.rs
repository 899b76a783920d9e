//! The languages of the layer's pages, and the choice among them.

use std::cmp::Reverse;

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// The longest `Accept-Language` that is read. Browsers send less than a tenth of it.
const LONGEST: usize = 1024;
/// The most `Accept-Language` headers that are read.
const MOST: usize = 4;

/// A language that the layer has texts in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Language {
    English,
    Swedish,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Swedish];

    /// Returns the language tag (RFC 5646), a primary subtag.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Swedish => "sv",
        }
    }

    /// Chooses the language that the browser likes best (RFC 9110 §12.5.4). The first of `offered` counts if the browser names
    /// none of them.
    pub(crate) fn choose(headers: &HeaderMap, offered: &[Self]) -> Self {
        let values = headers.get_all(ACCEPT_LANGUAGE).iter().take(MOST);
        let values = values.filter(|value| value.len() <= LONGEST).filter_map(|value| value.to_str().ok());
        let ranges: Vec<_> = values.flat_map(|value| value.split(',')).filter_map(Range::parse).collect();
        let liked = offered.iter().rev().filter_map(|language| Some((language, language.rank(&ranges)?)));
        // Of several with the same rank, `max_by_key` returns the last, which is the first of `offered`.
        let best = liked.max_by_key(|(_, rank)| *rank).map(|(language, _)| *language);
        best.or(offered.first().copied()).unwrap_or(Self::English)
    }

    /// Returns the quality of this language, and its place among the ranges. `None` if the browser does not accept it.
    ///
    /// A range matches by its primary subtag, so that `sv-FI` is served in `sv` (RFC 4647 §3.4). `*` stands for languages that
    /// no other range matches.
    fn rank(self, ranges: &[Range<'_>]) -> Option<(u16, Reverse<usize>)> {
        let (mut named, mut any) = (None, None);
        for (at, range) in ranges.iter().enumerate() {
            let is_exact = range.tag.eq_ignore_ascii_case(self.tag());
            if is_exact && range.quality == 0 {
                return None;
            }
            let rank = Some((range.quality, Reverse(at)));
            if range.tag == "*" {
                any = any.max(rank);
            } else if range.primary().eq_ignore_ascii_case(self.tag()) && range.quality > 0 {
                named = named.max(rank);
            }
        }
        named.or(any).filter(|(quality, _)| *quality > 0)
    }
}

/// A language range with its quality in thousandths.
struct Range<'h> {
    tag: &'h str,
    quality: u16,
}

impl<'h> Range<'h> {
    fn parse(text: &'h str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim_ascii);
        let tag = parts.next().filter(|tag| !tag.is_empty())?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(Self { tag, quality: weight.map_or(Some(1000), thousandths)? })
    }

    fn primary(&self) -> &'h str {
        self.tag.split('-').next().unwrap_or_default()
    }
}

/// Reads a weight with at most three decimals (RFC 9110 §12.4.2).
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if !matches!(whole, "0" | "1")
        || decimals.len() > 3
        || !decimals.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let quality = format!("{whole}{decimals:0<3}").parse().ok()?;
    (quality <= 1000).then_some(quality)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn chosen_from(accepted: &[&str], offered: &[Language]) -> &'static str {
        let mut headers = HeaderMap::new();
        for value in accepted {
            headers.append(ACCEPT_LANGUAGE, HeaderValue::from_str(value).unwrap());
        }
        Language::choose(&headers, offered).tag()
    }

    #[test]
    fn the_browsers_languages_choose_the_pages() {
        for (accepted, expected) in [
            ("", "en"),
            ("sv", "sv"),
            ("SV-se", "sv"),
            ("sv-SE,sv;q=0.9,en-US;q=0.8,en;q=0.7", "sv"),
            ("en-GB, en;q=0.9, sv;q=0.8", "en"),
            ("sv;q=0.8, en;q=0.9", "en"),
            ("de, fr;q=0.9", "en"),
            ("de, sv;q=0.1", "sv"),
            ("sv, en", "sv"),
            ("en, sv", "en"),
            ("*", "en"),
            ("sv;q=0.5, *;q=0.1", "sv"),
            ("sv;q=0.1, *;q=0.5", "en"),
            ("en;q=0, *", "sv"),
            ("en;q=0", "en"),
            ("sv;q=0, sv-SE, en;q=0.1", "en"),
            ("sv-FI;q=0, sv", "sv"),
            ("sv ; q=0.001", "sv"),
            ("en;q=0.999, sv;q=1.000", "sv"),
            ("en;Q=0.1, sv;x=1;q=0.2", "sv"),
            (",, sv ,,", "sv"),
            ("svx, x-sv, en-sv", "en"),
        ] {
            assert_eq!(chosen_from(&[accepted], &Language::ALL), expected, "{accepted}");
        }
        assert_eq!(chosen_from(&["de", "sv"], &Language::ALL), "sv");
    }

    #[test]
    fn a_range_with_an_invalid_weight_is_ignored() {
        for weight in ["", "2", "1.001", "0.1234", "-1", "+1", ".5", "0.a", "1e0", "NaN", " 1 1"] {
            assert_eq!(chosen_from(&[&format!("sv;q={weight}")], &Language::ALL), "en", "{weight}");
        }
    }

    #[test]
    fn the_app_chooses_the_languages_and_the_one_that_others_get() {
        let swedish_first = [Language::Swedish, Language::English];
        assert_eq!(chosen_from(&["de"], &swedish_first), "sv");
        assert_eq!(chosen_from(&["*"], &swedish_first), "sv");
        assert_eq!(chosen_from(&["en"], &swedish_first), "en");
        assert_eq!(chosen_from(&["en"], &[Language::Swedish]), "sv");
    }

    #[test]
    fn an_oversized_header_is_not_read() {
        let padded = |length| format!("{}sv", ",".repeat(length - 2));
        assert_eq!(chosen_from(&[&padded(LONGEST)], &Language::ALL), "sv");
        assert_eq!(chosen_from(&[&padded(LONGEST + 1)], &Language::ALL), "en");
        assert_eq!(chosen_from(&["de", "de", "de", "sv"], &Language::ALL), "sv");
        assert_eq!(chosen_from(&["de", "de", "de", "de", "sv"], &Language::ALL), "en");
    }
}
