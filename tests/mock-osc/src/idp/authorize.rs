//! The authorization endpoint (RFC 6749 §3.1, RFC 7636 §4.3, RFC 9207).

use std::collections::HashMap;
use std::time::SystemTime;

use http::StatusCode;
use http::header::LOCATION;
use url::Url;

use crate::idp::client::Client;
use crate::idp::grants::Consent;
use crate::idp::{page, redirect_uri};
use crate::reply::Reply;
use crate::request::{Params, Recorded};
use crate::settings::Settings;
use crate::world::World;

/// A valid request, ready for the consent page.
#[derive(Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_name: String,
    pub(crate) client_id: String,
    /// The redirect URI as sent. The token request must repeat this exact text.
    pub(crate) redirect_uri: String,
    pub(crate) redirect_url: Url,
    pub(crate) state: Option<String>,
    pub(crate) challenge: String,
    pub(crate) scope: Option<String>,
}

/// Why a request is refused, and who is told.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The redirect URI cannot be trusted, so a page tells the user (RFC 6749 §4.1.2.1).
    Page(&'static str),
    /// A redirect tells the client.
    Redirect { to: Box<Url>, state: Option<String>, error: &'static str, description: &'static str },
}

pub(crate) fn authorize(world: &mut World, request: &Recorded, now: SystemTime) -> Reply {
    let params = match parameters(world, &request.query, now) {
        Ok(params) => params,
        Err(why) => return page::error(why),
    };
    let asked = match validate(&world.clients, &world.settings, &params) {
        Ok(asked) => asked,
        Err(Refusal::Page(why)) => return page::error(why),
        Err(Refusal::Redirect { to, state, error, description }) => {
            let fields = [("error", error), ("error_description", description)];
            return redirect(&world.settings, *to, &fields, state.as_deref());
        }
    };
    let auto_consent = world.settings.auto_consent.as_ref();
    if request.method != "POST" && auto_consent.is_none() {
        return page::consent(&asked, &world.settings.accounts);
    }
    let decision =
        |name: &str| request.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let accounts = &world.settings.accounts;
    let account = match decision("account") {
        None => auto_consent.cloned().unwrap_or_else(|| accounts.default_account()),
        Some(chosen) => match accounts.iter().find(|account| account.to_string() == chosen) {
            Some(account) => account,
            None => return page::error("there is no such account"),
        },
    };
    // A pushed request is good for one decision (RFC 9126 §4).
    if let Some(uri) = request.query.iter().find(|(name, _)| name == "request_uri") {
        world.pushed.remove(&uri.1);
    }
    if auto_consent.is_none() && decision("decision") != Some("allow") {
        let fields = [("error", "access_denied"), ("error_description", "the user refused")];
        return redirect(&world.settings, asked.redirect_url, &fields, asked.state.as_deref());
    }
    let AuthorizationRequest { client_id, redirect_uri, redirect_url, state, challenge, scope, .. } = asked;
    let consent = Consent { client_id, account, scope, redirect_uri, challenge };
    let code = world.grants.add_code(consent, now);
    world.issued.push(code.clone());
    redirect(&world.settings, redirect_url, &[("code", &code)], state.as_deref())
}

/// Returns the parameters of the query, or the pushed parameters that it refers to.
fn parameters(world: &World, query: &[(String, String)], now: SystemTime) -> Result<Params, &'static str> {
    let params = Params::parse(query).map_err(|_| "a parameter was sent twice")?;
    let Some(request_uri) = params.get("request_uri").filter(|_| world.settings.par) else {
        return if world.settings.require_par { Err("the request must be pushed first") } else { Ok(params) };
    };
    let pushed = world.pushed.get(request_uri).filter(|pushed| pushed.expires_at > now);
    let pushed = pushed.ok_or("request_uri is unknown, used or expired")?;
    if params.get("client_id") != Some(&pushed.client_id) {
        return Err("request_uri belongs to another client");
    }
    Ok(pushed.params.clone())
}

pub(crate) fn validate(
    clients: &HashMap<String, Client>,
    settings: &Settings,
    params: &Params,
) -> Result<AuthorizationRequest, Refusal> {
    let client = params.get("client_id").and_then(|id| clients.get(id));
    let client = client.ok_or(Refusal::Page("client_id is missing or unknown"))?;
    let uri = params.get("redirect_uri").ok_or(Refusal::Page("redirect_uri is missing"))?;
    let redirect_url = redirect_uri::parse(uri).ok_or(Refusal::Page("redirect_uri is not usable"))?;
    if !settings.loose_redirect_uris && !client.redirect_uris.allow(uri) {
        return Err(Refusal::Page("redirect_uri is not registered with this client"));
    }
    let state = params.get("state").map(str::to_owned);
    let refuse = |error, description| Refusal::Redirect {
        to: Box::new(redirect_url.clone()),
        state: state.clone(),
        error,
        description,
    };
    match params.get("response_type") {
        Some("code") => {}
        Some(_) => {
            return Err(refuse("unsupported_response_type", "only code is supported"));
        }
        None => return Err(refuse("invalid_request", "response_type is missing")),
    }
    // Without a method, the challenge is the plain verifier (RFC 7636 §4.3). An eavesdropper could use it.
    if params.get("code_challenge_method") != Some("S256") {
        return Err(refuse("invalid_request", "code_challenge_method must be S256"));
    }
    let challenge = params.get("code_challenge").filter(|challenge| is_s256(challenge));
    let challenge =
        challenge.ok_or_else(|| refuse("invalid_request", "code_challenge is missing or malformed"))?;
    Ok(AuthorizationRequest {
        client_name: client.name.clone(),
        client_id: client.id.clone(),
        redirect_uri: uri.to_owned(),
        redirect_url: redirect_url.clone(),
        challenge: challenge.to_owned(),
        scope: params.get("scope").map(str::to_owned),
        state,
    })
}

/// Returns true if this may be a SHA-256 in base64url without padding: 43 characters (RFC 7636 §4.2).
fn is_s256(challenge: &str) -> bool {
    challenge.len() == 43
        && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn redirect(settings: &Settings, mut to: Url, fields: &[(&str, &str)], state: Option<&str>) -> Reply {
    {
        let mut query = to.query_pairs_mut();
        query.extend_pairs(fields);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        if settings.iss {
            query.append_pair("iss", &settings.issuer);
        }
    }
    // A 307 would make the browser post the decision to the client (RFC 9700 §4.12).
    Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, to.as_str()).no_store()
}
