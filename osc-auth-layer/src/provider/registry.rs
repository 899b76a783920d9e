//! Registrations that all nodes of an app share. The first one counts, and its secret is sealed under the cookie keys.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::registration::Registration;
use super::wire::{AuthMethod, Credentials};
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{Backing, RecordName, SealingKey, StoreError};

/// How long a registration is kept that never expires. Every record in the store has to end at some time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A client that the provider made, and its registration.
pub(super) type Registered = (Arc<Credentials>, Registration);

pub(crate) struct Registry {
    backing: Arc<Backing>,
    /// The first key seals, every key opens.
    keys: Vec<SealingKey>,
    issuer: String,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    i: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    m: Option<String>,
    r: Registration,
}

impl Registry {
    pub(crate) fn new(backing: Arc<Backing>, keys: Vec<SealingKey>, issuer: String) -> Self {
        Self { backing, keys, issuer }
    }

    /// Returns the registration for sign-ins that return to these URIs.
    pub(super) async fn current(
        &self,
        app: &str,
        redirect_uris: &[String],
    ) -> Result<Option<Registered>, StoreError> {
        self.read(&self.current_name(app, redirect_uris)).await
    }

    pub(super) async fn by_id(&self, client_id: &str) -> Result<Option<Registered>, StoreError> {
        self.read(&self.client_name(client_id)).await
    }

    /// Shares a registration. If another node was faster, returns that node's registration, which counts instead.
    pub(super) async fn share(
        &self,
        app: &str,
        registered: &Registered,
        now: Timestamp,
    ) -> Result<Option<Registered>, StoreError> {
        let (credentials, registration) = registered;
        let lifetime = registration.ends_in(now).unwrap_or(LONGEST).min(LONGEST);
        let client = self.client_name(&credentials.id);
        let current = self.current_name(app, &registration.redirect_uris);
        // Written under the client's id first, because a callback on another node looks there.
        self.backing.create_once(&client, &self.seal(&client, registered), lifetime).await?;
        let is_first = self.backing.create_once(&current, &self.seal(&current, registered), lifetime).await?;
        if is_first { Ok(None) } else { self.read(&current).await }
    }

    /// Removes `registered` if it is still the one that counts, so that another one can take its place.
    pub(super) async fn supersede(&self, app: &str, registered: &Registered) -> Result<(), StoreError> {
        let (credentials, registration) = registered;
        let current = self.current_name(app, &registration.redirect_uris);
        match self.read(&current).await? {
            Some((counts, _)) if counts.id == credentials.id => self.backing.remove_once(&current).await,
            _ => Ok(()),
        }
    }

    fn current_name(&self, app: &str, redirect_uris: &[String]) -> RecordName {
        let uris = redirect_uris.iter().map(String::as_str);
        let parts: Vec<_> = ["registration", &self.issuer, app].into_iter().chain(uris).collect();
        RecordName::once(&parts)
    }

    fn client_name(&self, client_id: &str) -> RecordName {
        RecordName::once(&["client", &self.issuer, client_id])
    }

    async fn read(&self, name: &RecordName) -> Result<Option<Registered>, StoreError> {
        let Some(sealed) = self.backing.read_once(name).await? else {
            return Ok(None);
        };
        let opened = self.open(name, &sealed);
        if opened.is_none() {
            tracing::error!(
                "The app's registration in the session store cannot be decrypted. Give all nodes the same COOKIE_KEY."
            );
        }
        Ok(opened)
    }

    fn seal(&self, name: &RecordName, (credentials, registration): &Registered) -> Vec<u8> {
        let sealed = Sealed {
            i: credentials.id.clone(),
            s: credentials.secret.as_ref().map(|secret| secret.expose().to_owned()),
            m: credentials.auth_method.map(|method| method.name().to_owned()),
            r: registration.clone(),
        };
        let plain = serde_json::to_vec(&sealed).expect("strings and numbers are valid JSON");
        // There is always a key, because `build()` refuses a store without one.
        self.keys[0].seal(&plain, &self.place(name))
    }

    fn open(&self, name: &RecordName, sealed: &[u8]) -> Option<Registered> {
        let place = self.place(name);
        let plain = self.keys.iter().find_map(|key| key.open(sealed, &place))?;
        let opened: Sealed = serde_json::from_slice(&plain).ok()?;
        let credentials = Credentials {
            id: opened.i,
            secret: opened.s.map(Secret::new),
            auth_method: opened.m.as_deref().and_then(AuthMethod::parse),
        };
        Some((Arc::new(credentials), opened.r))
    }

    fn place(&self, name: &RecordName) -> Vec<u8> {
        [self.backing.store().namespace().as_bytes(), name.text().as_bytes()].concat()
    }
}
