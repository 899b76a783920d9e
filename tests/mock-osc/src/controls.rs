//! The controls of the identity provider. Tests use them while the mock runs.

use std::time::Duration;

use serde_json::Value;

use crate::accounts::Account;
use crate::endpoint::Endpoint;
use crate::idp::access_token::AccessTokenForm;
use crate::idp::grants::GrantUses;
use crate::idp::token;
use crate::mock::MockOsc;
use crate::settings::Rotation;

impl MockOsc {
    /// Revokes every grant. Refresh tokens then get `invalid_grant`, and access tokens are refused.
    pub fn revoke_grants(&self) {
        self.with_world(|world| world.grants.revoke_all());
    }

    /// Revokes the grant that this authorization code opened, as its user can. Returns true if there was one.
    pub fn revoke_grant(&self, code: &str) -> bool {
        self.with_world(|world| world.grants.revoke_of_code(code))
    }

    /// Returns how often codes and refresh tokens were used, split into first and repeated uses.
    pub fn grant_uses(&self) -> GrantUses {
        self.with_world(|world| world.grants.uses)
    }

    /// Revokes every refresh token. Access tokens work until they expire.
    pub fn revoke_refresh_tokens(&self) {
        self.with_world(|world| world.grants.revoke_refresh_tokens());
    }

    /// Returns the number of refresh tokens that would be accepted now.
    pub fn live_refresh_tokens(&self) -> usize {
        self.with_world(|world| world.grants.live_refresh_tokens())
    }

    /// Issues an access token as the console does, for tests without a sign-in. The token is for this user,
    /// in the user's first workspace. It has no `exp`, never expires, and comes without a refresh token.
    ///
    /// # Panics
    /// If there is no such user.
    #[track_caller]
    pub fn personal_access_token(&self, user: &str) -> String {
        self.console_token(self.account(user, None))
    }

    /// Issues a console token for another workspace of the user.
    ///
    /// # Panics
    /// If the user does not have this workspace.
    #[track_caller]
    pub fn personal_access_token_in(&self, user: &str, workspace: &str) -> String {
        self.console_token(self.account(user, Some(workspace)))
    }

    /// Opens a grant of this user, in the user's first workspace, for the default client. Returns the answer
    /// that the token endpoint would give: JSON with an access token and a refresh token (RFC 6749 §5.1).
    ///
    /// The tokens are real: the default client can refresh and revoke them. Use them to begin a session without
    /// a sign-in.
    ///
    /// # Panics
    /// If there is no such user.
    #[track_caller]
    pub fn grant_for(&self, user: &str) -> String {
        self.open_grant(self.account(user, None))
    }

    /// Opens a grant of this user in another workspace of the user. See [`grant_for`](Self::grant_for).
    ///
    /// # Panics
    /// If the user does not have this workspace.
    #[track_caller]
    pub fn grant_in(&self, user: &str, workspace: &str) -> String {
        self.open_grant(self.account(user, Some(workspace)))
    }

    #[track_caller]
    fn account(&self, user: &str, workspace: Option<&str>) -> Account {
        let account = self.with_world(|world| world.settings.accounts.require(user, workspace));
        match account {
            Ok(account) => account,
            Err(error) => panic!("{error}"),
        }
    }

    fn open_grant(&self, account: Account) -> String {
        let client_id = self.client_id();
        self.with_world(|world| {
            let grant = world.grants.open(client_id, account);
            token::first_answer(world, grant, world.now()).to_string()
        })
    }

    fn console_token(&self, account: Account) -> String {
        let client_id = self.client_id();
        self.with_world(|world| {
            let grant = world.grants.open(client_id, account);
            world.issue_access_token(grant, world.now(), None)
        })
    }

    /// Sets a claim to any JSON value in access tokens issued from now on. `None` leaves the claim out, as
    /// OSC sometimes does with `userId`.
    ///
    /// The claims do not change the workspace that the token opens.
    pub fn set_claim(&self, name: &str, value: impl Into<Option<Value>>) {
        let value = value.into();
        self.with_world(|world| world.settings.access_token.claims.insert(name.to_owned(), value));
    }

    /// Undoes [`set_claim`](Self::set_claim) and [`MockOscBuilder::claim`](crate::MockOscBuilder::claim).
    pub fn clear_claims(&self) {
        self.with_world(|world| world.settings.access_token.claims.clear());
    }

    /// Sets the format of access tokens issued from now on.
    pub fn set_access_token_form(&self, form: AccessTokenForm) {
        self.with_world(|world| world.settings.access_token.form = form);
    }

    /// Returns true if the platform would accept this access token now.
    pub fn is_live(&self, access_token: &str) -> bool {
        self.with_world(|world| world.grants.account_of(access_token, world.now()).is_some())
    }

    /// Returns every secret ever issued: client secrets, codes, and access, refresh and service access
    /// tokens. None of them may appear in a log or a page.
    pub fn issued_tokens(&self) -> Vec<String> {
        self.with_world(|world| world.issued.clone())
    }

    /// Sets the delay of an endpoint's answers from now on; zero removes it. See
    /// [`MockOscBuilder::delay`](crate::MockOscBuilder::delay).
    pub fn set_delay(&self, endpoint: Endpoint, delay: Duration) {
        self.with_world(|world| world.settings.delays.insert(endpoint, delay));
    }

    /// Sets the lifetime of access tokens issued from now on.
    pub fn set_token_ttl(&self, ttl: Duration) {
        self.with_world(|world| world.settings.token_ttl = ttl);
    }

    /// Sets what happens to refresh tokens used from now on.
    pub fn set_rotation(&self, rotation: Rotation) {
        self.with_world(|world| world.settings.rotation = rotation);
    }

    /// Sets `expires_in` of token answers to any JSON value; `None` leaves it out. The real lifetime stays
    /// the same.
    pub fn set_expires_in(&self, value: impl Into<Option<Value>>) {
        self.set_token_field("expires_in", value);
    }

    /// Sets a field of token answers to any JSON value; `None` leaves it out.
    pub fn set_token_field(&self, name: &str, value: impl Into<Option<Value>>) {
        let value = value.into();
        self.with_world(|world| world.settings.token_fields.insert(name.to_owned(), value));
    }

    /// Undoes [`set_token_field`](Self::set_token_field).
    pub fn clear_token_fields(&self) {
        self.with_world(|world| world.settings.token_fields.clear());
    }

    /// Sets a field of the metadata to any JSON value; `None` leaves it out.
    pub fn set_metadata_field(&self, name: &str, value: impl Into<Option<Value>>) {
        let value = value.into();
        self.with_world(|world| world.settings.metadata_fields.insert(name.to_owned(), value));
    }

    /// Undoes [`set_metadata_field`](Self::set_metadata_field).
    pub fn clear_metadata_fields(&self) {
        self.with_world(|world| world.settings.metadata_fields.clear());
    }

    /// Removes a client, as the console can. Returns true if there was one.
    pub fn remove_client(&self, client_id: &str) -> bool {
        self.with_world(|world| world.clients.remove(client_id).is_some())
    }

    /// Moves the mock's clock ahead, so that codes, tokens and grace periods expire without waiting. The
    /// client's clock stays the same.
    pub fn advance(&self, duration: Duration) {
        self.with_world(|world| world.ahead += duration);
    }
}
