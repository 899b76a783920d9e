//! Registrations that all nodes of an app share. The first one counts, and its secret is sealed under the cookie keys.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::clock::Timestamp;
use crate::oauth::{GrantError, Registered, Registrations};
use crate::store::{Backing, Keyring, RecordName, StoreError, Swap, Swapped, Version};

/// How long a registration is kept that never expires. Every record in the store has to end at some time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The registrations in the store.
pub(super) struct StoredRegistrations {
    backing: Arc<Backing>,
    keys: Keyring,
    issuer: String,
}

impl StoredRegistrations {
    pub(super) fn new(backing: Arc<Backing>, keys: Keyring, issuer: String) -> Self {
        Self { backing, keys, issuer }
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
        let Some(entry) = self.backing.get(name).await?.entry else {
            return Ok(None);
        };
        let opened = self.open(name, &entry.value);
        if opened.is_none() {
            tracing::error!(
                "The app's registration in the session store cannot be decrypted. Give all nodes the same COOKIE_KEY."
            );
        }
        Ok(opened)
    }

    /// Makes a registration the current one. If there is one already, changes nothing and returns that one. Replaces one that no
    /// key opens, because nobody can use it.
    async fn make_current(
        &self,
        name: &RecordName,
        sealed: &[u8],
        lifetime: Duration,
    ) -> Result<Option<Registered>, StoreError> {
        let mut expected = None;
        loop {
            let version = Version::random();
            let swap = Swap { expected, version, value: sealed, expires_in: Some(lifetime), group: None };
            let Swapped::Conflict(found) = self.backing.swap(name, swap).await? else { return Ok(None) };
            let opened = found.entry.as_ref().and_then(|entry| self.open(name, &entry.value));
            if opened.is_some() {
                return Ok(opened);
            }
            expected = found.entry.map(|entry| entry.version);
        }
    }

    fn open(&self, name: &RecordName, sealed: &[u8]) -> Option<Registered> {
        self.keys.open(sealed, &self.place(name))
    }

    fn seal(&self, name: &RecordName, registered: &Registered) -> Vec<u8> {
        self.keys.seal(registered, &self.place(name))
    }

    fn place(&self, name: &RecordName) -> Vec<u8> {
        [self.backing.namespace().as_bytes(), name.text().as_bytes()].concat()
    }
}

impl Registrations for StoredRegistrations {
    fn current<'r>(
        &'r self,
        app: &'r str,
        redirect_uris: &'r [String],
    ) -> BoxFuture<'r, Result<Option<Registered>, GrantError>> {
        Box::pin(async move { Ok(self.read(&self.current_name(app, redirect_uris)).await?) })
    }

    fn by_id<'r>(&'r self, client_id: &'r str) -> BoxFuture<'r, Result<Option<Registered>, GrantError>> {
        Box::pin(async move { Ok(self.read(&self.client_name(client_id)).await?) })
    }

    fn share<'r>(
        &'r self,
        app: &'r str,
        registered: &'r Registered,
        now: Timestamp,
    ) -> BoxFuture<'r, Result<Option<Registered>, GrantError>> {
        Box::pin(async move {
            let (credentials, registration) = registered;
            let lifetime = registration.ends_in(now).unwrap_or(LONGEST).min(LONGEST);
            let client = self.client_name(&credentials.id);
            let current = self.current_name(app, &registration.redirect_uris);
            // Written under the client's id first, because a callback on another node looks there.
            self.backing.create(&client, &self.seal(&client, registered), lifetime).await?;
            Ok(self.make_current(&current, &self.seal(&current, registered), lifetime).await?)
        })
    }

    fn supersede<'r>(
        &'r self,
        app: &'r str,
        registered: &'r Registered,
    ) -> BoxFuture<'r, Result<(), GrantError>> {
        Box::pin(async move {
            let (credentials, registration) = registered;
            let current = self.current_name(app, &registration.redirect_uris);
            if self.read(&current).await?.is_some_and(|(counts, _)| counts.id == credentials.id) {
                self.backing.remove(&current).await?;
            }
            Ok(())
        })
    }
}

impl From<StoreError> for GrantError {
    fn from(_: StoreError) -> Self {
        Self::NotShared
    }
}
