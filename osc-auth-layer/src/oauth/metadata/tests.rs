use super::*;
use crate::secret::Secret;
use serde_json::json;

fn issuer(text: &str) -> Issuer {
    Issuer::new(Some(text), None, false).unwrap()
}

fn minimal() -> Value {
    json!({
        "issuer": "https://id.example",
        "authorization_endpoint": "https://id.example/authorize",
        "token_endpoint": "https://id.example/token",
    })
}

fn parse(json: &Value) -> Result<Metadata, String> {
    Metadata::parse(json.to_string().as_bytes(), &issuer("https://id.example"))
        .map_err(|error| error.to_string())
}

fn with(name: &str, value: Value) -> Value {
    let mut json = minimal();
    json[name] = value;
    json
}

fn confidential() -> Credentials {
    Credentials { id: "id".to_owned(), secret: Some(Secret::new("s")), auth_method: None }
}

#[test]
fn the_well_known_path_precedes_the_issuers_path() {
    let url = |text| issuer(text).metadata_request().url.to_string();
    assert_eq!(url("https://app.osaas.io"), "https://app.osaas.io/.well-known/oauth-authorization-server");
    assert_eq!(
        url("https://id.example/tenant/"),
        "https://id.example/.well-known/oauth-authorization-server/tenant"
    );
}

#[test]
fn an_environment_is_one_label_below_osaas_io() {
    let of = |name| Issuer::new(None, Some(name), false);
    assert_eq!(of("dev").unwrap().as_str(), "https://app.dev.osaas.io");
    assert_eq!(of("prod").unwrap().as_str(), "https://app.osaas.io");
    for name in ["", "a.b", "x/../y", "evil.com#", "DEV", "a@b"] {
        assert!(of(name).is_err(), "{name}");
    }
    assert!(of("dev").unwrap().known_endpoints);
    for foreign in [
        "https://id.example",
        "http://127.0.0.1:1",
        "https://osaas.io.evil.com",
        "https://app.osaas.io.evil.com",
        "https://evilosaas.io",
    ] {
        assert!(!issuer(foreign).known_endpoints, "{foreign}");
    }
}

#[test]
fn s15_metadata_of_another_issuer_is_refused() {
    assert!(parse(&minimal()).is_ok());
    for other in [json!("https://evil.example"), json!("https://id.example/"), json!(null), json!(7)] {
        assert!(parse(&with("issuer", other.clone())).is_err(), "{other}");
    }
}

#[test]
fn s16_endpoints_without_tls_are_refused_off_loopback() {
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "revocation_endpoint",
        "registration_endpoint",
        "pushed_authorization_request_endpoint",
    ] {
        for bad in [
            json!("http://id.example/x"),
            json!("javascript:alert(1)"),
            json!("/relative"),
            json!(["x"]),
            json!("https://id.example/#f"),
        ] {
            assert!(parse(&with(name, bad.clone())).is_err(), "{name} {bad}");
        }
        assert!(parse(&with(name, json!("http://127.0.0.1:9/x"))).is_ok(), "{name}");
    }
}

#[test]
fn malformed_metadata_is_refused_with_a_reason() {
    for body in [&b""[..], b"<html>", b"[]", b"null", b"\"x\"", b"{\"issuer\":", b"\xff"] {
        assert!(Metadata::parse(body, &issuer("https://id.example")).is_err());
    }
    assert!(parse(&with("token_endpoint", json!(null))).unwrap_err().contains("token_endpoint"));
}

#[test]
fn s18_the_auth_method_follows_the_metadata() {
    let method = |value| {
        parse(&with("token_endpoint_auth_methods_supported", value))
            .unwrap()
            .token_auth_method(&confidential())
    };
    assert_eq!(method(json!(["client_secret_basic", "client_secret_post"])), Some(AuthMethod::Post));
    assert_eq!(method(json!(["client_secret_basic", 7])), Some(AuthMethod::Basic));
    assert_eq!(method(json!(["private_key_jwt"])), None);
    assert_eq!(method(json!(null)), Some(AuthMethod::Basic));
    let osc = Metadata::known(&issuer("https://app.osaas.io"));
    assert_eq!(osc.token_auth_method(&confidential()), Some(AuthMethod::Post));
    let public = Credentials { id: "cli".to_owned(), secret: None, auth_method: None };
    assert_eq!(osc.token_auth_method(&public), Some(AuthMethod::None));
    let revocation =
        parse(&with("revocation_endpoint_auth_methods_supported", json!(["client_secret_post"]))).unwrap();
    assert_eq!(revocation.revocation_auth_method(&confidential()), Some(AuthMethod::Post));
    assert_eq!(revocation.token_auth_method(&confidential()), Some(AuthMethod::Basic));
}

#[test]
fn metadata_of_another_issuer_is_told_from_other_faults() {
    let problem = |json: &Value| {
        Metadata::parse(json.to_string().as_bytes(), &issuer("https://id.example")).expect_err("is refused")
    };
    let other = with("issuer", json!("https://id.example/"));
    assert!(matches!(problem(&other), Unusable::OtherIssuer(_)), "{other}");
    for json in [
        with("issuer", json!(7)),
        with("issuer", Value::Null),
        with("token_endpoint", json!("http://id.example/token")),
    ] {
        assert!(matches!(problem(&json), Unusable::Unreadable(_)), "{json}");
    }
}
