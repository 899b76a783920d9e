//! The groups of routes that tests can watch, hold, delay and make fail.

use std::str::FromStr;

/// A group of routes that tests can watch, hold, delay and make fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Endpoint {
    /// Authorization server metadata (RFC 8414).
    Metadata,
    /// The authorization endpoint: the sign-in and consent page and its form.
    Authorize,
    /// The token endpoint.
    Token,
    /// Dynamic client registration (RFC 7591).
    Register,
    /// Token revocation (RFC 7009).
    Revoke,
    /// Pushed authorization requests (RFC 9126).
    Par,
    /// The catalog: the user's subscriptions.
    Catalog,
    /// The platform's token service, which issues service access tokens.
    ServiceToken,
    /// The token balance.
    Money,
    /// Apps, secrets and suspended instances.
    Deploy,
    /// The instance APIs of all services.
    Instances,
    /// Everything else: instances and apps of tenants, foreign hosts, unknown paths. No token may be sent
    /// there.
    Elsewhere,
}

const NAMES: [(&str, Endpoint); 12] = [
    ("metadata", Endpoint::Metadata),
    ("authorize", Endpoint::Authorize),
    ("token", Endpoint::Token),
    ("register", Endpoint::Register),
    ("revoke", Endpoint::Revoke),
    ("par", Endpoint::Par),
    ("catalog", Endpoint::Catalog),
    ("service-token", Endpoint::ServiceToken),
    ("money", Endpoint::Money),
    ("deploy", Endpoint::Deploy),
    ("instances", Endpoint::Instances),
    ("elsewhere", Endpoint::Elsewhere),
];

/// Reads the name that the program's `--delay` takes, such as `token` or `service-token`. The error lists all names.
impl FromStr for Endpoint {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, endpoint)| *endpoint).ok_or_else(|| {
            let names = NAMES.map(|(name, _)| name).join(", ");
            format!("there is no endpoint {name:?}; the endpoints are {names}")
        })
    }
}
