//! The error codes of OAuth. A code is recognised in its original form, and redacted only for display.

use std::fmt;

use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Serialize};

use crate::redact::redacted;

/// An error code in an answer of the provider. The known codes: RFC 6749 §4.1.2.1 and §5.2, RFC 7591 §3.2.2. RFC 9126 §2.3
/// adds none.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorCode {
    AccessDenied,
    InvalidClient,
    InvalidClientMetadata,
    InvalidGrant,
    InvalidRedirectUri,
    InvalidRequest,
    InvalidScope,
    InvalidSoftwareStatement,
    ServerError,
    TemporarilyUnavailable,
    UnapprovedSoftwareStatement,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    /// Any other.
    #[serde(rename = "an unknown error", skip_deserializing)]
    Other,
}

impl ErrorCode {
    pub(crate) fn of(text: &str) -> Self {
        Self::deserialize(StrDeserializer::<Error>::new(text)).unwrap_or(Self::Other)
    }

    /// Returns the code for a log line. A known code is shown as it is, an unknown one is redacted.
    pub(crate) fn shown(text: &str, secrets: &[&str]) -> String {
        match Self::of(text) {
            Self::Other => redacted(text, 64, secrets),
            known => known.to_string(),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The reason why requests fail until somebody changes a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Misconfiguration {
    /// The provider's own error code.
    Code(ErrorCode),
    /// The provider announces no client authentication method that the layer supports.
    NoCommonAuthMethod,
    /// The metadata at the configured issuer's address names another issuer.
    OtherIssuer,
    NoRegistrationEndpoint,
    RegistrationRefused,
    TooManyRedirectUris,
}

impl Misconfiguration {
    /// Returns true if every request of this client would fail (RFC 6749 §5.2). All other codes are about a single request.
    pub(crate) fn is_about_the_client(self) -> bool {
        use ErrorCode::{InvalidClient, UnauthorizedClient, UnsupportedGrantType};
        matches!(
            self,
            Self::NoCommonAuthMethod | Self::Code(InvalidClient | UnauthorizedClient | UnsupportedGrantType)
        )
    }
}

impl fmt::Display for Misconfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => code.fmt(f),
            Self::NoCommonAuthMethod => f.write_str("no client authentication method in common"),
            Self::OtherIssuer => f.write_str("no metadata of the configured issuer"),
            Self::NoRegistrationEndpoint => f.write_str("no registration_endpoint"),
            Self::RegistrationRefused => f.write_str("registration refused"),
            Self::TooManyRedirectUris => f.write_str("too many redirect URIs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [(&str, ErrorCode); 14] = [
        ("access_denied", ErrorCode::AccessDenied),
        ("invalid_client", ErrorCode::InvalidClient),
        ("invalid_client_metadata", ErrorCode::InvalidClientMetadata),
        ("invalid_grant", ErrorCode::InvalidGrant),
        ("invalid_redirect_uri", ErrorCode::InvalidRedirectUri),
        ("invalid_request", ErrorCode::InvalidRequest),
        ("invalid_scope", ErrorCode::InvalidScope),
        ("invalid_software_statement", ErrorCode::InvalidSoftwareStatement),
        ("server_error", ErrorCode::ServerError),
        ("temporarily_unavailable", ErrorCode::TemporarilyUnavailable),
        ("unapproved_software_statement", ErrorCode::UnapprovedSoftwareStatement),
        ("unauthorized_client", ErrorCode::UnauthorizedClient),
        ("unsupported_grant_type", ErrorCode::UnsupportedGrantType),
        ("unsupported_response_type", ErrorCode::UnsupportedResponseType),
    ];

    #[test]
    fn only_exact_codes_are_recognised() {
        for (name, code) in KNOWN {
            assert_eq!((ErrorCode::of(name), code.to_string().as_str()), (code, name));
        }
        assert_eq!(ErrorCode::Other.to_string(), "an unknown error");
        for other in [
            "",
            "other",
            "an unknown error",
            "InvalidGrant",
            "Invalid_Grant",
            "invalid_grant ",
            "invalid_grantx",
            "rt-123",
        ] {
            assert_eq!(ErrorCode::of(other), ErrorCode::Other, "{other:?}");
        }
    }

    #[test]
    fn s33_a_known_code_is_shown_even_if_it_equals_a_secret() {
        for secret in ["r", "invalid", "invalid_grant", "invalid_grant_and_more"] {
            assert_eq!(ErrorCode::shown("invalid_grant", &[secret]), "invalid_grant");
        }
        assert_eq!(ErrorCode::shown("no rt-123\n", &["rt-123"]), "no [withheld]");
    }
}
