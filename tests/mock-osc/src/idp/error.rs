//! Errors of the token endpoint and similar endpoints (RFC 6749 §5.2).

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use serde_json::json;

use crate::reply::Reply;

/// An OAuth error code with a readable description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
    /// True if the client used the `Authorization` header. The answer must then challenge it.
    challenge: bool,
}

impl OAuthError {
    pub(crate) const fn new(error: &'static str, description: &'static str) -> Self {
        Self { error, description, challenge: false }
    }

    pub(crate) const fn invalid_request(description: &'static str) -> Self {
        Self::new("invalid_request", description)
    }

    pub(crate) const fn invalid_grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }

    pub(crate) const fn invalid_client(description: &'static str, challenge: bool) -> Self {
        Self { challenge, ..Self::new("invalid_client", description) }
    }

    pub(crate) fn reply(self) -> Reply {
        let status =
            if self.error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        let body = json!({ "error": self.error, "error_description": self.description });
        let reply = Reply::json(status, &body).no_store();
        if self.challenge {
            reply.with(WWW_AUTHENTICATE, r#"Basic realm="OSC", charset="UTF-8""#)
        } else {
            reply
        }
    }
}
