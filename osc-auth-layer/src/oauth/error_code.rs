//! The error codes of OAuth. A code is recognised in its original form, and redacted only for display.

use std::fmt;

use crate::redact::redacted;

/// An error code in an answer of the provider.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    Other,
}

/// The known codes: RFC 6749 §4.1.2.1 and §5.2, RFC 7591 §3.2.2. RFC 9126 §2.3 adds none.
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

impl ErrorCode {
    pub(crate) fn of(text: &str) -> Self {
        KNOWN.iter().find(|(name, _)| *name == text).map_or(Self::Other, |(_, code)| *code)
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
        let name = KNOWN.iter().find(|(_, code)| code == self).map(|(name, _)| *name);
        f.write_str(name.unwrap_or("an unknown error"))
    }
}

/// The reason why requests fail until somebody changes a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Misconfiguration {
    /// The provider's own error code.
    Code(ErrorCode),
    /// The provider announces no client authentication method that the layer supports.
    NoCommonAuthMethod,
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
            Self::NoRegistrationEndpoint => f.write_str("no registration_endpoint"),
            Self::RegistrationRefused => f.write_str("registration refused"),
            Self::TooManyRedirectUris => f.write_str("too many redirect URIs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_codes_are_recognised() {
        for (name, code) in KNOWN {
            assert_eq!((ErrorCode::of(name), code.to_string().as_str()), (code, name));
        }
        for other in ["", "Invalid_Grant", "invalid_grant ", "invalid_grantx", "rt-123"] {
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
