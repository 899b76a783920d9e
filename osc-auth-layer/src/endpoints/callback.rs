//! The callback: completes a sign-in, but only in the browser that began it (RFC 6749 §4.1.2).

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::header;

use super::exchange::{self, Delivery};
use super::outcomes::Outcome;
use super::pending::PendingSignIn;
use super::query::Query;
use super::state::{self, Parties, State};
use super::{Context, Failed, signin};
use crate::endpoints::Auth;
use crate::meter::{self, Callback, SignIn};
use crate::oauth::ErrorCode;
use crate::response::{Answer, Refusal, StateProblem, see_other};
use crate::sessions::{Device, SessionId};

/// How long a browser waits for the exchange of the code. The exchange goes on afterwards, and a reload gets its outcome.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the layer begins a displaced sign-in anew. Tabs that come back together may displace each other again.
const MOST_RESTARTS: u8 = 3;

/// Serves the callback. After any failure, one click leads the user to the page of the sign-in. The `state` names that page too,
/// because the browser may have lost the cookie.
pub(super) async fn serve(context: &Context<'_>) -> Result<Answer, Failed> {
    let query = context.query()?;
    let found = find(context, query);
    let return_to = match &found {
        Found::Pending(pending) => pending.return_to.clone(),
        Found::State(state) => state.carried.return_to.clone(),
        Found::Nothing => None,
    };
    let towards = |refusal| Failed::towards(refusal, return_to.as_deref());
    let error = query.get("error").map(ErrorCode::of);
    let problem = match &found {
        Found::Pending(pending) => match complete(context, pending, query).await.map_err(towards)? {
            Ok(answer) => {
                meter::callback(Callback::SignedIn);
                return Ok(answer);
            }
            Err(problem) => problem,
        },
        Found::State(state) => problem_of(context, state).await.map_err(towards)?,
        Found::Nothing => StateProblem::Foreign,
    };
    // The back button leads here too: a signed-in user returns to the app.
    if let Some(id) = context.session_id()
        && context.auth.sessions.live(&id).await.map_err(|_| towards(Refusal::StoreUnavailable))?.is_some()
    {
        let page = return_to.unwrap_or_else(|| context.after(&context.auth.config.after_signin));
        meter::callback(Callback::Returned);
        return Ok(see_other(&page));
    }
    // The user declined, or the provider did. Another sign-in would only ask again.
    if let (Some(error), Found::State(_)) = (error, &found) {
        let (outcome, refusal) = match error {
            ErrorCode::AccessDenied => (SignIn::AccessDenied, Refusal::AccessDenied),
            _ => (SignIn::ProviderError, Refusal::SignInFailed),
        };
        meter::sign_in_ended(outcome);
        return Err(towards(refusal));
    }
    if let (StateProblem::Evicted, Found::State(state)) = (problem, &found)
        && state.carried.restarts < MOST_RESTARTS
        && signin::refuse_background(context.head).is_ok()
        && let Some(public_url) = context.public_url()
    {
        let started =
            signin::start(context, &public_url, return_to.as_deref(), state.carried.restarts + 1).await;
        return started.inspect(|_| meter::callback(Callback::Restarted)).map_err(towards);
    }
    meter::sign_in_ended(problem.outcome());
    Err(towards(Refusal::InvalidState(problem)))
}

/// A sign-in, as far as the callback's `state` and cookie show it.
enum Found {
    /// This browser began it.
    Pending(Arc<PendingSignIn>),
    /// This app began it, but the browser has no cookie that proves it.
    State(State),
    /// This app did not begin it.
    Nothing,
}

fn find(context: &Context<'_>, query: &Query) -> Found {
    let (auth, cookies) = (context.auth, context.pending_cookies());
    let Some(text) = query.get("state") else { return Found::Nothing };
    let issuer = auth.sessions.provider.issuer.as_str();
    let opened = context.redirect_uris().into_iter().find_map(|redirect_uri| {
        let parties = Parties { issuer, redirect_uri: &redirect_uri };
        State::open(&auth.config.cookie_keys, parties, text).map(|state| (state, redirect_uri))
    });
    let Some((state, redirect_uri)) = opened else {
        if state::tag_of(text).is_some_and(|tag| cookies.has(tag)) {
            auth.note_other_key();
        }
        return Found::Nothing;
    };
    match cookies.find(&state, redirect_uri) {
        Some(pending) => Found::Pending(Arc::new(pending)),
        None => Found::State(state),
    }
}

