//! Calls your own APIs with the user's fresh token (feature `outbound`).
//!
//! [`Outbound`] names the APIs. It is a Tower layer for HTTP clients, and it makes an [`OutboundClient`] from `reqwest`.
//!
//! # What happens to a request
//!
//! 1. It goes to one of the named origins, or it is an error and nothing is sent.
//! 2. `Authorization` is replaced by the session's token. `Cookie` and `Proxy-Authorization` are removed. A `Host` header is
//!    replaced by the origin's.
//! 3. If the API answers 401, the token is refreshed and the request is sent once more. The second answer is yours, whatever it is.
//! 4. A redirect is not followed. It is yours too.
//!
//! A request is repeated only if its body can be: see [`Replay`] for Tower clients. Otherwise you get the 401, and the next
//! request has the new token.
//!
//! For Open Source Cloud's own APIs and for the user's instances use `OscContext` (feature `client`).

mod client;
mod error;
mod future;
mod headers;
mod origin;
mod rejected;
mod replay;
mod service;

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

pub use self::client::OutboundClient;
pub use self::error::{OutboundError, OutboundErrorKind};
pub use self::future::OutboundFuture;
use self::origin::Origin;
pub use self::replay::{EmptyBody, Replay};
pub use self::service::{OutboundLayer, OutboundService};
use crate::error::{ConfigError, quoted};

const SETTING: &str = "Outbound::to";

/// The APIs that get the user's token, and no others.
///
/// It is a layer for Tower clients, services that take an [`http::Request`] with an absolute URI. The session is the
/// [`OscSession`](crate::OscSession) or [`OscToken`](crate::OscToken) in the request's extensions. For `reqwest` see
/// [`client`](Self::client).
///
/// ```
/// use http::{Request, Response};
/// use osc_auth_layer::{OscSession, Outbound};
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// # async fn send(_: Request<String>) -> Result<Response<String>, std::io::Error> { todo!() }
/// async fn orders(session: OscSession) -> Result<Response<String>, Box<dyn std::error::Error>> {
///     let apis = Outbound::to(["https://api.example.com"])?;
///     let mut http = ServiceBuilder::new().layer(apis).service_fn(send); // your HTTP client
///     let request = Request::get("https://api.example.com/orders").extension(session).body(String::new())?;
///     Ok(http.ready().await?.call(request).await?)
/// }
/// ```
#[derive(Clone)]
pub struct Outbound {
    origins: Arc<[Origin]>,
}

impl Outbound {
    /// Names the APIs by their origins: scheme, host, and a port unless it is the default one.
    ///
    /// An origin is `https`. Plain `http` is accepted for `localhost`, `127.0.0.0/8` and `[::1]` only. There are no wildcards,
    /// and an origin does not include its subdomains.
    ///
    /// Every process at a named origin can act as your users, with all that their tokens allow. So of the hosts under `osaas.io`,
    /// only those of apps are accepted, such as `https://0123abcd.apps.osaas.io`. Name only apps of your own. Instances are refused,
    /// because their owners' content and code run there.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no origin, or if one is not acceptable.
    ///
    /// ```
    /// use osc_auth_layer::Outbound;
    ///
    /// let apis = Outbound::to(["https://api.example.com", "http://localhost:8080"])?;
    /// assert!(Outbound::to(["https://tenant-store.minio-minio.auto.prod.osaas.io"]).is_err());
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    pub fn to<I>(origins: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let origins = origins.into_iter().map(|text| Self::check(text.as_ref()));
        let origins = origins.collect::<Result<Arc<[_]>, _>>()?;
        if origins.is_empty() {
            return Err(ConfigError::missing(
                SETTING,
                "Name at least one API, such as https://api.example.com.",
            ));
        }
        Ok(Self { origins })
    }

    fn check(text: &str) -> Result<Origin, ConfigError> {
        let origin = Origin::parse(text).map_err(|problem| {
            let remedy = "Name each API by its origin, such as https://api.example.com. Plain http works on localhost only.";
            ConfigError::invalid(SETTING, format!("{} {problem}", quoted(text)), remedy)
        })?;
        if origin.belongs_to_osc() {
            let problem =
                format!("{} belongs to Open Source Cloud, where customers' instances run", quoted(text));
            let remedy = "Name a host of your own, or your app's https://….apps.osaas.io. For OSC's services and the user's \
                          instances use OscContext.";
            return Err(ConfigError::invalid(SETTING, problem, remedy));
        }
        Ok(origin)
    }

    /// Returns the layer with a rule for repeating requests after a 401. Without this call, requests without a body are repeated.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::Full;
    /// use osc_auth_layer::Outbound;
    ///
    /// let layer = Outbound::to(["https://api.example.com"])?.replay(|body: &Full<Bytes>| Some(body.clone()));
    /// # Ok::<(), osc_auth_layer::ConfigError>(())
    /// ```
    #[must_use]
    pub fn replay<R>(self, replay: R) -> OutboundLayer<R> {
        OutboundLayer { outbound: self, replay }
    }
}

impl<S> Layer<S> for Outbound {
    type Service = OutboundService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.clone().replay(EmptyBody).layer(inner)
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outbound").field(&self.origins).finish()
    }
}
