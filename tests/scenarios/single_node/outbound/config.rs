//! The APIs that may be named.

use osc_auth_layer::Outbound;

fn error(origins: &[&str]) -> String {
    Outbound::to(origins).expect_err(&origins.join(" ")).to_string()
}

#[test]
fn only_origins_with_https_or_on_loopback_may_be_named() {
    for good in [
        "https://api.example.com",
        "https://api.example.com:8443/",
        "https://0123abcd.apps.osaas.io",
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ] {
        assert!(Outbound::to([good]).is_ok(), "{good}");
    }
    let remedy =
        "Name each API by its origin, such as https://api.example.com. Plain http works on localhost only.";
    for (bad, problem) in [
        ("http://api.example.com", "is plain http on a host that is not loopback"),
        ("http://localhost.example.com", "is plain http on a host that is not loopback"),
        ("ws://localhost", "is neither https nor http"),
        ("api.example.com", "is not an absolute URL"),
        ("https://*.example.com", "contains a wildcard"),
        ("https://api.example.com/v1", "has a path, a query or a fragment"),
    ] {
        assert_eq!(error(&[bad]), format!("Outbound::to {bad:?} {problem}. {remedy}"));
    }
    assert_eq!(
        error(&["https://api.example.com", "https://user:password@api.example.com"]),
        format!("Outbound::to (withheld) contains a user name or a password. {remedy}")
    );
    assert_eq!(
        error(&[]),
        "Outbound::to is not set. Name at least one API, such as https://api.example.com."
    );
}

#[test]
fn s90_no_instance_of_a_tenant_can_be_named() {
    for theirs in [
        "https://tenant-store.minio-minio.auto.prod.osaas.io",
        "https://tenant-store.minio-minio.auto.prod-se.osaas.io:8443",
        "https://TENANT-Store.minio-minio.AUTO.prod.Osaas.IO.",
        "https://tenant-store.minio-minio.auto.prod.ｏｓａａｓ。io",
        "https://tenant-store.minio-minio.auto.prod.%6Fsaas.io",
        "https:\\\\tenant-store.minio-minio.auto.dev.osaas.io",
        "https://api-minio-minio.auto.prod.osaas.io",
        "https://api-ce.prod.osaas.io",
        "https://tenant.ce.prod.osaas.io",
        "https://catalog.svc.prod.osaas.io",
        "https://app.osaas.io",
        "https://osaas.io",
        "https://x.y.apps.osaas.io",
    ] {
        let error = error(&["https://api.example.com", theirs]);
        assert!(error.contains("belongs to Open Source Cloud") && error.contains("OscContext"), "{error}");
    }
    let error = error(&["http://tenant-store.minio-minio.auto.prod.osaas.io"]);
    assert!(error.contains("plain http"), "{error}");
}
