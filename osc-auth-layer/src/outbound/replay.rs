//! Repeats a request's body.

use http_body::Body;

/// Says how the body of a request is sent a second time, after a 401.
///
/// Any function from `&B` to `Option<B>` is such a rule: pass it to [`Outbound::replay`](super::Outbound::replay). It is called
/// before the request is sent the first time. `None` means that the body cannot be repeated.
pub trait Replay<B> {
    /// Returns a copy of the body, if there can be one.
    fn copy(&self, body: &B) -> Option<B>;
}

impl<B, F> Replay<B> for F
where
    F: Fn(&B) -> Option<B>,
{
    fn copy(&self, body: &B) -> Option<B> {
        self(body)
    }
}

/// The default rule: repeats requests without a body. For any body type that has an empty value, as those of axum, reqwest and
/// `http-body-util` have.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyBody;

impl<B> Replay<B> for EmptyBody
where
    B: Body + Default,
{
    fn copy(&self, body: &B) -> Option<B> {
        body.is_end_stream().then(B::default)
    }
}
