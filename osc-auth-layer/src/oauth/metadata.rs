//! The provider's metadata (RFC 8414). It is checked when it arrives, and cached by the [`Provider`](super::Provider).

use std::fmt;
use std::sync::Arc;

use http::Method;
use serde_json::Value;
use url::Url;

use super::wire::{AuthMethod, Credentials};
use crate::error::{ConfigError, quoted};
use crate::network::{WireRequest, is_loopback_url};

const SETTING: &str = "OSC_ISSUER / issuer";

/// The configured issuer identifier, an `https` URL (`http` on loopback).
#[derive(Debug)]
pub(crate) struct Issuer {
    text: Arc<str>,
    pub(crate) url: Url,
    /// True if the provider has OSC's endpoint paths and its way of client authentication.
    pub(crate) known_endpoints: bool,
}

impl Issuer {
    pub(crate) fn new(
        issuer: Option<&str>,
        environment: Option<&str>,
        known_endpoints: bool,
    ) -> Result<Self, ConfigError> {
        let text = match (issuer, environment) {
            (Some(_), Some(_)) => {
                let remedy = "Set only one of the two.";
                return Err(ConfigError::invalid(SETTING, "is set together with environment", remedy));
            }
            (Some(issuer), None) => issuer.trim().to_owned(),
            (None, None | Some("prod")) => "https://app.osaas.io".to_owned(),
            (None, Some(name)) if is_environment(name) => format!("https://app.{name}.osaas.io"),
            (None, Some(name)) => {
                let problem = format!("is {name:?}, which is not a name");
                let remedy = "Use a name such as prod, stage or dev.";
                return Err(ConfigError::invalid("environment", problem, remedy));
            }
        };
        let invalid = |problem: &str| {
            let remedy = "Set it to the provider's issuer URL, such as https://app.osaas.io.";
            ConfigError::invalid(SETTING, format!("{} {problem}", quoted(&text)), remedy)
        };
        let url = Url::parse(&text).map_err(|_| invalid("is not an absolute URL"))?;
        if !is_safe(&url) {
            return Err(invalid("is not https (http only on loopback)"));
        }
        // RFC 8414 §2 allows neither query nor fragment.
        let names_a_user = !url.username().is_empty() || url.password().is_some();
        if url.query().is_some() || url.fragment().is_some() || names_a_user {
            return Err(invalid("has a query, a fragment or a user name"));
        }
        let known_endpoints = known_endpoints || is_osc(&url);
        Ok(Self { text: text.into(), url, known_endpoints })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the issuer without a copy.
    pub(crate) fn shared(&self) -> &Arc<str> {
        &self.text
    }

    /// Makes the request for the metadata. The well-known path goes between host and path (RFC 8414 §3.1).
    pub(crate) fn metadata_request(&self) -> WireRequest {
        let mut url = self.url.clone();
        let path = self.url.path().trim_end_matches('/');
        url.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
        WireRequest::new(Method::GET, url)
    }

    fn endpoint(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url
    }
}

/// Returns true for a single label of a host name, which cannot smuggle in another host.
pub(crate) fn is_environment(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(plain)
}

fn is_osc(url: &Url) -> bool {
    let name = url.host_str().and_then(|host| host.strip_prefix("app.")).unwrap_or_default();
    url.scheme() == "https" && (name == "osaas.io" || name.ends_with(".osaas.io"))
}

/// Returns true if secrets may be sent there: TLS or loopback (RFC 9700 §2.6).
pub(crate) fn is_safe(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback_url(url),
        _ => false,
    }
}

/// Metadata that must not be used. The text names the problem and quotes at most a short part.
#[derive(Debug, PartialEq)]
pub(crate) enum Unusable {
    /// It is of another issuer, so the configured one is wrong.
    OtherIssuer(String),
    Unreadable(String),
}

impl From<String> for Unusable {
    fn from(problem: String) -> Self {
        Self::Unreadable(problem)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::OtherIssuer(problem) | Self::Unreadable(problem)) = self;
        f.write_str(problem)
    }
}

/// The fields of the metadata that the layer uses.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) registration_endpoint: Option<Url>,
    pub(crate) revocation_endpoint: Option<Url>,
    pub(crate) pushed_authorization_request_endpoint: Option<Url>,
    /// True if `S256` is among the announced methods of PKCE. `None` if none are announced (RFC 8414 §2).
    pub(crate) announces_s256: Option<bool>,
    /// True if the callback must have `iss` (RFC 9207 §3).
    pub(crate) iss_in_response: bool,
    token_auth_methods: Option<Vec<AuthMethod>>,
    revocation_auth_methods: Option<Vec<AuthMethod>>,
    osc_dialect: bool,
}

