//! Dynamic client registration (RFC 7591).

use std::time::SystemTime;

use http::StatusCode;
use serde_json::{Value, json};

use crate::idp::client::Client;
use crate::idp::error::OAuthError;
use crate::idp::redirect_uri::{self, RedirectUris};
use crate::random;
use crate::reply::Reply;
use crate::request::Recorded;
use crate::world::World;

pub(crate) fn register(world: &mut World, request: &Recorded, now: SystemTime) -> Reply {
    let metadata: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let client = match new_client(&world.settings.auth_methods, &metadata) {
        Ok(client) => client,
        Err(error) => return error.reply(),
    };
    let secret_expires_at =
        client.secret.as_ref().and(world.settings.registered_secret_ttl).map(|ttl| now + ttl);
    let client = Client { secret_expires_at, ..client };

    // The answer repeats the request's metadata and completes it (RFC 7591 §3.2.1).
    let mut body = metadata;
    body["client_id"] = json!(client.id);
    body["client_id_issued_at"] = json!(random::unix_seconds(now));
    body["token_endpoint_auth_method"] = json!(client.auth_method);
    body["grant_types"] = json!(["authorization_code", "refresh_token"]);
    body["response_types"] = json!(["code"]);
    if let Some(secret) = &client.secret {
        body["client_secret"] = json!(secret);
        // 0 means that the secret never expires (RFC 7591 §3.2.1).
        body["client_secret_expires_at"] = json!(secret_expires_at.map_or(0, random::unix_seconds));
        world.issued.push(secret.clone());
    }
    world.clients.insert(client.id.clone(), client);
    Reply::json(StatusCode::CREATED, &body).no_store()
}

fn new_client(announced: &[String], metadata: &Value) -> Result<Client, OAuthError> {
    let Some(uris) = metadata.get("redirect_uris").and_then(Value::as_array).filter(|uris| !uris.is_empty())
    else {
        return Err(OAuthError::new("invalid_client_metadata", "redirect_uris is missing"));
    };
    let uris: Option<Vec<String>> = uris.iter().map(|uri| uri.as_str().map(str::to_owned)).collect();
    let uris = uris.filter(|uris| uris.iter().all(|uri| redirect_uri::parse(uri).is_some()));
    let uris = uris.ok_or(OAuthError::new("invalid_redirect_uri", "a redirect URI is not usable"))?;

    let method = match metadata.get("token_endpoint_auth_method") {
        // The default of RFC 7591 §2.
        None => "client_secret_basic",
        Some(method) => method.as_str().unwrap_or_default(),
    };
    if !announced.iter().any(|known| known == method) {
        return Err(OAuthError::new(
            "invalid_client_metadata",
            "token_endpoint_auth_method is not supported",
        ));
    }
    let secret = (method != "none").then(random::client_secret);
    let mut client = Client::new(random::client_id(), secret, RedirectUris::Listed(uris));
    client.auth_method = Some(method.to_owned());
    if let Some(name) = metadata.get("client_name").and_then(Value::as_str) {
        client.name = name.to_owned();
    }
    Ok(client)
}
