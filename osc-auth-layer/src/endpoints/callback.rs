//! The callback: completes a sign-in, but only in the browser that began it (RFC 6749 §4.1.2).

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::Context;
use super::exchange::Delivery;
use super::outcomes::Outcome;
use super::pending::PendingCookies;
use super::query::Query;
use crate::endpoints::Auth;
use crate::response::{Answer, Refusal, see_other};
use crate::sessions::SessionId;

/// How long a browser waits for the exchange of the code. The exchange goes on afterwards, and a reload gets its outcome.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn serve(context: &Context<'_>) -> Result<Answer, Refusal> {
    let (auth, config) = (context.auth, &context.auth.config);
    let query = Query::parse(context.head.uri().query())?;
    let session_cookie = context.session_cookie();
    let cookies = PendingCookies { cookies: &context.cookies, config, session_cookie: &session_cookie };
    let pending = query
        .get("state")
        .and_then(|state| cookies.find(state))
        .filter(|pending| pending.issuer == auth.sessions.provider.issuer.as_str());
    let Some(pending) = pending.map(Arc::new) else {
        return no_pending(context).await;
    };
    let now = auth.sessions.common_now().await.map_err(|_| Refusal::ProviderUnavailable)?;
    if pending.has_expired(now) {
        cookies.remove(&pending);
        return no_pending(context).await;
    }
    let Some(delivery) = Delivery::begin(auth, &pending, query, now)? else {
        return no_pending(context).await;
    };
    let outcome = match select(Box::pin(delivery.outcome()), auth.sessions.clock.sleep(PATIENCE)).await {
        Either::Left((outcome, _)) => outcome,
        // The pending sign-in stays, so that a reload can join the exchange.
        Either::Right(_) => return Err(Refusal::ProviderUnavailable),
    };
    let Some(outcome) = outcome else { return Err(Refusal::ProviderUnavailable) };
    cookies.remove(&pending);
    match outcome {
        Outcome::SignedIn { id, is_relayed } => {
            if !is_live(auth, &id).await? || is_relayed && !delivery.claim().await? {
                return no_pending(context).await;
            }
            // Dropped but not revoked, because the provider may have used the same grant for this sign-in.
            if let Some(old) = context.session_id().filter(|old| *old != id) {
                auth.sessions.drop_out(&old).await;
            }
            // No wait follows, so this answer gives the session to the browser.
            delivery.hand_on();
            let lifetime = context.auth.sessions.timing.absolute_timeout;
            context.cookies.add(config.cookies.build(session_cookie, id.cookie_value(), lifetime));
            Ok(see_other(&pending.return_to))
        }
        Outcome::Refused(refusal) => Err(refusal),
        Outcome::Used => no_pending(context).await,
    }
}

/// Returns false if the session was signed out after it began.
async fn is_live(auth: &Arc<Auth>, id: &SessionId) -> Result<bool, Refusal> {
    // Another request may be reading it, so a session without a token proves nothing.
    let known = auth.sessions.table.find(id);
    if known.is_some_and(|session| auth.sessions.table.current(&session).is_some()) {
        return Ok(true);
    }
    let live = auth.sessions.live(id).await.map_err(|_| Refusal::ProviderUnavailable)?;
    Ok(live.is_some())
}

/// Answers an unknown, expired, used or foreign state. The back button leads here too: a signed-in user returns to the app.
async fn no_pending(context: &Context<'_>) -> Result<Answer, Refusal> {
    let config = &context.auth.config;
    let Some(id) = context.session_id() else {
        return Err(Refusal::InvalidState);
    };
    match context.auth.sessions.live(&id).await {
        Ok(Some(_)) => Ok(see_other(&context.after(&config.after_signin))),
        Ok(None) => Err(Refusal::InvalidState),
        Err(_) => Err(Refusal::ProviderUnavailable),
    }
}
