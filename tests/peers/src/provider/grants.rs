//! The grants that users gave, and the tokens that were issued for them.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt;
use rand::distr::Alphanumeric;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::CLIENT_ID;
use crate::stage::{ACCESS_TOKEN, REFRESH_TOKEN};

#[derive(Deserialize)]
pub(super) struct Authorize {
    pub(super) client_id: String,
    redirect_uri: String,
    state: String,
    nonce: Option<String>,
    code_challenge: String,
}

#[derive(Deserialize)]
pub(super) struct TokenRequest {
    grant_type: String,
    code: Option<String>,
    code_verifier: Option<String>,
    redirect_uri: Option<String>,
    refresh_token: Option<String>,
}

#[derive(Default)]
pub(super) struct Grants {
    codes: HashMap<String, Authorize>,
    grants: Vec<Grant>,
    /// The grant of each refresh token, used ones included.
    refresh_tokens: HashMap<String, usize>,
    access_tokens: HashMap<String, (usize, SystemTime)>,
    pub(super) refreshes: usize,
}

struct Grant {
    nonce: Option<String>,
    /// `None` after the grant was revoked.
    current: Option<String>,
}

pub(super) struct Issued {
    pub(super) access_token: String,
    pub(super) refresh_token: String,
    nonce: Option<String>,
    grant: usize,
}

impl Grants {
    pub(super) fn approve(&mut self, asked: Authorize) -> String {
        let code = random(32);
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &asked.state)
            .finish();
        let callback = format!("{}?{query}", asked.redirect_uri);
        self.codes.insert(code, asked);
        callback
    }

    /// Returns `None` for `invalid_grant`.
    pub(super) fn exchange(&mut self, request: &TokenRequest, lifetime: Duration) -> Option<Issued> {
        match &*request.grant_type {
            "authorization_code" => {
                let asked = self.codes.remove(request.code.as_ref()?)?;
                let hash = Sha256::digest(request.code_verifier.as_ref()?);
                let same = URL_SAFE_NO_PAD.encode(hash) == asked.code_challenge
                    && request.redirect_uri.as_ref() == Some(&asked.redirect_uri);
                same.then(|| {
                    self.grants.push(Grant { nonce: asked.nonce, current: None });
                    self.issue(self.grants.len() - 1, lifetime)
                })
            }
            "refresh_token" => {
                self.refreshes += 1;
                let presented = request.refresh_token.as_ref()?;
                let grant = *self.refresh_tokens.get(presented)?;
                if self.grants[grant].current.as_ref() == Some(presented) {
                    return Some(self.issue(grant, lifetime));
                }
                self.grants[grant].current = None;
                None
            }
            _ => None,
        }
    }

    fn issue(&mut self, grant: usize, lifetime: Duration) -> Issued {
        let (access_token, refresh_token) = (random(ACCESS_TOKEN), random(REFRESH_TOKEN));
        self.access_tokens.insert(access_token.clone(), (grant, SystemTime::now() + lifetime));
        self.refresh_tokens.insert(refresh_token.clone(), grant);
        self.grants[grant].current = Some(refresh_token.clone());
        Issued { access_token, refresh_token, nonce: self.grants[grant].nonce.clone(), grant }
    }

    /// Returns the user of an access token.
    pub(super) fn subject(&self, access_token: &str) -> Option<String> {
        self.access_tokens.get(access_token).map(|(grant, _)| subject(*grant))
    }

    pub(super) fn honours(&self, access_token: &str) -> bool {
        let known = self.access_tokens.get(access_token);
        known.is_some_and(|&(grant, end)| self.grants[grant].current.is_some() && SystemTime::now() < end)
    }
}

impl Issued {
    /// Returns the ID token's required claims.
    pub(super) fn claims(&self, issuer: &str, lifetime: Duration) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set").as_secs();
        let mut claims = json!({
            "iss": issuer,
            "sub": subject(self.grant),
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + lifetime.as_secs(),
        });
        if let Some(nonce) = &self.nonce {
            claims["nonce"] = json!(nonce);
        }
        claims
    }
}

fn subject(grant: usize) -> String {
    format!("user-{grant}")
}

fn random(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}
