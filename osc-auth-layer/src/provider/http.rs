//! The one place that touches the network: a request's value in, a bounded answer or a kind of failure out.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode, header};
use url::Url;

use crate::clock::Clock;
use crate::config::ConfigError;

/// Far above any token or metadata answer; what is longer is nonsense.
const MOST_BYTES: usize = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A request to the provider, as a value.
pub(crate) struct WireRequest {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) body: Option<(&'static str, String)>,
}

/// What the provider answered, whatever its status.
pub(crate) struct WireResponse {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// Why there is no answer. What matters is whether the provider may have acted on the request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum HttpError {
    /// DNS, connect or TLS failed: the provider has not seen the request.
    NotSent,
    /// It was sent, and then the time ran out, the connection broke or the answer was too long.
    PossiblyProcessed,
}

/// Follows no redirect, waits for a bounded time, reads a bounded body and never retries.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
}

impl HttpClient {
    pub(crate) fn new(
        configure: Option<impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Fails only when another thread was first, and then there is one.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let builder = reqwest::Client::builder()
            .user_agent(concat!("osc-auth-layer/", env!("CARGO_PKG_VERSION")))
            // Providers close idle connections too; one they close under a request costs that request its answer.
            .pool_idle_timeout(Duration::from_secs(15));
        let builder = match configure {
            Some(configure) => configure(builder),
            None => builder,
        };
        builder
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .build()
            .map(|client| Self { client, clock })
            .map_err(|error| {
                let problem = format!("gives no usable HTTP client ({})", with_causes(&error.without_url()));
                let remedy = "check the proxy and certificate settings, and that the system has root certificates \
                              (Debian: ca-certificates)";
                ConfigError::invalid("configure_http", problem, remedy)
            })
    }

    pub(crate) async fn send(&self, request: WireRequest) -> Result<WireResponse, HttpError> {
        let mut builder =
            self.client.request(request.method, request.url).header(header::ACCEPT, "application/json");
        if let Some(authorization) = request.authorization {
            builder = builder.header(header::AUTHORIZATION, authorization);
        }
        if let Some((content_type, body)) = request.body {
            builder = builder.header(header::CONTENT_TYPE, content_type).body(body);
        }
        let mut response = builder.send().await.map_err(failure)?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| HttpError::PossiblyProcessed)? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(HttpError::PossiblyProcessed);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(WireResponse {
            status: response.status(),
            retry_after: response
                .headers()
                .get(header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| retry_after(value, self.clock.now())),
            body: body.freeze(),
        })
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}

fn failure(error: reqwest::Error) -> HttpError {
    let kind = if error.is_connect() || error.is_builder() {
        HttpError::NotSent
    } else {
        HttpError::PossiblyProcessed
    };
    // The URL of a token request holds nothing secret, but nobody has to prove that to the reader of a log.
    tracing::debug!(error = %with_causes(&error.without_url()), ?kind, "the provider did not answer");
    kind
}

/// reqwest's own message names only the step that failed; the causes say why.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// RFC 9110 §10.2.3: seconds, or an HTTP date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_nonsense_is_nothing() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        let seconds = |value| retry_after(value, now).map(|duration| duration.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds("Wed, 21 Oct 2015 07:28:30 GMT"), Some(30));
        assert_eq!(seconds("Wed, 21 Oct 2015 07:27:30 GMT"), Some(0));
        for nonsense in ["", "-1", "soon", "1e9", "99999999999999999999999"] {
            assert_eq!(seconds(nonsense), None, "{nonsense}");
        }
    }
}
