//! The apps that sign in, each in a process of its own, and their providers.

use std::time::Duration;

use crate::apache::{self, Apache};
use crate::peers::{oidc, oidc_1, oidc_client, ours};
use crate::processes::{Kind, Process};
use crate::provider::Provider;

pub(crate) struct Field {
    pub(crate) plain: Provider,
    with_userinfo: Provider,
    layer: Process,
    client: Process,
    old: Process,
    new: Process,
    /// `None` if it is not installed.
    pub(crate) apache: Option<Apache>,
}

/// An app of the field.
#[derive(Clone, Copy)]
pub(crate) struct Entrant<'f> {
    pub(crate) name: &'static str,
    pub(crate) process: &'f Process,
    pub(crate) provider: &'f Provider,
    /// The path that begins a sign-in.
    pub(crate) sign_in: &'static str,
    /// `yes` if it checks the ID token, and what else it does at a sign-in.
    pub(crate) id_token: &'static str,
}

impl Field {
    pub(crate) async fn start() -> Self {
        let hour = Duration::from_secs(3600);
        let plain = Provider::start(hour, Duration::ZERO).await;
        let with_userinfo = Provider::with_userinfo(hour, Duration::ZERO).await;
        let start = |kind, provider: &Provider| Process::start(kind, provider.issuer());
        Self {
            layer: start(Kind::Layer, &plain),
            client: start(Kind::OidcClient, &plain),
            old: start(Kind::Oidc, &plain),
            new: start(Kind::Oidc1, &with_userinfo),
            apache: Apache::start(plain.issuer()).await,
            plain,
            with_userinfo,
        }
    }

    /// Returns all apps, the layer's first.
    pub(crate) fn entrants(&self) -> Vec<Entrant<'_>> {
        let plain = &self.plain;
        let entrant =
            |name, process, sign_in, id_token| Entrant { name, process, provider: plain, sign_in, id_token };
        let mut entrants = vec![
            entrant("osc-auth-layer", &self.layer, ours::SIGN_IN, "no"),
            entrant("axum-oidc-client 0.7", &self.client, oidc_client::SIGN_IN, "no"),
            entrant("axum-oidc 0.6", &self.old, oidc::SIGN_IN, "yes"),
            Entrant {
                provider: &self.with_userinfo,
                ..entrant(
                    "axum-oidc 1.0.0-dev-2",
                    &self.new,
                    oidc_1::SIGN_IN,
                    "yes, and asks for the user's claims",
                )
            },
        ];
        if let Some(Apache { process, .. }) = &self.apache {
            entrants.push(entrant(apache::NAME, process, apache::SIGN_IN, "yes"));
        }
        entrants
    }
}
