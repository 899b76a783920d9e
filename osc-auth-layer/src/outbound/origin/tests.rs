use super::*;

fn problem(text: &str) -> Option<&'static str> {
    Origin::parse(text).err()
}

fn origin(text: &str) -> Origin {
    Origin::parse(text).unwrap_or_else(|problem| panic!("{text} {problem}"))
}

#[test]
fn an_origin_is_https_or_on_loopback() {
    for good in [
        "https://api.example.com",
        "https://api.example.com/",
        "https://API.example.com:8443",
        "https://münchen.example",
        "https://192.0.2.1",
        "http://localhost",
        "http://localhost:8080/",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://[::1]:8080",
    ] {
        assert_eq!(problem(good), None, "{good}");
    }
    let plain = "is plain http on a host that is not loopback";
    let rest = "has a path, a query or a fragment";
    for (bad, expected) in [
        ("http://api.example.com", plain),
        ("http://localhost.example.com", plain),
        ("http://api.localhost", plain),
        ("http://localhost.", plain),
        ("http://127.0.0.1.example.com", plain),
        ("http://192.168.0.1", plain),
        ("http://[::ffff:127.0.0.1]", plain),
        ("http://0.0.0.0", plain),
        ("ftp://api.example.com", "is neither https nor http"),
        ("file:///etc/passwd", "is neither https nor http"),
        ("api.example.com", "is not an absolute URL"),
        ("//api.example.com", "is not an absolute URL"),
        ("", "is not an absolute URL"),
        ("https://", "is not an absolute URL"),
        ("https://*.example.com", "contains a wildcard"),
        ("https://*", "contains a wildcard"),
        ("https://user@api.example.com", "contains a user name or a password"),
        ("https://:secret@api.example.com", "contains a user name or a password"),
        ("https://api.example.com/v1", rest),
        ("https://api.example.com?x", rest),
        ("https://api.example.com#x", rest),
    ] {
        assert_eq!(problem(bad), Some(expected), "{bad}");
    }
}

#[test]
fn s90_hosts_of_open_source_cloud_are_recognised_in_every_spelling() {
    for theirs in [
        "https://tenant-store.minio-minio.auto.prod.osaas.io",
        "https://tenant-store.minio-minio.auto.prod-se.osaas.io",
        "https://TENANT-store.minio-minio.Auto.Prod.OSAAS.IO",
        "https://tenant-store.minio-minio.auto.prod.osaas.io.",
        "https://tenant-store.minio-minio.auto.prod.osaas.io..",
        "https://tenant-store.minio-minio.auto.prod.osaas.io:8443",
        "https://tenant-store.minio-minio.auto.prod.osaas.io:443/",
        "https://tenant-store.minio-minio.auto.prod.ｏｓａａｓ.io",
        "https://tenant-store.minio-minio.auto.prod.osaas。io",
        "https://tenant-store.minio-minio.auto.prod.osaas%2Eio",
        "https://tenant-store.minio-minio.auto.prod.%6Fsaas.io",
        "https://tenant-store.minio-minio.auto.prod.os\taas.io",
        "https://tenant-store.minio-minio.auto.prod.osaas.io\n",
        " https://tenant-store.minio-minio.auto.prod.osaas.io",
        "https:\\\\tenant-store.minio-minio.auto.prod.osaas.io",
        "https:tenant-store.minio-minio.auto.prod.osaas.io",
        "https://tenant-store.minio-minio.auto.prod.ſaas.osaas.io",
        "https://api-minio-minio.auto.prod.osaas.io",
        "https://api-ce.prod.osaas.io",
        "https://tenant.ce.prod.osaas.io",
        "https://catalog.svc.prod.osaas.io",
        "https://app.osaas.io",
        "https://osaas.io",
        "https://apps.osaas.io",
        "https://.apps.osaas.io",
        "https://x.0123abcd.apps.osaas.io",
        "https://x.auto.apps.osaas.io",
    ] {
        assert!(origin(theirs).belongs_to_osc(), "{theirs}");
    }
    for own in [
        "https://0123abcd.apps.osaas.io",
        "https://api.example.com",
        "https://auto.prod.osaas.io.example.com",
        "https://xosaas.io",
        "https://osaas.io.example.com",
        "https://osaas.iox",
        "http://localhost:8080",
        "https://192.0.2.1",
    ] {
        assert!(!origin(own).belongs_to_osc(), "{own}");
    }
}

#[test]
fn s90_only_a_uri_with_exactly_this_authority_is_of_an_origin() {
    let is_of = |named: &str, uri: &str| uri.parse().is_ok_and(|uri: Uri| origin(named).is_of(&uri));
    for (named, uri) in [
        ("https://api.example.com", "https://api.example.com/orders?x=1"),
        ("https://api.example.com", "HTTPS://API.example.COM"),
        ("https://api.example.com", "https://api.example.com:443/"),
        ("https://api.example.com:443", "https://api.example.com/"),
        ("https://api.example.com:8443", "https://api.example.com:8443/"),
        ("http://localhost:8080", "http://localhost:8080/"),
        ("http://localhost", "http://localhost:80/"),
        ("http://[::1]:8080", "http://[::1]:8080/"),
        ("http://[::1]", "http://[::1]/"),
        ("https://münchen.example", "https://xn--mnchen-3ya.example/"),
    ] {
        assert!(is_of(named, uri), "{named} {uri}");
    }
    for uri in [
        "http://api.example.com/",
        "http://api.example.com:443/",
        "https://api.example.com:8443/",
        "https://api.example.com:0443/",
        "https://api.example.com:65979/",
        "https://api.example.com:/",
        "https://api.example.com./",
        "https://x.api.example.com/",
        "https://example.com/",
        "https://api.example.com.evil.example/",
        "https://api.example.com@evil.example/",
        "https://api.example.com:443@evil.example/",
        "https://user@api.example.com/",
        "https://evil.example/https://api.example.com/",
        "wss://api.example.com/",
        "api.example.com:443",
        "/orders",
        "*",
    ] {
        assert!(!is_of("https://api.example.com", uri), "{uri}");
    }
}

#[test]
fn s90_a_url_is_of_an_origin_if_all_its_parts_are() {
    let is_named =
        |url: &str| Origin::of(&Url::parse(url).unwrap()) == Some(origin("https://api.example.com"));
    assert!(is_named("https://API.example.com:443/orders") && is_named("https://api.example.com#x"));
    for foreign in [
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com./",
        "https://api.example.com@evil.example/",
        "https://evil.example\\@api.example.com/",
        "https://user@api.example.com/",
        "https://:secret@api.example.com/",
        "data:text/plain,https://api.example.com",
    ] {
        assert!(!is_named(foreign), "{foreign}");
    }
}
