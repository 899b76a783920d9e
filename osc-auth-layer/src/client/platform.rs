//! Where the platform's services are, and which addresses a token may go to. A request carries one kind of token and is
//! made for an address of that kind, so the two never meet (draft "OAuth 2.0 for browser-based applications" §6.1.3.6).

use http::{HeaderName, HeaderValue, Method, header};
use url::Url;

use crate::config::{ConfigError, quoted};
use crate::network::WireRequest;
use crate::origin::is_loopback_url;
use crate::provider::{Issuer, is_environment, is_safe};

const PAT: HeaderName = HeaderName::from_static("x-pat-jwt");
const SAT: HeaderName = HeaderName::from_static("x-jwt");

/// The platform of one environment.
#[derive(Clone, Debug)]
pub(crate) enum Platform {
    /// Service `S` is at `https://S.svc.{name}.osaas.io`.
    Environment(String),
    /// Service `S` is at `{base}/S`.
    Base(Url),
}

impl Platform {
    /// The one that a token of this issuer is good for. Only OSC's own issuers have one: a token of anybody else's is none
    /// of OSC's business.
    pub(crate) fn of(issuer: &Issuer) -> Option<Self> {
        let url = issuer.url();
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
            let remedy = "give the base URL of the platform's services, such as http://127.0.0.1:4000, or leave it out to \
                          use that of the issuer's environment";
            ConfigError::invalid("OSC_PLATFORM / platform", format!("{} {problem}", quoted(base)), remedy)
        };
        let url = Url::parse(base.trim()).map_err(|_| invalid("is not an absolute URL"))?;
        if !is_safe(&url) {
            return Err(invalid("is not https (http only on loopback)"));
        }
        if is_adorned(&url) {
            return Err(invalid("has a query, a fragment or a user name"));
        }
        Ok(Self::Base(url))
    }

    /// A request to one of the platform's own services.
    pub(crate) fn request(&self, method: Method, service: &'static str, path: &[&str]) -> PlatformRequest {
        let mut url = match self {
            Self::Environment(name) => Url::parse(&format!("https://{service}.svc.{name}.osaas.io"))
                .expect("it differs from the issuer's URL, which was parsed, in fixed labels"),
            Self::Base(base) => below(base, &[service]),
        };
        url = below(&url, path);
        PlatformRequest(json(WireRequest::new(method, url)))
    }

    /// The API of a service, when the address that the catalog gives for it lies in this environment.
    pub(crate) fn api(&self, api_url: &str) -> Option<Api> {
        let url = Url::parse(api_url).ok()?;
        (is_safe(&url) && !is_adorned(&url) && self.holds(&url)).then_some(Api(url))
    }

    fn holds(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let is_below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        match self {
            Self::Environment(name) => url.port().is_none() && is_below(&format!("{name}.osaas.io")),
            Self::Base(base) if is_loopback_url(base) => is_loopback_url(url),
            Self::Base(base) => {
                let same_port = url.port_or_known_default() == base.port_or_known_default();
                same_port && base.host_str().is_some_and(|own| host == own || is_below(own))
            }
        }
    }
}

fn is_adorned(url: &Url) -> bool {
    url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
}

/// The segments are escaped: none of them can leave the path they are put below.
fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// OSC's own clients say so at every request, with or without a body; so its servers are known to take it.
fn json(request: WireRequest) -> WireRequest {
    let json = HeaderValue::from_static("application/json");
    request.header(header::CONTENT_TYPE, json).header(header::ACCEPT, HeaderValue::from_static("*/*"))
}

/// For the personal access token.
#[derive(Clone)]
pub(crate) struct PlatformRequest(WireRequest);

impl PlatformRequest {
    pub(crate) fn body(self, body: &serde_json::Value) -> Self {
        Self(self.0.body("application/json", body.to_string()))
    }

    pub(crate) fn authorized(&self, personal_access_token: HeaderValue) -> WireRequest {
        self.0.clone().header(PAT, personal_access_token)
    }
}

/// The API of one service: where its service access token may go.
#[derive(Clone, Debug)]
pub(crate) struct Api(Url);

impl Api {
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The collection of instances.
    pub(crate) fn instances(&self, method: Method) -> ServiceRequest {
        ServiceRequest { request: json(WireRequest::new(method, self.0.clone())), header: SAT }
    }

    pub(crate) fn instance(&self, method: Method, name: &str) -> ServiceRequest {
        ServiceRequest { request: json(WireRequest::new(method, below(&self.0, &[name]))), header: SAT }
    }

