//! Codes, grants and tokens. Every function takes `now`; none reads a clock.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::accounts::Account;
use crate::idp::error::OAuthError;
use crate::random;

/// RFC 6749 §4.1.2 recommends at most ten minutes. One minute catches slow clients.
const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// OSC's refresh tokens live for 30 days.
const REFRESH_TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// A user's permission for a client to act in a workspace.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) account: Account,
    pub(crate) scope: Option<String>,
    revoked: bool,
}

/// A consent that the client has not redeemed yet.
#[derive(Clone, Debug)]
pub(crate) struct Consent {
    pub(crate) client_id: String,
    pub(crate) account: Account,
    pub(crate) scope: Option<String>,
    pub(crate) redirect_uri: String,
    /// The S256 challenge (RFC 7636 §4.2).
    pub(crate) challenge: String,
}

#[derive(Debug)]
struct Code {
    consent: Consent,
    expires_at: SystemTime,
    spent: bool,
    grant: Option<u64>,
}

#[derive(Debug)]
struct RefreshToken {
    grant: u64,
    expires_at: SystemTime,
    spent: Option<Spent>,
}

#[derive(Debug)]
struct Spent {
    at: SystemTime,
    answer: Value,
}

#[derive(Debug)]
struct AccessToken {
    grant: u64,
    /// `None` never expires.
    expires_at: Option<SystemTime>,
}

/// The outcome of presenting a refresh token.
#[derive(Debug)]
pub(crate) enum Refresh {
    /// The first use.
    Fresh { grant: u64 },
    /// A second use within the grace period. It gets the first answer again.
    Again { answer: Value },
}

/// How often grants were used, counted from the start of the mock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantUses {
    /// Codes that opened a grant.
    pub codes: usize,
    /// Refresh tokens that were accepted and got a new answer.
    pub refreshes: usize,
    /// Rotated refresh tokens that were presented within the grace period and got the first answer again.
    pub repeated: usize,
    /// Rotated refresh tokens that were presented after the grace period and were refused.
    pub reused: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Grants {
    pub(crate) uses: GrantUses,
    codes: HashMap<String, Code>,
    grants: Vec<Grant>,
    refresh_tokens: HashMap<String, RefreshToken>,
    access_tokens: HashMap<String, AccessToken>,
}

impl Grants {
    pub(crate) fn add_code(&mut self, consent: Consent, now: SystemTime) -> String {
        let code = random::opaque();
        let record = Code { consent, expires_at: now + CODE_LIFETIME, spent: false, grant: None };
        self.codes.insert(code.clone(), record);
        code
    }

    /// Redeems a code and opens its grant (RFC 6749 §4.1.3, RFC 7636 §4.6).
    pub(crate) fn redeem_code(
        &mut self,
        code: &str,
        client_id: &str,
        redirect_uri: &str,
        verifier: &str,
        now: SystemTime,
    ) -> Result<u64, OAuthError> {
        let record = self.codes.get_mut(code).ok_or(OAuthError::invalid_grant("no such code"))?;
        if record.consent.client_id != client_id {
            // The code stays valid. Another client must not be able to spoil it.
            return Err(OAuthError::invalid_grant("the code belongs to another client"));
        }
        if std::mem::replace(&mut record.spent, true) {
            if let Some(grant) = record.grant {
                self.revoke(grant);
            }
            return Err(OAuthError::invalid_grant("the code was used before"));
        }
        if record.expires_at <= now {
            return Err(OAuthError::invalid_grant("the code has expired"));
        }
        if record.consent.redirect_uri != redirect_uri {
            return Err(OAuthError::invalid_grant("redirect_uri differs from the authorization request"));
        }
        if !verifies(verifier, &record.consent.challenge) {
            return Err(OAuthError::invalid_grant("code_verifier does not match the challenge"));
        }
        let Consent { client_id, account, scope, .. } = record.consent.clone();
        let grant = self.grants.len() as u64;
        record.grant = Some(grant);
        self.uses.codes += 1;
        self.grants.push(Grant { client_id, account, scope, revoked: false });
        Ok(grant)
    }

    /// Opens a grant without consent.
    pub(crate) fn open(&mut self, client_id: String, account: Account) -> u64 {
        self.grants.push(Grant { client_id, account, scope: Default::default(), revoked: false });
        self.grants.len() as u64 - 1
    }

