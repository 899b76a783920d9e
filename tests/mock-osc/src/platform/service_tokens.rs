//! Service access tokens: each opens the API of one service in one workspace.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::jwt::SigningKey;
use crate::platform::problem::Problem;
use crate::platform::services::Service;
use crate::platform::{ExpiryForm, PlatformSettings};
use crate::random;
use crate::settings::override_fields;

/// The time an issued token counts against the limit of its personal access token.
const WINDOW: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(crate) struct ServiceToken {
    pub(crate) workspace: String,
    pub(crate) service: &'static Service,
    expires_at: SystemTime,
}

#[derive(Debug, Default)]
pub(crate) struct ServiceTokens {
    tokens: HashMap<String, ServiceToken>,
    /// The times of issue, by personal access token.
    issued: HashMap<String, Vec<SystemTime>>,
}

impl ServiceTokens {
    pub(crate) fn get(&self, token: &str, now: SystemTime) -> Option<&ServiceToken> {
        self.tokens.get(token).filter(|token| token.expires_at > now)
    }

    pub(crate) fn revoke(&mut self, dead: impl Fn(&ServiceToken) -> bool) {
        self.tokens.retain(|_, token| !dead(token));
    }

    /// Counts a request for a token. Refuses it above the limit.
    pub(crate) fn count(&mut self, pat: &str, limit: usize, now: SystemTime) -> Result<(), Problem> {
        let issued = self.issued.entry(pat.to_owned()).or_default();
        issued.retain(|at| *at + WINDOW > now);
        if issued.len() >= limit {
            return Err(Problem::TOO_MANY_TOKENS);
        }
        issued.push(now);
        Ok(())
    }

    /// Issues a token. Returns it with the answer that holds it.
    pub(crate) fn issue(
        &mut self,
        workspace: String,
        service: &'static Service,
        settings: &PlatformSettings,
        key: &SigningKey,
        now: SystemTime,
    ) -> (String, Value) {
        let expires_at = now + settings.service_token_ttl;
        let token = if settings.opaque_service_tokens {
            random::opaque()
        } else {
            key.sign(&json!({
                "sub": workspace,
                "aud": service.id,
                "iat": random::unix_seconds(now),
                "exp": random::unix_seconds(expires_at),
                "jti": random::opaque(),
            }))
        };
        let mut answer = json!({ "serviceId": service.id, "token": token });
        if let Some(expiry) = expiry(settings, expires_at) {
            answer["expiry"] = json!(expiry);
        }
        override_fields(&mut answer, &settings.service_token_fields);
        self.tokens.insert(token.clone(), ServiceToken { workspace, service, expires_at });
        (token, answer)
    }
}

fn expiry(settings: &PlatformSettings, at: SystemTime) -> Option<u64> {
    let left = settings.service_token_ttl;
    match settings.expiry_form {
        ExpiryForm::Seconds => Some(random::unix_seconds(at)),
        ExpiryForm::Milliseconds => Some(random::unix_seconds(at) * 1000),
        ExpiryForm::SecondsLeft => Some(left.as_secs()),
        ExpiryForm::MillisecondsLeft => Some(left.as_secs() * 1000),
        ExpiryForm::Absent => None,
    }
}