    /// What an instance links to: a path on the API's host, whatever else the link may look like.
    pub(crate) fn link(&self, method: Method, href: &str) -> Option<ServiceRequest> {
        if !href.starts_with('/') {
            return None;
        }
        let origin = &self.0[..url::Position::BeforePath];
        let url = Url::parse(&format!("{origin}{href}")).ok()?;
        let stays = url[..url::Position::BeforePath] == *origin;
        let mut request = WireRequest::new(method, url);
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        stays.then_some(ServiceRequest { request, header: SAT })
    }
}

/// For a service access token.
#[derive(Clone)]
pub(crate) struct ServiceRequest {
    request: WireRequest,
    header: HeaderName,
}

impl ServiceRequest {
    pub(crate) fn body(mut self, body: &serde_json::Value) -> Self {
        self.request = self.request.body("application/json", body.to_string());
        self
    }

    pub(crate) fn saying_json(mut self) -> Self {
        self.request = json(self.request);
        self
    }

    /// Scaling alone takes the standard header.
    pub(crate) fn by_authorization(mut self) -> Self {
        self.header = header::AUTHORIZATION;
        self.saying_json()
    }

    pub(crate) fn authorized(&self, service_access_token: HeaderValue) -> WireRequest {
        self.request.clone().header(self.header.clone(), service_access_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(issuer: &str) -> Option<String> {
        match Platform::of(&Issuer::new(Some(issuer), None, false).unwrap())? {
            Platform::Environment(name) => Some(name),
            Platform::Base(_) => None,
        }
    }

    fn url(platform: &Platform, service: &'static str, path: &[&str]) -> String {
        platform.request(Method::GET, service, path).0.url.into()
    }

    #[test]
    fn the_platform_is_the_one_of_the_issuers_environment() {
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
    fn services_have_a_host_each_or_a_path_each_below_a_base() {
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
    fn a_base_is_https_or_loopback_and_nothing_but_an_address() {
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
    fn s61_an_api_lies_in_the_environments_own_domain() {
        let prod = Platform::Environment("prod".to_owned());
        assert!(prod.api("https://api-minio-minio.auto.prod.osaas.io/minioinstance").is_some());
        for foreign in [
            "http://api-minio-minio.auto.prod.osaas.io/minioinstance",
            "https://api-minio-minio.auto.dev.osaas.io/minioinstance",
            "https://api.prod.osaas.io.example.com/x",
            "https://apiprod.osaas.io/x",
            "https://evil-prod.osaas.io/x",
            "https://prod.osaas.io/x",
            "https://user@api.auto.prod.osaas.io/x",
            "https://api.auto.prod.osaas.io:444/x",
            "https://api.auto.prod.osaas.io/x?y",
            "https://127.0.0.1/x",
            "https://evil.example\\@api.auto.prod.osaas.io/x",
            "not a url",
        ] {
            assert!(prod.api(foreign).is_none(), "{foreign}");
        }
        let base = Platform::at("https://osc.test:8443/base").unwrap();
        assert!(base.api("https://osc.test:8443/api-x/xinstance").is_some());
        assert!(base.api("https://api-x.osc.test:8443/xinstance").is_some());
        for foreign in [
            "https://osc.test/x",
            "http://osc.test:8443/x",
            "https://notosc.test:8443/x",
            "https://127.0.0.1/x",
        ] {
            assert!(base.api(foreign).is_none(), "{foreign}");
        }
        let local = Platform::at("http://127.0.0.1:4000").unwrap();
        assert!(local.api("http://localhost:5000/x").is_some());
        assert!(local.api("https://api-minio-minio.auto.prod.osaas.io/x").is_none());
    }

    #[test]
    fn a_link_stays_on_the_host_of_the_api() {
        let platform = Platform::Environment("prod".to_owned());
        let api = platform.api("https://api-a.auto.prod.osaas.io/ainstance").unwrap();
        let link = |href: &str| api.link(Method::GET, href).map(|request| String::from(request.request.url));
        assert_eq!(link("/health/x").unwrap(), "https://api-a.auto.prod.osaas.io/health/x");
        assert_eq!(link("//evil.example/x").unwrap(), "https://api-a.auto.prod.osaas.io//evil.example/x");
        for elsewhere in
            ["https://evil.example/x", "@evil.example/x", ".evil.example/x", ":444/x", "", "health/x"]
        {
            assert_eq!(link(elsewhere), None, "{elsewhere}");
        }
    }
}
