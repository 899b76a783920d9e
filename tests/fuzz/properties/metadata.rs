use serde_json::Value;
use url::Url;

use crate::oauth::metadata::{Issuer, Metadata};
use crate::oauth::wire::{AuthMethod, Credentials, client_request};
use crate::secret::Secret;

/// Input: the body of a metadata answer. Accepted metadata names the issuer that was asked, and no endpoint that would get a
/// secret in the clear.
pub fn metadata(data: &[u8]) {
    for issuer in ["https://id.example", "http://127.0.0.1:8080/tenant/", "https://app.osaas.io"] {
        let issuer = Issuer::new(Some(issuer), None, false).expect("a valid issuer");
        let Ok(metadata) = Metadata::parse(data, &issuer) else { continue };
        let json: Value = serde_json::from_slice(data).expect("it was accepted");
        assert_eq!(json["issuer"], issuer.as_str());
        assert_eq!(metadata.issuer, issuer.as_str());
        let endpoints = [
            ("authorization_endpoint", Some(&metadata.authorization_endpoint)),
            ("token_endpoint", Some(&metadata.token_endpoint)),
            ("registration_endpoint", metadata.registration_endpoint.as_ref()),
            ("revocation_endpoint", metadata.revocation_endpoint.as_ref()),
            (
                "pushed_authorization_request_endpoint",
                metadata.pushed_authorization_request_endpoint.as_ref(),
            ),
        ];
        for (name, endpoint) in endpoints {
            let announced = json[name].as_str().map(|text| Url::parse(text).expect("it was accepted"));
            assert_eq!(announced.as_ref(), endpoint, "{name}");
            if let Some(endpoint) = endpoint {
                assert!(is_safe(endpoint), "{name}: {endpoint}");
                has_its_requests(&metadata, endpoint);
            }
        }
        let is_announced = json["authorization_response_iss_parameter_supported"] == true;
        assert_eq!(metadata.iss_in_response, is_announced);
    }
}

/// Judges a URL by its text alone.
fn is_safe(endpoint: &Url) -> bool {
    let host = endpoint.host_str().unwrap_or_default();
    let is_loopback = host == "localhost"
        || host.ends_with(".localhost")
        || host == "[::1]"
        || host.starts_with("127.") && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    !endpoint.as_str().contains('#')
        && (endpoint.as_str().starts_with("https://") && !host.is_empty()
            || endpoint.as_str().starts_with("http://") && is_loopback)
}

/// The layer sends the client's secret in an announced way, and never in the URL.
fn has_its_requests(metadata: &Metadata, endpoint: &Url) {
    let client = |secret| Credentials { id: "cli".to_owned(), secret, auth_method: None };
    let (public, confidential) = (client(None), client(Some(Secret::new("s3cret"))));
    for method in [AuthMethod::None, metadata.registrable_auth_method()] {
        client_request(endpoint.clone(), &public, method, &[]);
    }
    assert_eq!(metadata.token_auth_method(&public), Some(AuthMethod::None));
    let methods = [metadata.token_auth_method(&confidential), metadata.revocation_auth_method(&confidential)];
    for method in methods.into_iter().flatten() {
        let request = client_request(endpoint.clone(), &confidential, method, &[]);
        assert_eq!(request.url, *endpoint);
        let in_body = request.body.is_some_and(|body| body.contains("s3cret"));
        assert_eq!(in_body, method == AuthMethod::Post);
    }
}
