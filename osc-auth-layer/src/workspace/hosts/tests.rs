use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;

const MINIO: &str = "minio-minio";

#[test]
fn s61_a_service_token_goes_to_its_services_api() {
    for (environment, service, url) in [
        ("prod", MINIO, "https://api-minio-minio.auto.prod.osaas.io/minioinstance"),
        ("prod", "encore", "https://api-encore.auto.prod-se.osaas.io/encoreinstance"),
        ("prod", "encore", "https://api-encore.auto.prod-eu2.osaas.io/encoreinstance"),
        ("dev", "encore", "https://api-encore.auto.dev.osaas.io/encoreinstance"),
        ("dev", "encore", "https://api-encore.auto.dev-se.osaas.io/encoreinstance"),
        ("prod-se", "encore", "https://api-encore.auto.prod-se.osaas.io/encoreinstance"),
        ("se", "encore", "https://api-encore.auto.se.osaas.io/encoreinstance"),
        ("prod", "encore", "https://api-encore.auto.prod.osaas.io"),
        ("prod", "encore", "https://api-encore.auto.prod.osaas.io/"),
        ("prod", "encore", "https://api-encore.auto.prod.osaas.io/v1/encore_instance~2/"),
        ("prod", "channel-engine", "https://api-ce.prod.osaas.io/channel"),
        ("stage", MINIO, "https://api-ce.stage.osaas.io/minioinstance"),
    ] {
        let accepted = service_api(environment, service, url);
        assert!(accepted.is_some_and(|accepted| accepted.as_str().starts_with(url)), "{environment}: {url}");
    }
}

#[test]
fn s61_a_service_token_goes_nowhere_else() {
    let refused = [
        // Another service, environment, site or kind of host.
        "https://api-minio-minio.auto.prod.osaas.io/x",
        "https://api-encore.auto.dev.osaas.io/x",
        "https://api-encore.auto.dev-prod.osaas.io/x",
        "https://api-encore.auto.prodse.osaas.io/x",
        "https://api-encore.auto.xprod.osaas.io/x",
        "https://api-encore.auto.prod-.osaas.io/x",
        "https://api-encore.auto.prod-se-2.osaas.io/x",
        "https://api-encore.auto.prod--se.osaas.io/x",
        "https://api-encore.auto.prod.se.osaas.io/x",
        "https://api-encore.auto.osaas.io/x",
        "https://api-encore.svc.prod.osaas.io/x",
        "https://api-encore.prod.osaas.io/x",
        "https://api-ce.dev.osaas.io/x",
        "https://api-ce.prod-se.osaas.io/x",
        "https://api-ce.auto.prod.osaas.io/x",
        "https://xapi-ce.prod.osaas.io/x",
        "https://api-.auto.prod.osaas.io/x",
        "https://encore.auto.prod.osaas.io/x",
        "https://xapi-encore.auto.prod.osaas.io/x",
        "https://api-encore-x.auto.prod.osaas.io/x",
        "https://api-encore.x.auto.prod.osaas.io/x",
        "https://api-encore.xauto.prod.osaas.io/x",
        "https://catalog.svc.prod.osaas.io/x",
        "https://app.osaas.io/x",
        "https://osaas.io/x",
        "https://prod.osaas.io/x",
        "https://xprod.osaas.io/x",
        // Tenants' own content.
        "https://tenant-store.encore.auto.prod.osaas.io/x",
        "https://tenant-store.encore.auto.prod-se.osaas.io/x",
        "https://api-encore.encore.auto.prod.osaas.io/x",
        "https://0123abcd.apps.osaas.io/x",
        "https://api-encore.apps.osaas.io/x",
        // Somebody else's domain.
        "https://api-encore.auto.prod.osaas.io.evil.example/x",
        "https://prod-se.osaas.io.evil.example/x",
        "https://api-encore.auto.prod.osaas.com/x",
        "https://api-encore.auto.prod.xosaas.io/x",
        "https://evil.example/api-encore.auto.prod.osaas.io",
        "https://127.0.0.1/x",
        "https://2130706433/x",
        "https://[::1]/x",
        "https://localhost/x",
        // Other schemes, users and ports, and other spellings of the right host.
        "http://api-encore.auto.prod.osaas.io/x",
        "ftp://api-encore.auto.prod.osaas.io/x",
        "//api-encore.auto.prod.osaas.io/x",
        "api-encore.auto.prod.osaas.io/x",
        "https:api-encore.auto.prod.osaas.io/x",
        "https:///api-encore.auto.prod.osaas.io/x",
        "https://user@api-encore.auto.prod.osaas.io/x",
        "https://user:password@api-encore.auto.prod.osaas.io/x",
        "https://@api-encore.auto.prod.osaas.io/x",
        "https://api-encore.auto.prod.osaas.io@evil.example/x",
        "https://evil.example\\@api-encore.auto.prod.osaas.io/x",
        "https://api-encore.auto.prod.osaas.io:443/x",
        "https://api-encore.auto.prod.osaas.io:444/x",
        "https://api-encore.auto.prod.osaas.io:/x",
        "https://api-encore.auto.prod.osaas.io./x",
        "https://API-ENCORE.auto.prod.osaas.io/x",
        "https://api-encore.auto.prod.osaas.io。/x",
        "https://api-encore。auto。prod。osaas。io/x",
        "https://api-encore.auto.prod.osааs.io/x",
        "https://api-encore.auto.prod.xn--oss-5cdb.io/x",
        "https://api-encore.auto.%70rod.osaas.io/x",
        "https://api-encore.auto.prod.osaas.io/../x",
        "https://api-encore.auto.prod.osaas.io/x/./y",
        "https://api-encore.auto.prod.osaas.io/%2e%2e/x",
        "https://api-encore.auto.prod.osaas.io/..%2fx",
        "https://api-encore.auto.prod.osaas.io/x;y",
        "https://api-encore.auto.prod.osaas.io\\x",
        "https://api-encore.auto.prod.osaas.io/x?y",
        "https://api-encore.auto.prod.osaas.io/x?",
        "https://api-encore.auto.prod.osaas.io/x#y",
        " https://api-encore.auto.prod.osaas.io/x",
        "https://api-encore.auto.prod.osaas.io/x\n",
        "https://api-enc\tore.auto.prod.osaas.io/x",
        "",
    ];
    for url in refused {
        assert_eq!(service_api("prod", "encore", url), None, "{url}");
    }
}

