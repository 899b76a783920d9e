//! Logs at `build()` the settings that the layer runs with, and the redirect URIs to register.

use super::Config;
use crate::oauth::ClientConfig;
use crate::redact::line;
use crate::sessions::Settings;

const LONGEST: usize = 300;

impl Config {
    /// Logs the settings that an operator has to compare with the provider's. Contains no secret.
    pub(crate) fn announce(&self, settings: &Settings) {
        let issuer = line(settings.issuer.as_str(), LONGEST);
        let client = match &settings.client {
            ClientConfig::Static { id, secret: Some(_), .. } => {
                format!("the confidential client {}", line(id, 64))
            }
            ClientConfig::Static { id, secret: None, .. } => format!("the public client {}", line(id, 64)),
            ClientConfig::Register { name } => {
                format!("a client that registers itself as {:?}", line(name, 64))
            }
        };
        let place = match &settings.store {
            Some(store) => line(&store.place(), LONGEST),
            None => {
                "memory of this process, which a restart clears and other processes cannot read".to_owned()
            }
        };
        let uris = self.redirect_uris();
        let registers_itself = matches!(settings.client, ClientConfig::Register { .. });
        let redirect = match (&*uris, registers_itself) {
            ([], _) => format!(
                "PUBLIC_URL is not set, so users can sign in on localhost only, with the redirect URI \
                 http://localhost:<port>{}",
                self.callback_path
            ),
            (_, true) => format!("It registers this redirect URI: {}", uris.join(", ")),
            ([_], false) => format!("Register this redirect URI: {}", uris[0]),
            (_, false) => format!("Register these redirect URIs: {}", uris.join(", ")),
        };
        tracing::info!("Users sign in at {issuer} with {client}. Session store: {place}. {redirect}");
    }
}
