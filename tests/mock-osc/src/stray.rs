//! Finds tokens that were sent to the wrong place.

use crate::endpoint::Endpoint;
use crate::mock::MockOsc;
use crate::request::Recorded;

impl MockOsc {
    /// Returns the requests that carried a token to a place where the token does not belong:
    ///
    /// - an access token to the API of a service,
    /// - a service access token to the platform,
    /// - either of them, or any other secret that the mock has issued, to a foreign host.
    pub fn stray_tokens(&self) -> Vec<Recorded> {
        let issued = self.issued_tokens();
        self.shared.log.filter(|endpoint, request| {
            is_stray(endpoint, request)
                || endpoint == Endpoint::Elsewhere && issued.iter().any(|secret| holds(request, secret))
        })
    }
}

fn is_stray(endpoint: Endpoint, request: &Recorded) -> bool {
    let foreign: &[&str] = match endpoint {
        Endpoint::Elsewhere => &["x-pat-jwt", "x-jwt", "authorization"],
        Endpoint::Catalog | Endpoint::ServiceToken | Endpoint::Money | Endpoint::Deploy => {
            &["x-jwt", "authorization"]
        }
        Endpoint::Instances => &["x-pat-jwt"],
        // Clients authenticate by `Authorization` here.
        Endpoint::Metadata
        | Endpoint::Authorize
        | Endpoint::Token
        | Endpoint::Register
        | Endpoint::Revoke
        | Endpoint::Par => &["x-pat-jwt", "x-jwt"],
    };
    foreign.iter().any(|name| request.header(name).is_some())
}

fn holds(request: &Recorded, secret: &str) -> bool {
    let values = request.headers.iter().chain(&request.query).map(|(_, value)| value);
    values.chain([&request.path, &request.body]).any(|text| text.contains(secret))
}