    /// Checks a refresh token that a client presents. With `reuse_revokes`, a second use revokes the grant.
    pub(crate) fn present_refresh_token(
        &mut self,
        token: &str,
        client_id: &str,
        grace: Duration,
        reuse_revokes: bool,
        now: SystemTime,
    ) -> Result<Refresh, OAuthError> {
        let dead = OAuthError::invalid_grant("the refresh token is not valid");
        let record = self.refresh_tokens.get(token).ok_or(dead)?;
        let number = record.grant;
        let grant = self.grant(number).filter(|grant| !grant.revoked).ok_or(dead)?;
        if grant.client_id != client_id {
            return Err(OAuthError::invalid_grant("the refresh token belongs to another client"));
        }
        if record.expires_at <= now {
            return Err(OAuthError::invalid_grant("the refresh token has expired"));
        }
        let Some(spent) = &record.spent else {
            self.uses.refreshes += 1;
            return Ok(Refresh::Fresh { grant: number });
        };
        if now < spent.at + grace {
            self.uses.repeated += 1;
            return Ok(Refresh::Again { answer: spent.answer.clone() });
        }
        self.uses.reused += 1;
        if reuse_revokes {
            self.revoke(number);
        }
        Err(OAuthError::invalid_grant("the refresh token was used before"))
    }

    /// Marks a refresh token as used and keeps the answer it got.
    pub(crate) fn spend_refresh_token(&mut self, token: &str, answer: Value, now: SystemTime) {
        if let Some(record) = self.refresh_tokens.get_mut(token) {
            record.spent = Some(Spent { at: now, answer });
        }
    }

    pub(crate) fn add_refresh_token(&mut self, grant: u64, now: SystemTime) -> String {
        let token = random::opaque();
        self.refresh_tokens.insert(
            token.clone(),
            RefreshToken { grant, expires_at: now + REFRESH_TOKEN_LIFETIME, spent: None },
        );
        token
    }

    pub(crate) fn add_access_token(&mut self, token: String, grant: u64, expires_at: Option<SystemTime>) {
        self.access_tokens.insert(token, AccessToken { grant, expires_at });
    }

    pub(crate) fn grant(&self, grant: u64) -> Option<&Grant> {
        self.grants.get(usize::try_from(grant).ok()?)
    }

    /// Returns the account of a valid access token, whatever its claims state.
    pub(crate) fn account_of(&self, access_token: &str, now: SystemTime) -> Option<&Account> {
        let token = self.access_tokens.get(access_token)?;
        if token.expires_at.is_some_and(|at| at <= now) {
            return None;
        }
        let grant = self.grant(token.grant).filter(|grant| !grant.revoked)?;
        Some(&grant.account)
    }

    /// Revokes a token for its client (RFC 7009 §2.1). A refresh token ends its whole grant, an access token
    /// only itself.
    pub(crate) fn revoke_token(&mut self, token: &str, client_id: &str) {
        let owned = |grant: u64| self.grant(grant).is_some_and(|grant| grant.client_id == client_id);
        if let Some(grant) =
            self.refresh_tokens.get(token).map(|record| record.grant).filter(|&grant| owned(grant))
        {
            self.revoke(grant);
        } else if self.access_tokens.get(token).is_some_and(|record| owned(record.grant)) {
            self.access_tokens.remove(token);
        }
    }

    /// Revokes the grant of a code. Returns true if the code had opened one.
    pub(crate) fn revoke_of_code(&mut self, code: &str) -> bool {
        let grant = self.codes.get(code).and_then(|record| record.grant);
        grant.inspect(|&grant| self.revoke(grant)).is_some()
    }

    pub(crate) fn revoke_all(&mut self) {
        for grant in &mut self.grants {
            grant.revoked = true;
        }
    }

    pub(crate) fn revoke_refresh_tokens(&mut self) {
        self.refresh_tokens.clear();
    }

    pub(crate) fn live_refresh_tokens(&self) -> usize {
        let live = |record: &&RefreshToken| {
            record.spent.is_none() && self.grant(record.grant).is_some_and(|grant| !grant.revoked)
        };
        self.refresh_tokens.values().filter(live).count()
    }

    fn revoke(&mut self, grant: u64) {
        let grant = usize::try_from(grant).ok().and_then(|index| self.grants.get_mut(index));
        if let Some(grant) = grant {
            grant.revoked = true;
        }
    }
}

/// Checks a verifier against an S256 challenge (RFC 7636 §4.6).
fn verifies(verifier: &str, challenge: &str) -> bool {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_of_rfc_7636_appendix_b_verifies() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(verifies(verifier, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        assert!(!verifies("another", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
    }
}