#[test]
fn s61_only_environments_without_hyphen_have_sites() {
    let api = |environment, cluster: &str| {
        service_api(environment, "encore", &format!("https://api-encore.auto.{cluster}.osaas.io/x"))
    };
    assert!(api("prod", "prod-se").is_some(), "a site of prod");
    assert!(api("prod-se", "prod-se").is_some(), "the environment of that name");
    assert!(api("prod-se", "prod").is_none());
    assert!(api("prod-se", "prod-se-2").is_none(), "no site of prod-se: it may be one of prod");
    assert!(api("prod", "prod-se-2").is_none());
}

#[test]
fn s61_a_service_id_must_be_a_host_label() {
    for (service, url) in [
        ("a.auto.prod", "https://api-a.auto.prod.osaas.io/x"),
        ("a.b", "https://api-a.b.auto.prod.osaas.io/x"),
        ("", "https://api-.auto.prod.osaas.io/x"),
        ("Encore", "https://api-encore.auto.prod.osaas.io/x"),
    ] {
        assert_eq!(service_api("prod", service, url), None, "{service}");
    }
}

#[test]
fn s61_a_link_stays_on_the_apis_host() {
    let api = plain("https://api-a.auto.prod.osaas.io/ainstance").unwrap();
    let link = |href: &str| link(&api, href).map(String::from);
    assert_eq!(link("/health/x").unwrap(), "https://api-a.auto.prod.osaas.io/health/x");
    assert_eq!(link("/health/x?y=z").unwrap(), "https://api-a.auto.prod.osaas.io/health/x?y=z");
    assert_eq!(link("//evil.example/x").unwrap(), "https://api-a.auto.prod.osaas.io//evil.example/x");
    assert_eq!(link("/\\evil.example/x").unwrap(), "https://api-a.auto.prod.osaas.io//evil.example/x");
    for elsewhere in [
        "https://evil.example/x",
        "https://api-a.auto.prod.osaas.io.evil.example/x",
        "@evil.example/x",
        ".evil.example/x",
        ":444/x",
        "\\\\evil.example",
        "\t//evil.example",
        "",
        "health/x",
    ] {
        assert_eq!(link(elsewhere), None, "{elsewhere}");
    }
}

