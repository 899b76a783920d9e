//! Pushed authorization requests (RFC 9126).

use std::time::{Duration, SystemTime};

use http::StatusCode;
use serde_json::json;

use crate::idp::authorize::{Refusal, validate};
use crate::idp::client_auth::authenticate;
use crate::idp::error::OAuthError;
use crate::random;
use crate::reply::Reply;
use crate::request::{Params, Recorded};
use crate::world::World;

const LIFETIME: Duration = Duration::from_secs(60);

/// A pushed authorization request that no browser has opened yet.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) client_id: String,
    pub(crate) params: Params,
    pub(crate) expires_at: SystemTime,
}

pub(crate) fn par(world: &mut World, request: &Recorded, now: SystemTime) -> Reply {
    match push(world, request, now) {
        Ok(request_uri) => {
            let body = json!({ "request_uri": request_uri, "expires_in": LIFETIME.as_secs() });
            Reply::json(StatusCode::CREATED, &body).no_store()
        }
        Err(error) => error.reply(),
    }
}

fn push(world: &mut World, request: &Recorded, now: SystemTime) -> Result<String, OAuthError> {
    let params = Params::parse(&request.form)
        .map_err(|_| OAuthError::invalid_request("a parameter was sent twice"))?;
    let announced = &world.settings.auth_methods;
    let client_id = authenticate(&world.clients, announced, request, &params, now)?.id.clone();
    if params.get("request_uri").is_some() {
        return Err(OAuthError::invalid_request("request_uri cannot be pushed"));
    }
    // With Basic credentials, the body may omit the client id. The authorization request needs it (RFC 6749
    // §4.1.1).
    let params = params.with("client_id", &client_id);
    validate(&world.clients, &world.settings, &params).map_err(|refusal| match refusal {
        Refusal::Page(why) => OAuthError::invalid_request(why),
        Refusal::Redirect { error, description, .. } => OAuthError::new(error, description),
    })?;
    let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", random::opaque());
    let pushed = Pushed { client_id, params, expires_at: now + LIFETIME };
    world.pushed.insert(request_uri.clone(), pushed);
    Ok(request_uri)
}
