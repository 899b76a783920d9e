//! Tells scripts whether the user is signed in. Never answers 401, never redirects or refreshes, and does not count as use.

use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::Context;
use crate::request::origin;
use crate::response::{Answer, Refusal, json_answer};
use crate::sessions::RETRY_AFTER;

pub(super) async fn serve(context: &Context<'_>) -> Result<Answer, Refusal> {
    if is_foreign(context) {
        context.auth.note_foreign_page(context.head.uri(), context.head.headers());
        return Err(Refusal::Forbidden);
    }
    if let Some(description) = description(context).await {
        return Ok(json_answer(StatusCode::OK, &description));
    }
    let seconds = RETRY_AFTER.as_secs();
    let unknown = json!({ "signed_in": null, "retry_after": seconds });
    let mut answer = json_answer(StatusCode::SERVICE_UNAVAILABLE, &unknown);
    answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    Ok(answer)
}

/// Describes the session. `None` while the store is unreachable.
async fn description(context: &Context<'_>) -> Option<Value> {
    let (sessions, config) = (&context.auth.sessions, &context.auth.config);
    let session = match context.session_id() {
        // `find` does not count as use.
        Some(id) => sessions.find(&id).await.ok()?,
        None => None,
    };
    let session = session.filter(|session| !session.has_expired(&sessions.timing, sessions.now()));
    let Some(token) = session.and_then(|session| sessions.table.current(&session)) else {
        return Some(json!({ "signed_in": false, "signin": context.facts.signin_link() }));
    };
    let user = token.user();
    Some(json!({
        "signed_in": true,
        "workspace": user.as_ref().map(|user| user.workspace()),
        "user": user.as_ref().and_then(|user| user.user_id()),
        "expires_at": token.held_by().ends_at(&sessions.timing).as_millis() / 1000,
        "signout": context.after(&config.signout_path),
    }))
}

/// Returns true for a request from a page of another origin, which must not learn who uses this app.
fn is_foreign(context: &Context<'_>) -> bool {
    let headers = context.head.headers();
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_some_and(|site| !matches!(site, b"same-origin" | b"none"))
        || origin::is_foreign(&context.auth.config.public_urls, context.head.uri(), headers)
}
