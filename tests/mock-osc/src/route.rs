//! Where a request goes: a pure function of its host and path.

/// A group of routes that can be watched, held and made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Endpoint {
    /// Authorization server metadata (RFC 8414).
    Metadata,
    /// The authorization endpoint: the sign-in and consent page and its form.
    Authorize,
    /// The token endpoint.
    Token,
    /// Dynamic client registration (RFC 7591).
    Register,
    /// Token revocation (RFC 7009).
    Revoke,
    /// Pushed authorization requests (RFC 9126).
    Par,
    /// The catalog: the user's subscriptions.
    Catalog,
    /// The platform's token service, which hands out service access tokens.
    ServiceToken,
    /// The token balance.
    Money,
    /// Apps and secrets.
    Deploy,
    /// The instance APIs of all services.
    Instances,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Metadata,
    Authorize,
    Token,
    Register,
    Revoke,
    Par,
    Subscriptions,
    Subscription { service: String },
    ServiceToken,
    Balance,
    Apps,
    Secrets { service: String },
    Instances { service: Option<String>, path: InstancePath },
}

/// A path below a service's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InstancePath {
    Collection,
    Item(String),
    Health(String),
    Logs(String),
    Ports(String),
    Restart(String),
    Scale(String),
}

/// How the request found the platform, which is how its links must lead back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// By `/S/…` on the mock's own address.
    Path,
    /// By the host name that OSC uses in this environment.
    Host { environment: String },
}

impl Action {
    pub(crate) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Metadata => Endpoint::Metadata,
            Self::Authorize => Endpoint::Authorize,
            Self::Token => Endpoint::Token,
            Self::Register => Endpoint::Register,
            Self::Revoke => Endpoint::Revoke,
            Self::Par => Endpoint::Par,
            Self::Subscriptions | Self::Subscription { .. } => Endpoint::Catalog,
            Self::ServiceToken => Endpoint::ServiceToken,
            Self::Balance => Endpoint::Money,
            Self::Apps | Self::Secrets { .. } => Endpoint::Deploy,
            Self::Instances { .. } => Endpoint::Instances,
        }
    }
}

/// `None` is a 404.
pub(crate) fn route(host: Option<&str>, path: &str) -> Option<(Action, Via)> {
    let mut segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let via = match host.and_then(service_of_host) {
        Some((service, environment)) => {
            segments.insert(0, service);
            Via::Host { environment: environment.to_owned() }
        }
        None => Via::Path,
    };
    let action = match segments.as_slice() {
        [".well-known", "oauth-authorization-server"] => Action::Metadata,
        ["api", "connect", "authorize"] => Action::Authorize,
        ["api", "connect", "token"] => Action::Token,
        ["api", "connect", "register"] => Action::Register,
        ["api", "connect", "revoke"] => Action::Revoke,
        ["api", "connect", "par"] => Action::Par,
        ["catalog", "mysubscriptions"] => Action::Subscriptions,
        ["catalog", "mysubscriptions", service] => Action::Subscription { service: (*service).to_owned() },
        ["token", "servicetoken"] => Action::ServiceToken,
        ["money", "mytokencount"] => Action::Balance,
        ["deploy", "myapps"] => Action::Apps,
        ["deploy", "mysecrets", service] => Action::Secrets { service: (*service).to_owned() },
        // Old clients build these from the host of the `apiUrl` alone; the token tells the service.
        [rel @ ("health" | "logs" | "ports"), name] => {
            Action::Instances { service: None, path: instance_path(&[rel, name])? }
        }
        [api, rest @ ..] => Action::Instances {
            service: Some(api.strip_prefix("api-")?.to_owned()),
            path: instance_path(rest)?,
        },
        [] => return None,
    };
    Some((action, via))
}

fn instance_path(segments: &[&str]) -> Option<InstancePath> {
    match segments {
        ["health", name] => Some(InstancePath::Health((*name).to_owned())),
        ["logs", name] => Some(InstancePath::Logs((*name).to_owned())),
        ["ports", name] => Some(InstancePath::Ports((*name).to_owned())),
        ["restart", name] => Some(InstancePath::Restart((*name).to_owned())),
        ["scale", name] => Some(InstancePath::Scale((*name).to_owned())),
        [resource] if resource.ends_with("instance") => Some(InstancePath::Collection),
        [resource, name] if resource.ends_with("instance") => Some(InstancePath::Item((*name).to_owned())),
        _ => None,
    }
}

/// `catalog.svc.prod.osaas.io` and `api-minio-minio.auto.prod.osaas.io` name a service and an environment.
fn service_of_host(host: &str) -> Option<(&str, &str)> {
    let name = host.split(':').next()?.strip_suffix(".osaas.io")?;
    let labels: Vec<&str> = name.split('.').collect();
    match labels.as_slice() {
        [service, "svc", environment] => Some((service, environment)),
        [api, "auto", environment] if api.starts_with("api-") => Some((api, environment)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_path_lead_to_the_same_action() {
        let cases = [
            ("catalog.svc.prod.osaas.io", "/mysubscriptions", "/catalog/mysubscriptions"),
            ("deploy.svc.dev.osaas.io:443", "/mysecrets/minio-minio", "/deploy/mysecrets/minio-minio"),
            ("api-minio-minio.auto.prod.osaas.io", "/minioinstance/a", "/api-minio-minio/minioinstance/a"),
        ];
        for (host, path, same) in cases {
            let (by_host, _) = route(Some(host), path).unwrap();
            let (by_path, via) = route(Some("127.0.0.1:4000"), same).unwrap();
            assert_eq!((by_host, via), (by_path, Via::Path), "{host}{path}");
        }
    }

    #[test]
    fn foreign_hosts_and_unknown_paths_name_no_service() {
        assert_eq!(service_of_host("catalog.svc.prod.example.com"), None);
        assert_eq!(service_of_host("app.osaas.io"), None);
        assert_eq!(route(None, "/api/connect/userinfo"), None);
        assert_eq!(route(None, "/"), None);
        assert_eq!(route(None, "/api-minio-minio/buckets"), None);
    }
}