/// Says why a `state` of this app does not complete a sign-in in this browser.
async fn problem_of(context: &Context<'_>, state: &State) -> Result<StateProblem, Refusal> {
    let (auth, cookies) = (context.auth, context.pending_cookies());
    let now = auth.sessions.common_now().await.map_err(|_| Refusal::StoreUnavailable)?;
    Ok(if state.has_expired(now) {
        StateProblem::Expired
    } else if exchange::is_used(auth, state).await.map_err(|_| Refusal::StoreUnavailable)? {
        StateProblem::Used
    } else if cookies.has_evicted(&state.tag) {
        StateProblem::Evicted
    } else if cookies.is_empty() {
        StateProblem::NoCookie
    } else {
        StateProblem::Foreign
    })
}

/// Completes a sign-in of this browser, or says what is wrong with its `state`.
async fn complete(
    context: &Context<'_>,
    pending: &Arc<PendingSignIn>,
    query: &Query,
) -> Result<Result<Answer, StateProblem>, Refusal> {
    let (auth, cookies) = (context.auth, context.pending_cookies());
    let now = auth.sessions.common_now().await.map_err(|_| Refusal::StoreUnavailable)?;
    if pending.state.has_expired(now) {
        cookies.finish(&pending.state.tag);
        return Ok(Err(StateProblem::Expired));
    }
    auth.note_other_process(pending);
    let device = context.head.headers().get(header::USER_AGENT).map(|agent| Device::of(agent.as_bytes()));
    let delivery = Delivery::begin(auth, pending, query.clone(), now, device.unwrap_or_default())?;
    let Some(delivery) = delivery else { return Ok(Err(StateProblem::Used)) };
    let outcome = match select(Box::pin(delivery.outcome()), auth.sessions.clock.sleep(PATIENCE)).await {
        Either::Left((Some(outcome), _)) => outcome,
        // The pending sign-in stays, so that a reload can join the exchange.
        _ => return Err(Refusal::ProviderUnavailable),
    };
    cookies.finish(&pending.state.tag);
    let (id, is_relayed) = match outcome {
        Outcome::SignedIn { id, is_relayed } => (id, is_relayed),
        Outcome::Refused(refusal) => return Err(refusal),
        Outcome::Used => return Ok(Err(StateProblem::Used)),
    };
    if !is_live(auth, &id).await? || is_relayed && !delivery.claim().await? {
        return Ok(Err(StateProblem::Used));
    }
    // Dropped but not revoked, because the provider may have used the same grant for this sign-in.
    if let Some(old) = context.session_id().filter(|old| *old != id) {
        auth.sessions.drop_out(&old).await;
    }
    // No wait follows, so this answer gives the session to the browser.
    delivery.hand_on();
    let (name, lifetime) = (context.facts.session_cookie.clone(), auth.sessions.timing.absolute_timeout);
    context.cookies.add(auth.config.cookies.build(name, id.cookie_value(), lifetime));
    let page = pending.return_to.clone().unwrap_or_else(|| context.after(&auth.config.after_signin));
    Ok(Ok(see_other(&page)))
}

/// Returns false if the session was signed out after it began.
async fn is_live(auth: &Arc<Auth>, id: &SessionId) -> Result<bool, Refusal> {
    // A session without a token may be live all the same, while another request reads it from the store.
    let known = auth.sessions.table.find(id);
    if known.is_some_and(|session| auth.sessions.table.current(&session).is_some()) {
        return Ok(true);
    }
    let live = auth.sessions.live(id).await.map_err(|_| Refusal::StoreUnavailable)?;
    Ok(live.is_some())
}