impl Metadata {
    /// Returns OSC's known endpoints, for use while the metadata cannot be fetched.
    pub(crate) fn known(issuer: &Issuer) -> Self {
        Self {
            issuer: issuer.as_str().to_owned(),
            authorization_endpoint: issuer.endpoint("/api/connect/authorize"),
            token_endpoint: issuer.endpoint("/api/connect/token"),
            registration_endpoint: Some(issuer.endpoint("/api/connect/register")),
            revocation_endpoint: None,
            pushed_authorization_request_endpoint: None,
            announces_s256: None,
            iss_in_response: false,
            token_auth_methods: None,
            revocation_auth_methods: None,
            osc_dialect: true,
        }
    }

    /// Reads an answer to [`Issuer::metadata_request`].
    pub(crate) fn parse(body: &[u8], issuer: &Issuer) -> Result<Self, Unusable> {
        let json: Value = serde_json::from_slice(body).map_err(|_| "is not JSON".to_owned())?;
        let text = |name: &str| match json.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(format!("has a {name} that is not a string")),
        };
        // The issuer must be identical, or the answer must not be used (RFC 8414 §3.3).
        let named = text("issuer")?.ok_or_else(|| "names no issuer".to_owned())?;
        if named != issuer.as_str() {
            let shown: String = named.chars().take(200).collect();
            let problem = format!("names the issuer {shown:?} instead of {:?}", issuer.text);
            let is_another = Url::parse(named).is_ok();
            return Err(if is_another { Unusable::OtherIssuer(problem) } else { problem.into() });
        }
        let endpoint = |name: &str| {
            let Some(text) = text(name)? else { return Ok(None) };
            match Url::parse(text) {
                Ok(url) if is_safe(&url) && url.fragment().is_none() => Ok(Some(url)),
                _ => Err(format!("has a {name} that is not an https URL")),
            }
        };
        let required = |name: &str| endpoint(name)?.ok_or(format!("has no {name}"));
        Ok(Self {
            issuer: issuer.as_str().to_owned(),
            authorization_endpoint: required("authorization_endpoint")?,
            token_endpoint: required("token_endpoint")?,
            registration_endpoint: endpoint("registration_endpoint")?,
            revocation_endpoint: endpoint("revocation_endpoint")?,
            pushed_authorization_request_endpoint: endpoint("pushed_authorization_request_endpoint")?,
            announces_s256: json["code_challenge_methods_supported"]
                .as_array()
                .map(|methods| methods.iter().any(|method| method == "S256")),
            iss_in_response: json["authorization_response_iss_parameter_supported"] == true,
            token_auth_methods: auth_methods(&json, "token_endpoint_auth_methods_supported"),
            revocation_auth_methods: auth_methods(&json, "revocation_endpoint_auth_methods_supported"),
            osc_dialect: issuer.known_endpoints,
        })
    }

    /// Returns the method for `credentials` at the token endpoint. `None` if the provider announces no supported method.
    pub(crate) fn token_auth_method(&self, credentials: &Credentials) -> Option<AuthMethod> {
        self.choose(credentials, self.token_auth_methods.as_deref())
    }

    /// Returns the method at the revocation endpoint. It defaults to that of the token endpoint (RFC 8414 §2).
    pub(crate) fn revocation_auth_method(&self, credentials: &Credentials) -> Option<AuthMethod> {
        let announced = self.revocation_auth_methods.as_deref();
        self.choose(credentials, announced.or(self.token_auth_methods.as_deref()))
    }

    fn choose(&self, credentials: &Credentials, announced: Option<&[AuthMethod]>) -> Option<AuthMethod> {
        if credentials.secret.is_none() {
            return Some(AuthMethod::None);
        }
        credentials.auth_method.or_else(|| match announced {
            // By RFC 8414 §2 a missing list means `client_secret_basic`. OSC expects the secret in the body.
            None if self.osc_dialect => Some(AuthMethod::Post),
            None => Some(AuthMethod::Basic),
            Some(methods) => {
                [AuthMethod::Post, AuthMethod::Basic].into_iter().find(|method| methods.contains(method))
            }
        })
    }

    /// Returns the method that a registration asks for (RFC 7591 §2).
    pub(crate) fn registrable_auth_method(&self) -> AuthMethod {
        let announced = self.token_auth_methods.as_deref().unwrap_or_default();
        let preferred = [AuthMethod::Post, AuthMethod::Basic, AuthMethod::None];
        preferred.into_iter().find(|method| announced.contains(method)).unwrap_or(AuthMethod::Post)
    }
}

fn auth_methods(json: &Value, name: &str) -> Option<Vec<AuthMethod>> {
    let names = json.get(name)?.as_array()?;
    Some(names.iter().filter_map(|name| AuthMethod::parse(name.as_str()?)).collect())
}

#[cfg(test)]
mod tests;
