//! The visitor of a request: signed in, anonymous, or unknown in an outage.

use std::time::Duration;

use http::Extensions;

use super::{OscToken, Side};

/// Says who sends a request, on a [public path](crate::OscAuthLayerBuilder::public_path) too.
///
/// `Option<OscToken>` is `None` both without a session and in an outage. This type tells the two apart, so that a page does not
/// offer *Sign in* to a user who is signed in.
///
/// With the feature `axum` it is an extractor that never fails. Elsewhere, [`of`](Self::of) reads it from the request.
///
/// ```
/// use http::Request;
/// use osc_auth_layer::OscVisitor;
///
/// fn greet(request: &Request<()>) -> &'static str {
///     match OscVisitor::of(request.extensions()) {
///         OscVisitor::SignedIn(_token) => "Welcome back!",
///         OscVisitor::Unavailable { .. } => "We cannot tell who you are right now. Try again in a moment.",
///         _ => "Sign in to continue.",
///     }
/// }
/// assert_eq!(greet(&Request::new(())), "Sign in to continue.");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OscVisitor {
    /// The request has no session. The visitor may sign in.
    Anonymous,
    /// The user is signed in.
    SignedIn(OscToken),
    /// The request has a session cookie, but the layer cannot tell who the visitor is: the session store or the provider is
    /// unreachable, or took longer than the 200 ms that a public path waits. The session is kept.
    Unavailable {
        /// The time after which a retry makes sense.
        retry_after: Duration,
    },
}

/// Marks a request whose visitor is not known because of an outage. A request with a token never needs it, so it costs nothing there.
#[derive(Clone, Copy)]
pub(crate) struct Outage {
    pub(crate) retry_after: Duration,
    #[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "an extractor reads it"))]
    pub(crate) side: Side,
}

/// The visitor that the layer lets pass.
pub(crate) enum Entrant {
    SignedIn(OscToken),
    Anonymous,
    Unknown(Outage),
}

impl OscVisitor {
    /// Reads the visitor from the extensions of a request behind the layer. Without the layer it is [`Anonymous`](Self::Anonymous).
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        // The token counts first: a mark beside it is that of an outer layer.
        match (extensions.get::<OscToken>(), extensions.get::<Outage>()) {
            (Some(token), _) => Self::SignedIn(token.clone()),
            (None, Some(Outage { retry_after, .. })) => Self::Unavailable { retry_after: *retry_after },
            (None, None) => Self::Anonymous,
        }
    }
}

impl Entrant {
    /// Puts the visitor into the request's extensions, in the place of the one that an outer layer put there.
    pub(crate) fn enter(self, extensions: &mut Extensions) {
        match self {
            Self::SignedIn(token) => _ = extensions.insert(token),
            Self::Unknown(outage) => {
                extensions.remove::<OscToken>();
                extensions.insert(outage);
            }
            Self::Anonymous => {
                extensions.remove::<OscToken>();
                extensions.remove::<Outage>();
            }
        }
    }
}
