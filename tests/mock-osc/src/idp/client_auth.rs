//! Client authentication (RFC 6749 §2.3).

use std::collections::HashMap;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::idp::client::Client;
use crate::idp::error::OAuthError;
use crate::request::{Params, Recorded};

/// The client id and secret of a request.
#[derive(Debug, PartialEq, Eq)]
struct Credentials {
    method: &'static str,
    id: String,
    secret: Option<String>,
}

/// Returns the client that sent the request, if it authenticated with one of the `announced` methods.
pub(crate) fn authenticate<'a>(
    clients: &'a HashMap<String, Client>,
    announced: &[String],
    request: &Recorded,
    params: &Params,
    now: SystemTime,
) -> Result<&'a Client, OAuthError> {
    let Credentials { method, id, secret } = credentials(request.header("authorization"), params)?;
    let refuse = |why| OAuthError::invalid_client(why, method == "client_secret_basic");
    if !announced.iter().any(|known| known == method) {
        return Err(refuse("this client authentication method is not supported"));
    }
    let client = clients.get(&id).ok_or(refuse("no such client"))?;
    if client.secret != secret {
        return Err(refuse("the client credentials are wrong"));
    }
    if client.secret_expires_at.is_some_and(|at| at <= now) {
        return Err(refuse("the client secret has expired"));
    }
    if client.auth_method.as_ref().is_some_and(|registered| registered != method) {
        return Err(refuse("the client registered another authentication method"));
    }
    Ok(client)
}

fn credentials(authorization: Option<&str>, params: &Params) -> Result<Credentials, OAuthError> {
    let id = params.get("client_id").map(str::to_owned);
    let secret = params.get("client_secret").map(str::to_owned);
    let Some(authorization) = authorization else {
        let id = id.ok_or(OAuthError::invalid_client("client_id is missing", false))?;
        let method = if secret.is_some() { "client_secret_post" } else { "none" };
        return Ok(Credentials { method, id, secret });
    };
    if secret.is_some() {
        return Err(OAuthError::invalid_request("two ways of client authentication at once"));
    }
    let malformed = OAuthError::invalid_client("malformed Basic credentials", true);
    let (basic_id, basic_secret) = decode_basic(authorization).ok_or(malformed)?;
    if id.is_some_and(|id| id != basic_id) {
        return Err(OAuthError::invalid_request("client_id differs from the Authorization header"));
    }
    Ok(Credentials { method: "client_secret_basic", id: basic_id, secret: Some(basic_secret) })
}

/// Decodes Basic credentials. Id and secret are form-encoded before they are joined (RFC 6749 §2.3.1).
fn decode_basic(authorization: &str) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())??;
    let decoded = String::from_utf8(decoded).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    Some((plain(id)?, plain(secret)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_decoded() {
        let header = format!("Basic {}", STANDARD.encode("my%3Aid:p%25+s%2B"));
        assert_eq!(decode_basic(&header), Some(("my:id".to_owned(), "p% s+".to_owned())));
        assert_eq!(decode_basic("Bearer abc"), None);
    }

    #[test]
    fn header_and_body_together_are_refused() {
        let pairs = [("client_id", "a"), ("client_secret", "b")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let params = Params::parse(&pairs).unwrap();
        let header = format!("Basic {}", STANDARD.encode("a:b"));
        assert_eq!(credentials(Some(&header), &params).unwrap_err().error, "invalid_request");
        assert_eq!(credentials(None, &params).unwrap().method, "client_secret_post");
    }
}
