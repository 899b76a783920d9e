//! The callback: completes a sign-in, but only in the browser that began it (RFC 6749 §4.1.2).

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::header;

use super::Context;
use super::exchange::Delivery;
use super::outcomes::Outcome;
use super::query::Query;
use crate::endpoints::Auth;
use crate::response::{Answer, Refusal, see_other};
use crate::sessions::{Device, SessionId};

/// How long a browser waits for the exchange of the code. The exchange goes on afterwards, and a reload gets its outcome.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn serve(context: &Context<'_>) -> Result<Answer, Refusal> {
    if let Some(answer) = complete(context).await? {
        return Ok(answer);
    }
    // The back button leads here too: a signed-in user returns to the app.
    let id = context.session_id().ok_or(Refusal::InvalidState)?;
    let live = context.auth.sessions.live(&id).await.map_err(|_| Refusal::ProviderUnavailable)?;
    live.ok_or(Refusal::InvalidState)?;
    Ok(see_other(&context.after(&context.auth.config.after_signin)))
}

/// Completes the sign-in that the state belongs to. `None` if the state is unknown, expired, used or foreign.
async fn complete(context: &Context<'_>) -> Result<Option<Answer>, Refusal> {
    let (auth, cookies) = (context.auth, context.pending_cookies());
    let query = Query::parse(context.head.uri().query())?;
    let issuer = auth.sessions.provider.issuer.as_str();
    let pending = query.get("state").and_then(|state| cookies.find(state));
    let Some(pending) = pending.filter(|pending| pending.issuer == issuer).map(Arc::new) else {
        return Ok(None);
    };
    let now = auth.sessions.common_now().await.map_err(|_| Refusal::ProviderUnavailable)?;
    if pending.has_expired(now) {
        cookies.remove(&pending);
        return Ok(None);
    }
    let device = context.head.headers().get(header::USER_AGENT).map(|agent| Device::of(agent.as_bytes()));
    let delivery = Delivery::begin(auth, &pending, query, now, device.unwrap_or_default())?;
    let Some(delivery) = delivery else { return Ok(None) };
    let outcome = match select(Box::pin(delivery.outcome()), auth.sessions.clock.sleep(PATIENCE)).await {
        Either::Left((Some(outcome), _)) => outcome,
        // The pending sign-in stays, so that a reload can join the exchange.
        _ => return Err(Refusal::ProviderUnavailable),
    };
    cookies.remove(&pending);
    let (id, is_relayed) = match outcome {
        Outcome::SignedIn { id, is_relayed } => (id, is_relayed),
        Outcome::Refused(refusal) => return Err(refusal),
        Outcome::Used => return Ok(None),
    };
    if !is_live(auth, &id).await? || is_relayed && !delivery.claim().await? {
        return Ok(None);
    }
    // Dropped but not revoked, because the provider may have used the same grant for this sign-in.
    if let Some(old) = context.session_id().filter(|old| *old != id) {
        auth.sessions.drop_out(&old).await;
    }
    // No wait follows, so this answer gives the session to the browser.
    delivery.hand_on();
    let (name, lifetime) = (context.facts.session_cookie.clone(), auth.sessions.timing.absolute_timeout);
    context.cookies.add(auth.config.cookies.build(name, id.cookie_value(), lifetime));
    Ok(Some(see_other(&pending.return_to)))
}

/// Returns false if the session was signed out after it began.
async fn is_live(auth: &Arc<Auth>, id: &SessionId) -> Result<bool, Refusal> {
    // A session without a token may be live all the same, while another request reads it from the store.
    let known = auth.sessions.table.find(id);
    if known.is_some_and(|session| auth.sessions.table.current(&session).is_some()) {
        return Ok(true);
    }
    let live = auth.sessions.live(id).await.map_err(|_| Refusal::ProviderUnavailable)?;
    Ok(live.is_some())
}
