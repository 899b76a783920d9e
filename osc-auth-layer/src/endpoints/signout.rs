//! Signs the user out. The session ends at once, whatever the provider does.

use http::HeaderValue;

use super::Context;
use crate::meter;
use crate::response::{Answer, Refusal, see_other};
use crate::sessions::{RETRY_AFTER, SessionEventKind, Side};

pub(super) async fn serve(context: &Context<'_>) -> Result<Answer, Refusal> {
    let config = &context.auth.config;
    if let Some(id) = context.session_id()
        && !context.auth.sessions.sign_out(&id, SessionEventKind::SignedOut).await
    {
        return Err(Refusal::TemporarilyUnavailable { retry_after: RETRY_AFTER, side: Side::Store });
    }
    meter::signed_out();
    context.cookies.remove(config.cookies.removal(context.facts.session_cookie.clone()));
    let mut response = see_other(&context.after(&config.after_signout));
    if config.clear_cache_on_signout {
        response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    }
    Ok(response)
}
