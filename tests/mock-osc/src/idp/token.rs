//! The token endpoint (RFC 6749 §3.2).

use std::time::SystemTime;

use http::StatusCode;
use serde_json::{Value, json};

use crate::idp::client_auth::authenticate;
use crate::idp::error::OAuthError;
use crate::idp::grants::Refresh;
use crate::reply::Reply;
use crate::request::{Params, Recorded};
use crate::settings::{Rotation, override_fields};
use crate::world::World;

pub(crate) fn token(world: &mut World, request: &Recorded, now: SystemTime) -> Reply {
    match exchange(world, request, now) {
        Ok(answer) => Reply::json(StatusCode::OK, &answer).no_store(),
        Err(error) => error.reply(),
    }
}

fn exchange(world: &mut World, request: &Recorded, now: SystemTime) -> Result<Value, OAuthError> {
    // Only the body is read. Credentials in a URL would end up in logs (RFC 6749 §2.3.1).
    let params = Params::parse(&request.form)
        .map_err(|_| OAuthError::invalid_request("a parameter was sent twice"))?;
    let announced = &world.settings.auth_methods;
    let client_id = authenticate(&world.clients, announced, request, &params, now)?.id.clone();
    match params.get("grant_type") {
        Some("authorization_code") => authorization_code(world, &client_id, &params, now),
        Some("refresh_token") => refresh_token(world, &client_id, &params, now),
        Some(_) => Err(OAuthError::new("unsupported_grant_type", "no such grant type")),
        None => Err(OAuthError::invalid_request("grant_type is missing")),
    }
}

fn authorization_code(
    world: &mut World,
    client_id: &str,
    params: &Params,
    now: SystemTime,
) -> Result<Value, OAuthError> {
    let required = |name, missing| params.get(name).ok_or(OAuthError::invalid_request(missing));
    let code = required("code", "code is missing")?;
    let redirect_uri = required("redirect_uri", "redirect_uri is missing")?;
    let verifier = required("code_verifier", "code_verifier is missing")?;
    let grant = world.grants.redeem_code(code, client_id, redirect_uri, verifier, now)?;
    Ok(first_answer(world, grant, now))
}

/// Returns the answer that gives a grant its first tokens.
pub(crate) fn first_answer(world: &mut World, grant: u64, now: SystemTime) -> Value {
    let refresh_token = world.grants.add_refresh_token(grant, now);
    answer(world, grant, Some(refresh_token), now)
}

fn refresh_token(
    world: &mut World,
    client_id: &str,
    params: &Params,
    now: SystemTime,
) -> Result<Value, OAuthError> {
    let presented =
        params.get("refresh_token").ok_or(OAuthError::invalid_request("refresh_token is missing"))?;
    let rotation = world.settings.rotation;
    let grace = world.settings.refresh_grace;
    let reuse_revokes = rotation == Rotation::Always;
    let presentation = world.grants.present_refresh_token(presented, client_id, grace, reuse_revokes, now)?;
    let grant = match presentation {
        Refresh::Fresh { grant } => grant,
        Refresh::Again { answer } => return Ok(answer),
    };
    let next = match rotation {
        Rotation::Always | Rotation::WithoutReuseDetection => {
            Some(world.grants.add_refresh_token(grant, now))
        }
        Rotation::Repeat => Some(presented.to_owned()),
        Rotation::Never => None,
    };
    let rotated = next.as_deref().is_some_and(|next| next != presented);
    let answer = answer(world, grant, next, now);
    if rotated {
        world.grants.spend_refresh_token(presented, answer.clone(), now);
    }
    Ok(answer)
}

/// Returns the successful answer (RFC 6749 §5.1).
fn answer(world: &mut World, grant: u64, refresh_token: Option<String>, now: SystemTime) -> Value {
    let access_token = world.issue_access_token(grant, now, Some(now + world.settings.token_ttl));
    let settings = &world.settings;
    let mut answer = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": settings.token_ttl.as_secs(),
    });
    if let Some(scope) = world.grants.grant(grant).and_then(|grant| grant.scope.as_ref()) {
        answer["scope"] = json!(scope);
    }
    if let Some(refresh_token) = &refresh_token {
        answer["refresh_token"] = json!(refresh_token);
    }
    override_fields(&mut answer, &settings.token_fields);
    world.issued.extend(refresh_token);
    answer
}
