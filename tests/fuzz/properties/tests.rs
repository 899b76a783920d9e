//! Checks the properties with input that is nearly valid, with random bytes, and with the corpora of the fuzz targets.

mod corpus;
mod strategies;
mod vocabulary;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;

use self::strategies::{Input, Inputs, any_of, behind, disguised, object, words};
use self::vocabulary::*;
use super::*;

type Property = fn(&[u8]);

/// Lists every property by the name of its fuzz target.
const PROPERTIES: &[(&str, Property)] = &[
    ("callback", callback),
    ("callback_query", callback_query),
    ("metadata", metadata),
    ("pending_cookie", pending_cookie),
    ("public_path", public_path),
    ("record", record),
    #[cfg(feature = "redis")]
    ("redis_answer", redis_answer),
    ("return_to", return_to),
    ("session_cookie", session_cookie),
    ("token_answer", token_answer),
];

/// Writes no regression files, which would end up among the sources. Findings belong in the corpora.
fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

fn targets() -> Inputs {
    prop_oneof![words(TARGETS, 9), disguised("//evil.com", 5), disguised("/\\evil.com", 2)].boxed()
}

fn cookies() -> Inputs {
    prop_oneof![words(COOKIES, 10), any_of(PAIRS, "; ")].boxed()
}

fn paths() -> Inputs {
    prop_oneof![words(PATHS, 9), disguised("/../admin", 2), disguised("/../admin", 9)].boxed()
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn the_session_is_the_one_that_splitting_the_cookie_header_finds(
        data in behind(&["0", "0", "1", "2"], cookies()),
    ) {
        session_cookie(&data.0);
    }

    #[test]
    fn a_query_reads_as_a_form_or_is_refused(data in words(QUERIES, 12)) {
        callback_query(&data.0);
    }

    #[test]
    fn a_sign_in_returns_to_its_own_origin(data in behind(&["0", "1", "0/", "1/app/"], targets())) {
        return_to(&data.0);
    }

    #[test]
    fn a_public_path_is_one_in_every_reading(
        data in behind(&["/static", "/static", "/api/v1", "/a%20b", "/about", "/"], paths()),
    ) {
        public_path(&data.0);
    }

    #[test]
    fn metadata_leads_to_its_issuer_and_to_nobody_in_the_clear(data in object(METADATA)) {
        metadata(&data.0);
    }

    #[test]
    fn a_token_answer_gives_usable_tokens_or_a_reason(
        status in prop_oneof![Just(100u16), Just(300), Just(301), Just(329), 0..500u16],
        body in object(TOKENS),
    ) {
        token_answer(&[&status.to_be_bytes()[..], &body.0].concat());
    }
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn a_callback_without_its_sign_in_gets_no_session(
        query in any_of(CALLBACK, "&"),
        cookies in any_of(CALLBACK_COOKIES, "; "),
        also in words(&["\n", "; ", "&", pending::NAME, "=", "=$PENDING", "%", "state=x"], 3),
    ) {
        callback(&[&query.0[..], b"\n", &cookies.0, &also.0].concat());
    }

    #[test]
    fn an_altered_sign_in_does_not_open(changes in vec(any::<u8>(), 0..9)) {
        pending_cookie(&[b"0", &changes[..]].concat());
    }

    #[test]
    fn the_plain_text_of_a_sign_in_is_taken_as_it_is(plain in object(SIGN_IN)) {
        let binding = crate::endpoints::pending::binding_for_test(pending::COOKIE);
        let plain = String::from_utf8_lossy(&plain.0).replace("BINDING", &binding);
        pending_cookie(format!("1{plain}").as_bytes());
    }

    #[test]
    fn a_sign_in_is_found_as_it_began(
        parts in vec(words(PARTS, 5), 4),
        long in 0..2usize,
        began_at in any::<u64>(),
    ) {
        let parts: Vec<_> = parts.iter().map(|part| String::from_utf8_lossy(&part.0)).collect();
        let [issuer, client_id, redirect_uri, target] = &parts[..] else { unreachable!() };
        let target = format!("/{}{target}", "a".repeat(700 * long));
        pending_cookie(format!("2{issuer}\n{client_id}\n{redirect_uri}\n{target}\n{began_at}").as_bytes());
    }

    #[test]
    fn a_record_opens_as_it_was_sealed_or_not_at_all(
        kind in prop_oneof![3 => 0..4u8, 1 => 4..8u8, 1 => any::<u8>()],
        refused in 0..4u8,
        version in prop_oneof![3 => Just(1), 1 => any::<u64>()],
        times in vec(prop_oneof![3 => 1..1_000_000u64, 1 => any::<u64>()], 3),
        plain in object(RECORD),
    ) {
        let numbers = [version].into_iter().chain(times).flat_map(u64::to_be_bytes);
        record(&[kind, refused].into_iter().chain(numbers).chain(plain.0).collect::<Vec<_>>());
    }
}

#[cfg(feature = "redis")]
proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn redis_is_read_as_the_scripts_answer(data in words(REDIS, 14)) {
        redis_answer(&data.0);
    }

    #[test]
    fn redis_gives_back_what_was_written(data in vec(any::<u8>(), 20..200).prop_map(Input)) {
        redis_answer(&data.0);
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn random_bytes_break_nothing(data in vec(any::<u8>(), 0..300).prop_map(Input)) {
        PROPERTIES.iter().for_each(|(_, property)| property(&data.0));
    }
}
