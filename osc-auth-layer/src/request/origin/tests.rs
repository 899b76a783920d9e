use super::*;
use http::{HeaderName, HeaderValue};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

fn url(text: &str) -> PublicUrl {
    PublicUrl::parse(text).unwrap()
}

fn selected(configured: &[PublicUrl], pairs: &[(&'static str, &'static str)]) -> Origin {
    select(configured, &Uri::from_static("/x"), &headers(pairs))
}

#[test]
fn plain_http_is_accepted_on_loopback_only() {
    for good in [
        "http://localhost:3000",
        "http://127.0.0.1",
        "http://[::1]:8080/",
        "http://app.localhost",
        "https://example.com/app/",
    ] {
        assert!(PublicUrl::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "http://example.com",
        "ftp://localhost",
        "example.com",
        "",
        "https://u:p@example.com",
        "https://example.com/?a",
        "http://localhost.evil.com",
    ] {
        assert!(PublicUrl::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(
        url("https://Example.com:443/app/").url("/auth/callback"),
        "https://example.com/app/auth/callback"
    );
}

#[test]
fn s09_a_host_only_selects_a_configured_url() {
    let urls = [url("https://a.example"), url("https://b.example/app")];
    for pairs in [
        &[("host", "b.example")][..],
        &[("host", "B.example:443")],
        &[("host", "internal:8080"), ("x-forwarded-host", "b.example, proxy")],
    ] {
        assert_eq!(selected(&urls, pairs), Origin::Known(urls[1].clone()), "{pairs:?}");
    }
    for pairs in [
        &[("host", "evil.example")][..],
        &[("host", "b.example.evil"), ("x-forwarded-host", "evil")],
        &[("host", "a.example:8443")],
        &[("forwarded", "host=b.example")],
        &[],
    ] {
        assert_eq!(selected(&urls, pairs), Origin::Elsewhere(urls[0].clone()), "{pairs:?}");
    }
}

#[test]
fn s09_without_public_url_only_direct_loopback_hosts_count() {
    let known = Origin::Known(url("http://localhost:3000"));
    assert_eq!(selected(&[], &[("host", "localhost:3000")]), known);
    for pairs in [
        &[("host", "example.com")][..],
        &[("host", "localhost:3000@evil.com")],
        &[("host", "localhost:3000"), ("x-forwarded-host", "evil.com")],
        &[("host", "localhost:3000"), ("x-forwarded-for", "1.2.3.4")],
        &[("host", "localhost:3000"), ("forwarded", "for=1.2.3.4")],
        &[("host", "localhost:3000"), ("via", "1.1 proxy")],
        &[("host", "localhost:3000/../x")],
        &[],
    ] {
        assert_eq!(selected(&[], pairs), Origin::Unknown, "{pairs:?}");
    }
}

#[test]
fn s57_an_origin_is_own_if_configured_or_the_requests() {
    let uri = Uri::from_static("/ws");
    let host = headers(&[("host", "localhost:3000")]);
    assert!(is_own(b"http://localhost:3000", &[], &uri, &host));
    assert!(is_own(b"https://a.example", &[url("https://a.example")], &uri, &host));
    // A page of the same host over plain http may be injected, so it is foreign.
    let https = headers(&[("host", "a.example")]);
    assert!(!is_own(b"http://a.example", &[url("https://a.example")], &uri, &https));
    assert!(!is_own(b"https://a.example", &[], &uri, &https));
    for foreign in [&b"https://evil.example"[..], b"null", b"", b"http://localhost:4000", b"\xff"] {
        assert!(!is_own(foreign, &[url("https://a.example")], &uri, &host));
    }
}

#[test]
fn the_port_comes_from_the_requests_host() {
    let uri = Uri::from_static("/x");
    assert_eq!(port(&uri, &headers(&[("host", "localhost:3000")])), 3000);
    assert_eq!(port(&uri, &headers(&[("host", "[::1]:81")])), 81);
    assert_eq!(port(&uri, &headers(&[("host", "localhost")])), 80);
    assert_eq!(port(&uri, &headers(&[("host", "[::1]")])), 80);
}
