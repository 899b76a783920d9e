//! Token revocation (RFC 7009).

use std::time::SystemTime;

use http::StatusCode;

use crate::idp::client_auth::authenticate;
use crate::idp::error::OAuthError;
use crate::reply::Reply;
use crate::request::{Params, Recorded};
use crate::world::World;

/// Answers 200 even for an unknown token or one of another client, because that token is unusable for the
/// caller anyway (RFC 7009 §2.2).
pub(crate) fn revoke(world: &mut World, request: &Recorded, now: SystemTime) -> Reply {
    match try_revoke(world, request, now) {
        Ok(()) => Reply::empty(StatusCode::OK).no_store(),
        Err(error) => error.reply(),
    }
}

fn try_revoke(world: &mut World, request: &Recorded, now: SystemTime) -> Result<(), OAuthError> {
    let params = Params::parse(&request.form)
        .map_err(|_| OAuthError::invalid_request("a parameter was sent twice"))?;
    let announced = &world.settings.auth_methods;
    let client_id = authenticate(&world.clients, announced, request, &params, now)?.id.clone();
    let token = params.get("token").ok_or(OAuthError::invalid_request("token is missing"))?;
    world.grants.revoke_token(token, &client_id);
    Ok(())
}
