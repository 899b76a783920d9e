//! Asks the provider.

mod clock;
mod metadata;
mod page;
mod token;

use std::sync::Arc;

use futures_util::future::{join, join_all};
use url::Url;

use crate::config::Config;
use crate::finding::{Finding, Severity};
use crate::oauth::questions::{Clocks, PageReply, Reply};
use crate::oauth::{AuthMethod, Credentials, Metadata, Provider};
use crate::sessions::Sessions;

/// The most redirect URIs that are tried. Each costs the provider a request.
const MOST_URIS: usize = 10;
/// A redirect URI that nobody can have registered: names below `.invalid` do not exist (RFC 2606 §2).
const FOREIGN_URI: &str = "https://osc-auth-layer.invalid/preflight";

pub(super) async fn check(config: &Config, sessions: &Arc<Sessions>) -> Vec<Finding> {
    let provider = &sessions.provider;
    let (fetched, clocks) = provider.ask_for_metadata().await;
    let (metadata, mut findings) = metadata::judge(fetched, &provider.issuer);
    let uris = config.redirect_uris();
    let client = provider.next_client(&uris).await.ok().flatten();
    let (Some(metadata), Some(client)) = (&metadata, &client) else {
        findings.extend(clock::judge(clocks));
        if let Some(metadata) = &metadata {
            findings.push(metadata::unregistered(metadata));
        }
        return findings;
    };
    let Some(method) = metadata.token_auth_method(client) else {
        findings.extend(clock::judge(clocks));
        findings.push(token::no_common_method());
        return findings;
    };
    let asked = Asked { config, provider, metadata, client, method, uris: &uris };
    let (of_client, of_uris) = join(asked.client(), asked.redirect_uris()).await;
    let (reply, at_token) = of_client;
    // An answer to a POST comes from no cache.
    findings.extend(clock::judge(at_token.filter(|clocks| clocks.provider.is_some()).or(clocks)));
    let of_client = token::judge(&reply, client, provider.has_static_client(), metadata);
    let is_refused = of_client.as_ref().is_some_and(|finding| finding.severity() != Severity::Unchecked);
    findings.extend(of_client);
    // The provider refuses every request of a client that it does not know, whatever the redirect URI.
    findings
        .extend(of_uris.into_iter().filter(|finding| !is_refused || finding.severity() != Severity::Error));
    findings
}

/// The parts of the questions about the client.
struct Asked<'c> {
    config: &'c Config,
    provider: &'c Arc<Provider>,
    metadata: &'c Metadata,
    client: &'c Arc<Credentials>,
    method: AuthMethod,
    uris: &'c [String],
}

impl Asked<'_> {
    async fn client(&self) -> (Reply, Option<Clocks>) {
        let uri = self.uris.first().map_or(FOREIGN_URI, String::as_str);
        let (client, provider) = (self.client, self.provider);
        let asked = provider.ask_with_made_up_code(self.metadata, client, self.method, uri).await;
        if let (Reply::Success(answer), _) = &asked {
            provider.end_unwanted_grant(client, answer);
        }
        asked
    }

    async fn redirect_uris(&self) -> Vec<Finding> {
        let uris = &self.uris[..self.uris.len().min(MOST_URIS)];
        if uris.is_empty() {
            return vec![page::no_public_url()];
        }
        let mut findings: Vec<_> = match self.metadata.pushed_authorization_request_endpoint.clone() {
            Some(endpoint) => {
                let replies = uris.iter().map(|uri| self.push(endpoint.clone(), uri));
                let replies = join_all(replies).await;
                uris.iter().zip(&replies).filter_map(|(uri, reply)| page::judge_pushed(uri, reply)).collect()
            }
            None => {
                let control = self.page(FOREIGN_URI);
                let (control, pages) = join(control, join_all(uris.iter().map(|uri| self.page(uri)))).await;
                let judged =
                    uris.iter().zip(&pages).filter_map(|(uri, page)| page::judge(uri, page, &control));
                judged.collect()
            }
        };
        if self.uris.len() > uris.len() {
            findings.push(page::too_many(self.uris.len() - uris.len()));
        }
        findings
    }

    async fn push(&self, endpoint: Url, uri: &str) -> Reply {
        let scope = self.config.scope();
        let parameters = self.config.authorization_parameters(&self.client.id, uri, &scope);
        self.provider.ask_with_pushed_request(endpoint, self.client, self.method, &parameters).await
    }

    async fn page(&self, uri: &str) -> PageReply {
        let scope = self.config.scope();
        let parameters = self.config.authorization_parameters(&self.client.id, uri, &scope);
        self.provider.ask_for_page(self.metadata, &parameters).await
    }
}