/// Parts of addresses, and pieces that have fooled URL parsers.
const PIECES: &[&str] = &[
    "https://",
    "http://",
    "https:",
    "//",
    "/",
    "\\",
    "api-",
    "minio-minio",
    "api-minio-minio",
    "api-ce",
    ".",
    "..",
    ".auto.",
    "auto",
    "prod",
    "prod-se",
    "-se",
    "-",
    "dev",
    ".osaas.io",
    "osaas",
    "io",
    ".evil.example",
    "@",
    ":",
    ":443",
    ":80",
    "?",
    "#",
    "%2e",
    "%2f",
    "%00",
    "xn--",
    "。",
    "é",
    "А",
    "A",
    " ",
    "\t",
    "\n",
    "[::1]",
    "127.0.0.1",
    "x",
    "1",
    "_",
    "~",
    ";",
    "/minioinstance",
    "https://api-minio-minio.auto.prod",
    ".osaas.io/",
];

/// Generates right addresses with parts left out, extended or replaced, and random sequences of pieces.
fn addresses() -> impl Strategy<Value = String> {
    const RIGHT: [&str; 8] =
        ["https://", "api-", "minio-minio", ".auto.", "prod", "-se", ".osaas.io", "/minioinstance"];
    let piece = || prop::sample::select(PIECES).prop_map(str::to_owned);
    let part = |right: &'static str| {
        prop_oneof![
            12 => Just(right.to_owned()),
            1 => Just(String::new()),
            1 => piece(),
            1 => piece().prop_map(move |piece| format!("{right}{piece}")),
        ]
    };
    let nearly_right = RIGHT.map(part).to_vec().prop_map(|parts: Vec<String>| parts.concat());
    prop_oneof![4 => nearly_right, 1 => prop::collection::vec(piece(), 0..12).prop_map(|parts| parts.concat())]
}

/// Makes the same decision from the text alone, without a URL parser.
fn is_written_as_an_api(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let site = host.strip_prefix("api-minio-minio.auto.prod").and_then(|rest| rest.strip_suffix(".osaas.io"));
    let is_site = |site: &str| {
        site.strip_prefix('-')
            .is_some_and(|site| !site.is_empty() && site.chars().all(|c| c.is_ascii_alphanumeric()))
    };
    let is_host = host == "api-ce.prod.osaas.io"
        || host == "api-minio-minio.auto.prod.osaas.io"
        || (site.is_some_and(is_site) && host == host.to_lowercase());
    is_host
        && path.split('/').all(|segment| segment != "." && segment != "..")
        && path.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/".contains(c))
}

proptest! {
    #![proptest_config(Config { cases: 20_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn s61_only_addresses_in_the_form_of_an_api_are_accepted(address in addresses()) {
        let accepted = service_api("prod", MINIO, &address);
        prop_assert_eq!(accepted.is_some(), is_written_as_an_api(&address), "{}", address);
        if let Some(url) = accepted {
            prop_assert_eq!(url.as_str().trim_end_matches('/'), address.trim_end_matches('/'));
        }
    }

    #[test]
    fn s61_a_followed_link_stays_on_the_apis_origin(
        parts in prop::collection::vec(prop::sample::select(PIECES), 0..8),
    ) {
        let api = plain("https://api-minio-minio.auto.prod.osaas.io/minioinstance").unwrap();
        let href = parts.concat();
        if let Some(url) = link(&api, &href) {
            prop_assert_eq!(url.origin(), api.origin(), "{}", href);
            prop_assert!(url.username().is_empty() && url.password().is_none(), "{}", href);
        }
    }
}
