use super::*;

fn headers(values: &[&'static [u8]]) -> HeaderMap {
    values.iter().map(|value| (header::COOKIE, HeaderValue::from_bytes(value).unwrap())).collect()
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
fn the_session_is_found_wherever_it_stands() {
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
fn what_is_not_exactly_ours_is_no_session() {
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
fn s35_two_cookies_of_the_sessions_name_are_refused() {
    let mode = CookieMode::secure("osc_session");
    let one = with_id("__Host-osc_session=ID");
    assert_eq!(found(&mode, &[one, one]), Err(BadCookie::Duplicate));
    let both = with_id("__Host-osc_session=ID; __Host-osc_session=x");
    assert_eq!(found(&mode, &[both]), Err(BadCookie::Duplicate));
}

#[test]
fn the_port_keeps_two_apps_on_localhost_apart() {
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
fn s46_names_that_only_decode_to_ours_are_left_out() {
    let cookies = headers(&[
        b"%5F_Host-osc_session=evil; __Host-osc_session%5Fsignin_x=evil; \xef\xbb\xbf__Host-osc_session=evil; other=1",
        b"__Host-osc_session=mine; __Host-osc_session_signin_a=p",
    ]);
    let ours = only_ours(&cookies, "__Host-osc_session").unwrap().unwrap();
    assert_eq!(ours, "__Host-osc_session=mine; __Host-osc_session_signin_a=p");
    assert_eq!(only_ours(&headers(&[b"other=1"]), "__Host-osc_session"), Ok(None));
}

#[test]
fn a_name_sent_twice_is_refused() {
    let cookies = headers(&[b"__Host-osc_session_signin_a=1", b"__Host-osc_session_signin_a=2"]);
    assert_eq!(only_ours(&cookies, "__Host-osc_session"), Err(BadCookie::Duplicate));
}

#[test]
fn a_name_sent_twice_is_refused_even_when_one_value_is_no_text() {
    let cookies = headers(&[b"__Host-osc_session=\xff; __Host-osc_session=x"]);
    assert_eq!(only_ours(&cookies, "__Host-osc_session"), Err(BadCookie::Duplicate));
    assert_eq!(
        found(&CookieMode::secure("osc_session"), &[b"__Host-osc_session=\xff; __Host-osc_session=x"]),
        Err(BadCookie::Duplicate)
    );
    let alone = headers(&[b"__Host-osc_session=\xff; __Host-osc_session_signin_a=1"]);
    let ours = only_ours(&alone, "__Host-osc_session").unwrap().unwrap();
    assert_eq!(ours, "__Host-osc_session_signin_a=1");
}

#[test]
fn a_cookie_of_ours_that_is_too_long_is_refused_and_a_foreign_one_is_none_of_our_business() {
    let long = "A".repeat(LONGEST + 1);
    let mode = CookieMode::secure("osc_session");
    let ours = with_id(&format!("__Host-osc_session={long}"));
    assert_eq!(found(&mode, &[ours]), Err(BadCookie::TooLong));
    assert_eq!(only_ours(&headers(&[ours]), "__Host-osc_session"), Err(BadCookie::TooLong));
    let foreign = with_id(&format!("other={long}; __Host-osc_session=ID"));
    assert_eq!(found(&mode, &[foreign]), Ok(true));
    assert!(only_ours(&headers(&[foreign]), "__Host-osc_session").unwrap().is_some());
}
