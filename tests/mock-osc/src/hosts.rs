//! OSC's host names, and foreign ones.

use http::uri::Authority;

/// The part of OSC that a `Host` header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// The mock's own address, which serves everything by path.
    Mock,
    /// The identity provider of an environment.
    Issuer,
    /// A platform service, for example `catalog.svc.prod.osaas.io`.
    Platform { service: &'a str, cluster: String },
    /// The API of a service, for example `api-minio-minio.auto.prod-se.osaas.io`. Old names, such as
    /// `api-ce.prod.osaas.io`, do not hold the full name of the service.
    Api { service: Option<&'a str>, cluster: String },
    /// An instance, an app, or the host of another owner.
    Elsewhere,
}

/// The OSC environment that the mock plays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    /// The environment; `None` matches any.
    environment: Option<String>,
    /// The site of the services' APIs. `None` means the environment itself.
    api_site: Option<String>,
}

impl Hosts {
    pub(crate) fn new(issuer: &str, api_site: Option<String>) -> Self {
        let host = issuer.strip_prefix("https://").unwrap_or_default();
        let environment = labels(host).and_then(|labels| match labels.as_slice() {
            ["app"] => Some("prod".to_owned()),
            ["app", environment] => Some((*environment).to_owned()),
            _ => None,
        });
        Self { environment, api_site }
    }

    pub(crate) fn place<'a>(&self, host: Option<&'a str>) -> Place<'a> {
        let Some(host) = host else {
            return Place::Mock;
        };
        // A test may reach the mock through any port.
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let cluster = |environment: &str| self.api_site.clone().unwrap_or_else(|| environment.to_owned());
        match labels(name).as_deref() {
            Some(["app"]) if self.plays("prod") => Place::Issuer,
            Some(["app", environment]) if self.plays(environment) => Place::Issuer,
            Some([service, "svc", environment]) if self.plays(environment) => {
                Place::Platform { service, cluster: cluster(environment) }
            }
            Some([api, "auto", site]) if self.has_apis_at(site) => match api.strip_prefix("api-") {
                Some(service) => Place::Api { service: Some(service), cluster: (*site).to_owned() },
                None => Place::Elsewhere,
            },
            Some([api, environment]) if api.starts_with("api-") && self.plays(environment) => {
                Place::Api { service: None, cluster: cluster(environment) }
            }
            Some(_) => Place::Elsewhere,
            // Without an environment, the mock answers under every name of its machine.
            None if self.environment.is_none() || is_loopback(host) => Place::Mock,
            None => Place::Elsewhere,
        }
    }

    fn plays(&self, environment: &str) -> bool {
        self.environment.as_deref().is_none_or(|own| own == environment)
    }

    fn has_apis_at(&self, site: &str) -> bool {
        match &self.api_site {
            Some(own) => own == site,
            None => self.plays(site),
        }
    }
}

/// Returns the labels in front of OSC's domain.
fn labels(name: &str) -> Option<Vec<&str>> {
    Some(name.strip_suffix(".osaas.io")?.split('.').collect())
}

fn is_loopback(host: &str) -> bool {
    let host = host.parse::<Authority>().ok();
    host.is_some_and(|host| matches!(host.host(), "localhost" | "127.0.0.1" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(issuer: &str, api_site: Option<&str>) -> Hosts {
        Hosts::new(issuer, api_site.map(str::to_owned))
    }

    fn api<'a>(service: impl Into<Option<&'a str>>, cluster: &str) -> Place<'a> {
        Place::Api { service: service.into(), cluster: cluster.to_owned() }
    }

    #[test]
    fn an_environment_has_its_services_and_its_apis_on_a_site() {
        let dev = hosts("https://app.dev.osaas.io", Some("dev-se"));
        let place = |host| dev.place(Some(host));
        assert_eq!(place("app.dev.osaas.io"), Place::Issuer);
        let catalog = Place::Platform { service: "catalog", cluster: "dev-se".to_owned() };
        assert_eq!(place("catalog.svc.dev.osaas.io"), catalog);
        assert_eq!(place("api-minio-minio.auto.dev-se.osaas.io:443"), api("minio-minio", "dev-se"));
        assert_eq!(place("api-ce.dev.osaas.io"), api(None, "dev-se"));
        for mock in ["127.0.0.1:4000", "localhost", "[::1]:4000"] {
            assert_eq!(place(mock), Place::Mock, "{mock}");
        }
        for elsewhere in [
            "app.osaas.io",
            "app.prod.osaas.io",
            "catalog.svc.prod.osaas.io",
            "catalog.svc.dev-se.osaas.io",
            "api-minio-minio.auto.dev.osaas.io",
            "api-minio-minio.auto.prod-se.osaas.io",
            "api-minio-minio.auto.devse.osaas.io",
            "api-minio-minio.auto.dev-se.osaas.io.",
            "api-minio-minio.auto.dev-se.osaas.io.evil.example",
            "evil.api-minio-minio.auto.dev-se.osaas.io",
            "adalovelace-demo.minio-minio.auto.dev-se.osaas.io",
            "minio-minio.auto.dev-se.osaas.io",
            "api-ce.prod.osaas.io",
            "0123abcd.apps.osaas.io",
            "osaas.io",
            "evil.example",
            "192.0.2.1",
            "",
        ] {
            assert_eq!(place(elsewhere), Place::Elsewhere, "{elsewhere}");
        }
    }

    #[test]
    fn only_the_production_issuer_omits_its_environment() {
        let prod = hosts("https://app.osaas.io", None);
        assert_eq!(prod.place(Some("app.osaas.io")), Place::Issuer);
        assert_eq!(prod.place(Some("api-encore.auto.prod.osaas.io")), api("encore", "prod"));
        assert_eq!(prod.place(Some("api-encore.auto.prod-se.osaas.io")), Place::Elsewhere);
    }

    #[test]
    fn a_custom_issuer_plays_any_environment() {
        let any = hosts("http://127.0.0.1:4000", None);
        assert_eq!(any.place(None), Place::Mock);
        for mock in ["mock:4000", "osc.test", "192.0.2.1:4000", "notosaas.io"] {
            assert_eq!(any.place(Some(mock)), Place::Mock, "{mock}");
        }
        assert_eq!(any.place(Some("api-encore.auto.stage.osaas.io")), api("encore", "stage"));
        assert_eq!(any.place(Some("ada-demo.encore.auto.stage.osaas.io")), Place::Elsewhere);
    }
}
