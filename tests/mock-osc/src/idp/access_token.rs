//! Access tokens, which are OSC's Personal Access Tokens.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::accounts::Account;
use crate::jwt::{SigningKey, fill};
use crate::random;
use crate::settings::{Overrides, override_fields};

/// The `iss` of OSC's tokens in every environment.
const ISSUER: &str = "token.osaas.eyevinn.se";

/// The format of access tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessTokenForm {
    /// A JWT, signed with HS256.
    #[default]
    Jwt,
    /// A JWT whose segments end with `=`, against RFC 7515.
    PaddedJwt,
    /// A random string without any claims.
    Opaque,
}

/// The settings of access tokens.
#[derive(Clone, Debug)]
pub(crate) struct AccessTokenSettings {
    /// Length in characters.
    pub(crate) length: usize,
    pub(crate) form: AccessTokenForm,
    pub(crate) claims: Overrides,
}

impl Default for AccessTokenSettings {
    fn default() -> Self {
        Self { length: 900, form: AccessTokenForm::default(), claims: Overrides::new() }
    }
}

impl AccessTokenSettings {
    /// Makes a token. Without an end, it has no `exp`.
    pub(crate) fn make(
        &self,
        key: &SigningKey,
        account: &Account,
        issued_at: SystemTime,
        expires_at: Option<SystemTime>,
    ) -> String {
        let claims = || {
            let mut claims = claims(account, issued_at, expires_at);
            override_fields(&mut claims, &self.claims);
            fill(&mut claims, self.length);
            claims
        };
        match self.form {
            AccessTokenForm::Jwt => key.sign(&claims()),
            AccessTokenForm::PaddedJwt => key.sign_padded(&claims()),
            AccessTokenForm::Opaque => random::text(self.length),
        }
    }
}

fn claims(account: &Account, issued_at: SystemTime, expires_at: Option<SystemTime>) -> Value {
    let mut claims = json!({
        "iss": ISSUER,
        "iat": random::unix_seconds(issued_at),
        "patId": random::opaque(),
        "tenantId": account.workspace,
        "userId": account.user,
    });
    if let Some(expires_at) = expires_at {
        claims["exp"] = json!(random::unix_seconds(expires_at));
    }
    claims
}
