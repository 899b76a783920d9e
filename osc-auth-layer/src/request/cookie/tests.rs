use super::*;
use http::HeaderValue;

fn headers(values: &[&'static [u8]]) -> HeaderMap {
    values.iter().map(|value| (header::COOKIE, HeaderValue::from_bytes(value).unwrap())).collect()
}

/// Returns the cookies that an endpoint gets if it reads every pending sign-in.
fn ours(cookies: &[&'static [u8]]) -> Result<Option<HeaderValue>, BadCookie> {
    only_ours(&headers(cookies), "__Host-osc_session", Some(None)).map(|ours| ours.header)
}

fn duplicate(name: &str) -> BadCookie {
    BadCookie::Duplicate(name.to_owned())
}

fn too_long(name: &str) -> BadCookie {
    BadCookie::TooLong(name.to_owned())
}

const ID: &[u8] = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn found(mode: &CookieMode, cookies: &[&'static [u8]]) -> Result<bool, BadCookie> {
    mode.find_session(&headers(cookies), || 3000).map(|id| id.is_some())
}

fn with_id(text: &str) -> &'static [u8] {
    let text = text.replace("ID", std::str::from_utf8(ID).unwrap());
    Box::leak(text.into_bytes().into_boxed_slice())
}

#[test]
fn the_session_cookie_is_found_at_any_position() {
    let mode = CookieMode::secure("osc_session");
    for cookies in [
        "__Host-osc_session=ID",
        "a=1; __Host-osc_session=ID",
        "a=1;__Host-osc_session=ID ;b=2",
        "a=__Host-osc_session; __Host-osc_session=ID; z=\"q\"",
        "__Host-osc_session_signin_abc=1; __Host-osc_session=ID",
    ] {
        assert_eq!(found(&mode, &[with_id(cookies)]), Ok(true), "{cookies}");
    }
    assert_eq!(found(&mode, &[b"a=1", with_id("__Host-osc_session=ID")]), Ok(true));
}

#[test]
fn only_the_exact_name_and_format_is_a_session() {
    let mode = CookieMode::secure("osc_session");
    for cookies in [
        "osc_session=ID",
        "__host-osc_session=ID",
        "x__Host-osc_session=ID",
        "a=__Host-osc_session=ID",
        "__Host-osc_session_2=ID",
        "__Host-osc_session=\"ID\"",
        "__Host-osc_session=IDA",
        "__Host-osc_session=",
        "__Host-osc_session",
        "",
    ] {
        assert_eq!(found(&mode, &[with_id(cookies)]), Ok(false), "{cookies}");
    }
    assert_eq!(found(&mode, &[b"__Host-osc_session=\xff\xfe; a"]), Ok(false));
}

#[test]
fn s35_a_duplicate_session_cookie_is_refused() {
    let mode = CookieMode::secure("osc_session");
    let one = with_id("__Host-osc_session=ID");
    let twice = Err(duplicate("__Host-osc_session"));
    assert_eq!(found(&mode, &[one, one]), twice);
    let both = with_id("__Host-osc_session=ID; __Host-osc_session=x");
    assert_eq!(found(&mode, &[both]), twice);
    let long = with_id(&format!("__Host-osc_session={}; __Host-osc_session=x", "A".repeat(LONGEST + 1)));
    assert_eq!(found(&mode, &[long]), twice, "the worse of two faults");
    assert_eq!(ours(&[long]), Err(duplicate("__Host-osc_session")));
}

#[test]
fn the_port_separates_two_apps_on_localhost() {
    let mode = CookieMode::any_loopback_port("osc_session");
    assert_eq!(found(&mode, &[with_id("osc_session_3000=ID; osc_session_4000=x")]), Ok(true));
    assert_eq!(found(&mode, &[with_id("osc_session_4000=ID; osc_session_300=ID")]), Ok(false));
    assert_eq!(mode.session_name(|| 80), "osc_session_80");
}

#[test]
fn s22_cookies_are_host_only_secure_and_out_of_scripts_reach() {
    let mode = CookieMode::secure("osc_session");
    let cookie = mode.build(mode.session_name(|| 0), "v".to_owned(), Duration::from_secs(60));
    assert_eq!(
        cookie.to_string(),
        "__Host-osc_session=v; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"
    );
    let removal = mode.removal(mode.session_name(|| 0)).to_string();
    assert_eq!(removal, "__Host-osc_session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
}

#[test]
fn s35_a_cookie_is_removed_from_every_possible_path() {
    let paths = |mode: CookieMode, path: &str| -> Vec<_> {
        let removals = mode.removals("n", path);
        removals.map(|removal| removal.path().unwrap_or_default().to_owned()).collect()
    };
    let on_http = |path| paths(CookieMode::loopback("osc_session", 3000), path);
    assert_eq!(on_http("/"), ["/"]);
    assert_eq!(on_http("/a"), ["/", "/a"]);
    assert_eq!(on_http("/a/b/"), ["/", "/a", "/a/", "/a/b", "/a/b/"]);
    assert_eq!(on_http("/a;Domain=evil.example/b"), ["/", "/a"]);
    assert_eq!(on_http("/\u{e9}/b"), ["/"]);
    assert_eq!(on_http(&"/a".repeat(1000)).len(), MOST_PATHS);
    assert_eq!(paths(CookieMode::secure("osc_session"), "/a/b"), ["/"]);
}

#[test]
fn s46_names_that_only_decode_to_ours_are_ignored() {
    let ours = |cookies| ours(cookies).unwrap();
    let mixed: [&[u8]; 2] = [
        b"%5F_Host-osc_session=evil; __Host-osc_session%5Fsignin_x=evil; \xef\xbb\xbf__Host-osc_session=evil; other=1",
        b"__Host-osc_session=mine; __Host-osc_session_signin_a=p",
    ];
    assert_eq!(ours(&mixed).unwrap(), "__Host-osc_session=mine; __Host-osc_session_signin_a=p");
    assert_eq!(ours(&[b"other=1"]), None);
}

#[test]
fn names_that_only_start_like_ours_are_ignored() {
    for foreign in ["_2", "2", "_signin_", "_signin_123456789", "_signin_a.b", "_signin"] {
        let cookies = with_id(&format!("__Host-osc_session{foreign}=1; __Host-osc_session{foreign}=2"));
        assert_eq!(ours(&[cookies]), Ok(None), "{foreign}");
    }
}

#[test]
fn s35_a_duplicate_pending_cookie_is_refused() {
    let cookies: [&[u8]; 2] = [b"__Host-osc_session_signin_a=1", b"__Host-osc_session_signin_a=2"];
    assert_eq!(ours(&cookies), Err(duplicate("__Host-osc_session_signin_a")));
}

#[test]
fn s35_a_duplicate_among_thousands_is_refused() {
    let many: Vec<_> = (0..9999).map(|n| format!("__Host-osc_session_signin_{n}=1")).collect();
    let many = many.join("; ");
    assert!(ours(&[with_id(&many)]).is_ok());
    for n in [0, 20, 9998] {
        let twice = with_id(&format!("{many}; __Host-osc_session_signin_{n}=2"));
        assert_eq!(ours(&[twice]), Err(duplicate(&format!("__Host-osc_session_signin_{n}"))));
    }
}

#[test]
fn s74_no_more_than_32_pending_sign_ins_are_read() {
    let many: Vec<_> = (0..9999).map(|n| format!("__Host-osc_session_signin_{n}=1")).collect();
    let many = with_id(&format!("{}; __Host-osc_session=ID", many.join("; ")));
    let read = ours(&[many]).unwrap().unwrap();
    let read: Vec<_> = read.to_str().unwrap().split("; ").collect();
    assert_eq!(read.len(), 33);
    assert_eq!(read[0], "__Host-osc_session_signin_0=1");
    assert_eq!(read[31], "__Host-osc_session_signin_31=1");

    let read =
        only_ours(&headers(&[many]), "__Host-osc_session", Some(Some("9998"))).unwrap().header.unwrap();
    let read: Vec<_> = read.to_str().unwrap().split("; ").collect();
    assert_eq!(read.len(), 34);
    assert_eq!(read[32], "__Host-osc_session_signin_9998=1", "the one that belongs to the callback");
    let none = only_ours(&headers(&[many]), "__Host-osc_session", None).unwrap().header.unwrap();
    assert_eq!(none.as_bytes(), with_id("__Host-osc_session=ID"));
}

#[test]
fn the_bytes_of_other_cookies_are_counted() {
    let foreign_bytes = |cookies: &[&'static [u8]]| {
        only_ours(&headers(cookies), "__Host-osc_session", Some(None)).unwrap().foreign_bytes
    };
    assert_eq!(foreign_bytes(&[with_id("__Host-osc_session=ID; __Host-osc_session_signin_a=1")]), 0);
    assert_eq!(foreign_bytes(&[b"a=12; bc=3", with_id("__Host-osc_session=ID;d=45678")]), 15 + 3 * 38);
}

#[test]
fn a_duplicate_with_a_non_text_value_is_refused() {
    let twice: &[u8] = b"__Host-osc_session=\xff; __Host-osc_session=x";
    assert_eq!(ours(&[twice]), Err(duplicate("__Host-osc_session")));
    assert_eq!(found(&CookieMode::secure("osc_session"), &[twice]), Err(duplicate("__Host-osc_session")));
    let alone = ours(&[b"__Host-osc_session=\xff; __Host-osc_session_signin_a=1"]).unwrap().unwrap();
    assert_eq!(alone, "__Host-osc_session_signin_a=1");
}

#[test]
fn oversized_cookies_of_ours_are_refused_and_foreign_ones_ignored() {
    let long = "A".repeat(LONGEST + 1);
    let mode = CookieMode::secure("osc_session");
    let session = with_id(&format!("__Host-osc_session={long}"));
    assert_eq!(found(&mode, &[session]), Err(too_long("__Host-osc_session")));
    assert_eq!(ours(&[session]), Err(too_long("__Host-osc_session")));
    let pending = with_id(&format!("__Host-osc_session_signin_a={long}"));
    assert_eq!(ours(&[pending]), Err(too_long("__Host-osc_session_signin_a")));
    let foreign = with_id(&format!("other={long}; __Host-osc_session=ID"));
    assert_eq!(found(&mode, &[foreign]), Ok(true));
    assert!(ours(&[foreign]).unwrap().is_some());
}
