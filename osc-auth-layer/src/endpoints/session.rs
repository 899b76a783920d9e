//! Tells scripts whether the user is signed in. Never answers 401, never redirects or refreshes, and does not count as use.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::Context;
use crate::request::origin;
use crate::response::{Answer, Refusal, json_answer};
use crate::sessions::RETRY_AFTER;

pub(super) async fn serve(context: &Context<'_>) -> Result<Answer, Refusal> {
    if is_foreign(context) {
        return Err(Refusal::Forbidden);
    }
    Ok(match description(context).await {
        Some(description) => json_answer(StatusCode::OK, &description),
        None => {
            let seconds = RETRY_AFTER.as_secs().max(1);
            let mut answer = json_answer(
                StatusCode::SERVICE_UNAVAILABLE,
                &json!({ "signed_in": null, "retry_after": seconds }),
            );
            answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            answer
        }
    })
}

/// Describes the session. `None` while the store is unreachable.
async fn description(context: &Context<'_>) -> Option<Value> {
    let (auth, config) = (context.auth, &context.auth.config);
    let signed_out = || json!({ "signed_in": false, "signin": context.after(&config.signin_path) });
    let Some(id) = context.session_id() else {
        return Some(signed_out());
    };
    // `find` does not count as use.
    let session = auth.sessions.find(&id).await.ok()?;
    let session = session.filter(|session| !session.has_expired(&auth.sessions.timing, auth.sessions.now()));
    let Some((session, token)) = session.and_then(|session| {
        let token = auth.sessions.table.current(&session)?;
        Some((session, token))
    }) else {
        return Some(signed_out());
    };
    let user = token.user();
    Some(json!({
        "signed_in": true,
        "workspace": user.as_ref().map(|user| user.workspace()),
        "user": user.as_ref().and_then(|user| user.user_id()),
        "expires_at": session.ends_at(&auth.sessions.timing).as_millis() / 1000,
        "signout": context.after(&config.signout_path),
    }))
}

/// Returns true for a request from a page of another origin, which must not learn who uses this app.
fn is_foreign(context: &Context<'_>) -> bool {
    let headers = context.headers();
    let origin = headers.get(header::ORIGIN).is_some_and(|origin| {
        let configured = &context.auth.config.public_urls;
        !origin::is_own(origin.as_bytes(), configured, context.head.uri(), headers)
    });
    origin || site(headers).is_some_and(|site| !matches!(site, b"same-origin" | b"none"))
}

fn site(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get("sec-fetch-site").map(HeaderValue::as_bytes)
}
