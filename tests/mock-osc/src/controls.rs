//! What a test changes and reads at the provider while the mock runs.

use std::time::Duration;

use serde_json::Value;

use crate::idp::grants::GrantUses;
use crate::mock::MockOsc;
use crate::settings::Rotation;

impl MockOsc {
    /// Revokes every grant: refresh tokens are refused with `invalid_grant`, access tokens are dead.
    pub fn revoke_grants(&self) {
        self.with_world(|world| world.grants.revoke_all());
    }

    /// Revokes the grant that this authorization code opened, as its user does who takes the access back. Returns whether
    /// there was one.
    pub fn revoke_grant(&self, code: &str) -> bool {
        self.with_world(|world| world.grants.revoke_of_code(code))
    }

    /// How often codes and refresh tokens were used, and which of them twice.
    pub fn grant_uses(&self) -> GrantUses {
        self.with_world(|world| world.grants.uses)
    }

    /// Revokes every refresh token there is. Access tokens live until they expire.
    pub fn revoke_refresh_tokens(&self) {
        self.with_world(|world| world.grants.revoke_refresh_tokens());
    }

    /// How many refresh tokens would be accepted now.
    pub fn live_refresh_tokens(&self) -> usize {
        self.with_world(|world| world.grants.live_refresh_tokens())
    }

    /// An access token of a user (`ada` or `grace`) as the console gives it out, for tests that need no sign-in. It lives for
    /// as long as others, and there is no refresh token.
    pub fn personal_access_token(&self, user: &str) -> String {
        let client_id = self.client_id();
        self.with_world(|world| {
            let expires_at = world.now() + world.settings.token_ttl;
            let grant = world.grants.open(client_id, user.to_owned());
            let token = world.grants.add_access_token(grant, expires_at, world.settings.token_length);
            world.issued.push(token.clone());
            token
        })
    }

    /// Whether the platform would accept this access token now.
    pub fn is_live(&self, access_token: &str) -> bool {
        self.with_world(|world| world.grants.user_of(access_token, world.now()).is_some())
    }

    /// Every client secret, code, access, refresh and service access token ever issued: none of them may turn up in a
    /// log or an answer.
    pub fn issued_tokens(&self) -> Vec<String> {
        self.with_world(|world| world.issued.clone())
    }

    /// The lifetime of access tokens from now on.
    pub fn set_token_ttl(&self, ttl: Duration) {
        self.with_world(|world| world.settings.token_ttl = ttl);
    }

    /// What a refresh does with the refresh token from now on.
    pub fn set_rotation(&self, rotation: Rotation) {
        self.with_world(|world| world.settings.rotation = rotation);
    }

    /// Sets `expires_in` of token answers to any JSON value, whatever the real lifetime is; `None` leaves it out.
    pub fn set_expires_in(&self, value: impl Into<Option<Value>>) {
        self.set_token_field("expires_in", value);
    }

    /// Sets a field of token answers to any JSON value; `None` leaves it out.
    pub fn set_token_field(&self, name: &str, value: impl Into<Option<Value>>) {
        let value = value.into();
        self.with_world(|world| world.settings.token_fields.insert(name.to_owned(), value));
    }

    /// Token answers are as they should be again.
    pub fn clear_token_fields(&self) {
        self.with_world(|world| world.settings.token_fields.clear());
    }

    /// Sets a field of the metadata to any JSON value; `None` leaves it out.
    pub fn set_metadata_field(&self, name: &str, value: impl Into<Option<Value>>) {
        let value = value.into();
        self.with_world(|world| world.settings.metadata_fields.insert(name.to_owned(), value));
    }

    /// The metadata is as it should be again.
    pub fn clear_metadata_fields(&self) {
        self.with_world(|world| world.settings.metadata_fields.clear());
    }

    /// Forgets a client, as the console does when somebody deletes it. Returns whether there was one.
    pub fn remove_client(&self, client_id: &str) -> bool {
        self.with_world(|world| world.clients.remove(client_id).is_some())
    }

    /// Moves the mock's clock ahead: codes, tokens and graces expire without waiting. The client's clock stays.
    pub fn advance(&self, duration: Duration) {
        self.with_world(|world| world.ahead += duration);
    }
}
