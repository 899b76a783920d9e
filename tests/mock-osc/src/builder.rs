//! Sets up the mock.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::accounts::{Accounts, User};
use crate::endpoint::Endpoint;
use crate::idp::access_token::AccessTokenForm;
use crate::idp::client::Client;
use crate::idp::redirect_uri::RedirectUris;
use crate::mock::MockOsc;
use crate::random;
use crate::server::{Listening, bind};
use crate::settings::{Rotation, Settings};
use crate::shared::Shared;
use crate::world::World;

/// Sets up a [`MockOsc`]. [`MockOsc::builder`] returns one.
#[derive(Clone, Debug)]
#[must_use = "nothing listens before `start`"]
pub struct MockOscBuilder {
    address: IpAddr,
    port: u16,
    issuer: Option<String>,
    default_client: (String, String),
    clients: Vec<Client>,
    users: Vec<User>,
    auto_consent: Option<(String, Option<String>)>,
    pub(crate) settings: Settings,
}

impl MockOscBuilder {
    pub(crate) fn new() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            issuer: None,
            default_client: (random::client_id(), random::client_secret()),
            clients: Vec::new(),
            users: Vec::new(),
            auto_consent: None,
            settings: Settings::default(),
        }
    }

    /// Sets the port to listen on. Default: 0, for a free port that the system picks.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the address to listen on. Default: 127.0.0.1.
    ///
    /// The mock asks for no password. On any other address, everybody who reaches it can sign in.
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }

    /// Sets the issuer to announce, without a trailing slash, for a mock behind a proxy. Default:
    /// `http://127.0.0.1:PORT`.
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.trim_end_matches('/').to_owned());
        self
    }

    /// Sets the lifetime of access tokens. Default: one hour.
    pub fn token_ttl(mut self, ttl: Duration) -> Self {
        self.settings.token_ttl = ttl;
        self
    }

    /// Sets the format of access tokens. Default: [`AccessTokenForm::Jwt`].
    pub fn access_token_form(mut self, form: AccessTokenForm) -> Self {
        self.settings.access_token.form = form;
        self
    }

    /// Sets a claim of access tokens to any JSON value; `None` leaves it out.
    pub fn claim(mut self, name: &str, value: impl Into<Option<Value>>) -> Self {
        self.settings.access_token.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves the `userId` out of access tokens, as OSC sometimes does. The workspace stays known. Default:
    /// the `userId` is present.
    pub fn without_user_id(self) -> Self {
        self.claim("userId", None)
    }

    /// Adds a user who can sign in, with their workspaces. May be repeated.
    ///
    /// The first user and their first workspace are the default. Users may share a workspace. Without a call,
    /// the users are `ada` with `adalovelace` and `team`, and `grace` with `gracehopper` and `team`.
    ///
    /// # Panics
    /// If the user has no workspace, or the id contains a slash, which separates it from the workspace.
    #[track_caller]
    pub fn user(mut self, id: &str, workspaces: &[&str]) -> Self {
        assert!(!id.contains('/'), "the user id {id:?} contains a slash");
        assert!(!workspaces.is_empty(), "the user {id:?} has no workspace");
        self.users.push(User::new(id, workspaces));
        self
    }

    /// Sets the id of the default client, which always exists. Default: a fresh id in OSC's format.
    pub fn client_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.default_client.0);
        self
    }

    /// Sets the secret of the default client. Default: a fresh secret in OSC's format.
    pub fn client_secret(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.default_client.1);
        self
    }

    /// Registers another client. Without a secret, the client is public. May be repeated.
    pub fn client(mut self, id: &str, secret: Option<&str>, redirect_uris: &[&str]) -> Self {
        let uris = redirect_uris.iter().map(|uri| (*uri).to_owned()).collect();
        let client = Client::new(id.to_owned(), secret.map(str::to_owned), RedirectUris::Listed(uris));
        self.clients.push(client);
        self
    }

    /// Registers a public client. May be repeated.
    pub fn public_client(self, id: &str, redirect_uris: &[&str]) -> Self {
        self.client(id, None, redirect_uris)
    }

    /// Accepts any http or https redirect URI, as OSC may do.
    ///
    /// By default, the mock accepts registered redirect URIs only. It compares them exactly, but allows any
    /// port on loopback hosts. The default client may use every http URI on a loopback host.
    pub fn loose_redirect_uris(mut self) -> Self {
        self.settings.loose_redirect_uris = true;
        self
    }

    /// Answers 404 for the metadata, like a provider that has none.
    pub fn without_metadata(mut self) -> Self {
        self.settings.metadata = false;
        self
    }

    /// Sets whether the authorization response names its issuer (RFC 9207). The metadata announces it.
    /// Default: false.
    pub fn iss(mut self, on: bool) -> Self {
        self.settings.iss = on;
        self
    }

    /// Sets whether clients can push authorization requests (RFC 9126). The metadata announces it. Default:
    /// false.
    pub fn par(mut self, on: bool) -> Self {
        self.settings.par = on;
        self.settings.require_par &= on;
        self
    }

    /// Accepts pushed authorization requests only. The metadata announces it. Default: requests need not be
    /// pushed.
    pub fn require_par(mut self) -> Self {
        self.settings.par = true;
        self.settings.require_par = true;
        self
    }

    /// Sets whether clients can revoke tokens (RFC 7009). The metadata announces it. Default: true.
    pub fn revocation(mut self, on: bool) -> Self {
        self.settings.revocation = on;
        self
    }

    /// Allows the access at once as this user, in the user's first workspace, like a provider whose user is
    /// signed in and allowed it before. Default: the provider shows a consent page.
    ///
    /// Without such a user, [`start`](Self::start) fails. [`approve`](MockOsc::approve) acts as this user, while
    /// [`approve_as`](MockOsc::approve_as) and [`sign_in_as`](MockOsc::sign_in_as) act as the user that they name.
    pub fn auto_consent(mut self, user: &str) -> Self {
        self.auto_consent = Some((user.to_owned(), None));
        self
    }

    /// Allows the access at once as this user in this workspace. See [`auto_consent`](Self::auto_consent).
    pub fn auto_consent_in(mut self, user: &str, workspace: &str) -> Self {
        self.auto_consent = Some((user.to_owned(), Some(workspace.to_owned())));
        self
    }

    /// Delays the answers of an endpoint: each of its requests waits this long before it is processed, even if
    /// the client has gone by then. Default: no delay. Faults come on top.
    pub fn delay(mut self, endpoint: Endpoint, delay: Duration) -> Self {
        self.settings.delays.insert(endpoint, delay);
        self
    }

    /// Sets the client authentication methods that are announced and enforced. Default: `client_secret_post`,
    /// `client_secret_basic` and `none`.
    pub fn token_endpoint_auth_methods(mut self, methods: &[&str]) -> Self {
        self.settings.auth_methods = methods.iter().map(|method| (*method).to_owned()).collect();
        self
    }

    /// Sets what happens to a refresh token when it is used. Default: [`Rotation::Always`].
    pub fn rotation(mut self, rotation: Rotation) -> Self {
        self.settings.rotation = rotation;
        self
    }

    /// Sets how long a used refresh token still returns the first answer again. Default: zero.
    pub fn refresh_grace(mut self, grace: Duration) -> Self {
        self.settings.refresh_grace = grace;
        self
    }

    /// Sets the lifetime of the secrets of self-registered clients. Default: they do not expire.
    pub fn registered_secret_ttl(mut self, ttl: Duration) -> Self {
        self.settings.registered_secret_ttl = Some(ttl);
        self
    }

    /// Starts to listen, on the current Tokio runtime.
    ///
    /// # Errors
    /// If the address cannot be bound, most often because the port is in use, or if there is no user that
    /// [`auto_consent`](Self::auto_consent) names.
    pub async fn start(self) -> io::Result<MockOsc> {
        let mut settings = self.settings;
        settings.accounts = Accounts::new(self.users);
        settings.auto_consent = match &self.auto_consent {
            None => None,
            Some((user, workspace)) => {
                let account = settings.accounts.require(user, workspace.as_deref());
                Some(account.map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?)
            }
        };
        let wanted = SocketAddr::new(self.address, self.port);
        let listener = bind(wanted).await.map_err(|error| {
            io::Error::new(error.kind(), format!("the mock cannot listen on {wanted}: {error}"))
        })?;
        let address = listener.local_addr()?;
        // Clients cannot connect to a wildcard address.
        let host = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
        settings.platform_url = format!("http://{}", SocketAddr::new(host, address.port()));
        settings.issuer = self.issuer.unwrap_or_else(|| settings.platform_url.clone());
        let (issuer, platform) = (settings.issuer.clone(), settings.platform_url.clone());

        let (id, secret) = self.default_client;
        let mut default = Client::new(id.clone(), Some(secret.clone()), RedirectUris::AnyLoopback);
        default.name = "Example App".to_owned();
        let clients: HashMap<String, Client> =
            std::iter::once(default).chain(self.clients).map(|client| (client.id.clone(), client)).collect();
        let shared = Arc::new(Shared::new(World::new(settings, clients)));
        let listening = Listening::start(listener, Arc::clone(&shared));
        Ok(MockOsc::new(shared, listening, address, [issuer, platform, id, secret]))
    }
}
