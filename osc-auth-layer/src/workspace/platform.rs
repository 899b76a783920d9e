//! The addresses of the platform's services.

use http::Method;
use url::Url;

use super::hosts::{self, is_bare};
use super::request::{Api, PlatformRequest, below};
use crate::error::{ConfigError, quoted};
use crate::network::is_loopback_url;
use crate::oauth::{Issuer, is_environment, is_safe};

/// The platform of one environment.
#[derive(Clone, Debug)]
pub(crate) enum Platform {
    /// Service `S` is at `https://S.svc.{name}.osaas.io`.
    Environment(String),
    /// Service `S` is at `{base}/S`.
    Base(Url),
}

impl Platform {
    /// Returns the platform that accepts the tokens of this issuer. Only OSC's own issuers have one. The token of another
    /// issuer must not go to OSC.
    pub(crate) fn of(issuer: &Issuer) -> Option<Self> {
        let url = &issuer.url;
        let labels: Vec<_> = url.host_str()?.split('.').collect();
        let name = match labels.as_slice() {
            ["app", "osaas", "io"] => "prod",
            ["app", name, "osaas", "io"] if is_environment(name) => name,
            _ => return None,
        };
        let is_osc = url.scheme() == "https" && url.port().is_none();
        is_osc.then(|| Self::Environment(name.to_owned()))
    }

    pub(crate) fn at(base: &str) -> Result<Self, ConfigError> {
        let invalid = |problem: &str| {
            let remedy = "Set it to the base URL of the platform's services, such as http://127.0.0.1:4000. Leave it out to \
                          use the issuer's environment.";
            ConfigError::invalid("OSC_PLATFORM / platform", format!("{} {problem}", quoted(base)), remedy)
        };
        let url = Url::parse(base.trim()).map_err(|_| invalid("is not an absolute URL"))?;
        if !is_safe(&url) {
            return Err(invalid("is not https (http only on loopback)"));
        }
        if !is_bare(&url) {
            return Err(invalid("has a query, a fragment or a user name"));
        }
        Ok(Self::Base(url))
    }

    /// Makes a request to one of the platform's own services.
    pub(crate) fn request(&self, method: Method, service: &'static str, path: &[&str]) -> PlatformRequest {
        let mut url = match self {
            Self::Environment(name) => Url::parse(&format!("https://{service}.svc.{name}.osaas.io"))
                .expect("it differs from the issuer's URL, which was parsed, in fixed labels"),
            Self::Base(base) => below(base, &[service]),
        };
        url = below(&url, path);
        PlatformRequest::new(method, url)
    }

    /// Returns the API of a service, if a token for that service may go to the address that the catalog names.
    pub(crate) fn api(&self, service_id: &str, api_url: &str) -> Option<Api> {
        let url = match self {
            Self::Environment(name) => hosts::service_api(name, service_id, api_url),
            Self::Base(base) => hosts::plain(api_url).filter(|url| is_safe(url) && is_near(base, url)),
        };
        url.map(Api::at)
    }
}

/// Returns true if an API's address is close enough to the base to get a token.
///
/// A base has no naming scheme for APIs. So they have to be on its own host, on a subdomain, or on loopback if the base is.
fn is_near(base: &Url, url: &Url) -> bool {
    if is_loopback_url(base) {
        return is_loopback_url(url);
    }
    let (Some(own), Some(host)) = (base.host_str(), url.host_str()) else { return false };
    let is_below = host.strip_suffix(own).is_some_and(|rest| rest.ends_with('.'));
    url.port_or_known_default() == base.port_or_known_default() && (host == own || is_below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn environment(issuer: &str) -> Option<String> {
        match Platform::of(&Issuer::new(Some(issuer), None, false).unwrap())? {
            Platform::Environment(name) => Some(name),
            Platform::Base(_) => None,
        }
    }

    fn url(platform: &Platform, service: &'static str, path: &[&str]) -> String {
        platform.request(Method::GET, service, path).authorized(HeaderValue::from_static("t")).url.to_string()
    }

    #[test]
    fn the_platform_follows_the_issuers_environment() {
        assert_eq!(environment("https://app.osaas.io").unwrap(), "prod");
        assert_eq!(environment("https://app.osaas.io/").unwrap(), "prod");
        assert_eq!(environment("https://app.stage-2.osaas.io").unwrap(), "stage-2");
        for foreign in [
            "https://app.osaas.io.example.com",
            "https://osaas.io",
            "https://app.a.b.osaas.io",
            "https://login.osaas.io",
            "https://app.osaas.io:8443",
            "http://localhost:4000",
        ] {
            assert_eq!(environment(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn each_service_has_its_own_host_or_path() {
        let prod = Platform::Environment("prod".to_owned());
        assert_eq!(
            url(&prod, "catalog", &["mysubscriptions"]),
            "https://catalog.svc.prod.osaas.io/mysubscriptions"
        );
        for base in ["http://127.0.0.1:4000", "http://127.0.0.1:4000/"] {
            let base = Platform::at(base).unwrap();
            assert_eq!(
                url(&base, "deploy", &["mysecrets", "a/../b"]),
                "http://127.0.0.1:4000/deploy/mysecrets/a%2F..%2Fb"
            );
        }
        let deep = Platform::at("https://test.example/osc/").unwrap();
        assert_eq!(url(&deep, "money", &["mytokencount"]), "https://test.example/osc/money/mytokencount");
    }

    #[test]
    fn a_base_is_a_bare_https_or_loopback_url() {
        for bad in [
            "",
            "osaas.io",
            "http://osaas.io",
            "ftp://127.0.0.1",
            "https://u:p@osaas.io",
            "https://osaas.io?x",
            "https://osaas.io#x",
        ] {
            let error = Platform::at(bad).unwrap_err().to_string();
            assert!(error.starts_with("OSC_PLATFORM / platform"), "{bad}: {error}");
            assert!(!error.contains("u:p"), "{error}");
        }
    }

    #[test]
    fn s61_an_api_is_its_services_own_or_near_the_base() {
        let prod = Platform::Environment("prod".to_owned());
        assert!(prod.api("a", "https://api-a.auto.prod-se.osaas.io/x").is_some());
        assert!(prod.api("b", "https://api-a.auto.prod-se.osaas.io/x").is_none());
        assert!(prod.api("a", "http://127.0.0.1:4000/api-a/x").is_none());
        let base = Platform::at("https://osc.test:8443/base").unwrap();
        assert!(base.api("x", "https://osc.test:8443/api-x/xinstance").is_some());
        assert!(base.api("x", "https://api-x.osc.test:8443/xinstance").is_some());
        for foreign in [
            "https://osc.test/x",
            "http://osc.test:8443/x",
            "https://notosc.test:8443/x",
            "https://osc.test:8443.evil.example/x",
            "https://osc.test:8443/x/../y",
            "https://u@osc.test:8443/x",
            "https://127.0.0.1/x",
        ] {
            assert!(base.api("x", foreign).is_none(), "{foreign}");
        }
        let local = Platform::at("http://127.0.0.1:4000").unwrap();
        assert!(local.api("x", "http://localhost:5000/x").is_some());
        assert!(local.api("minio-minio", "https://api-minio-minio.auto.prod.osaas.io/x").is_none());
    }
}
