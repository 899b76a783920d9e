//! Routes a request: a pure function of its host and path.

use crate::endpoint::Endpoint;
use crate::hosts::{Hosts, Place};

/// The target of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Metadata,
    Authorize,
    Token,
    Register,
    Revoke,
    Par,
    Subscriptions,
    Subscription {
        service: String,
    },
    ServiceToken,
    Balance,
    Plan,
    Apps,
    Secrets {
        service: String,
    },
    Secret {
        service: String,
        name: String,
    },
    Suspended,
    Resume {
        service: String,
        name: String,
    },
    Instances {
        service: Option<String>,
        path: InstancePath,
    },
    /// A host of another owner.
    Stranger,
    /// An unknown path on one of OSC's hosts.
    Nothing,
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
    InternalEndpoint(String),
}

impl InstancePath {
    /// Returns the name of the instance that the request is for.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Collection => None,
            Self::Item(name)
            | Self::Health(name)
            | Self::Logs(name)
            | Self::Ports(name)
            | Self::Restart(name)
            | Self::Scale(name)
            | Self::InternalEndpoint(name) => Some(name),
        }
    }
}

/// The route that the request took to the platform. The URLs in the answer use the same route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// Through `/S/…` on the mock's own address.
    Path,
    /// Through one of OSC's host names. APIs and instances are in this cluster.
    Host { cluster: String },
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
            Self::Balance | Self::Plan => Endpoint::Money,
            Self::Apps
            | Self::Secrets { .. }
            | Self::Secret { .. }
            | Self::Suspended
            | Self::Resume { .. } => Endpoint::Deploy,
            Self::Instances { .. } => Endpoint::Instances,
            Self::Stranger | Self::Nothing => Endpoint::Elsewhere,
        }
    }
}

pub(crate) fn route(hosts: &Hosts, host: Option<&str>, path: &str) -> (Action, Via) {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (action, via) = match hosts.place(host) {
        Place::Mock => {
            let action = issuer(&segments).or_else(|| match segments.as_slice() {
                // Old clients build these paths from the host of the `apiUrl` alone.
                ["health" | "logs" | "ports", _] => api(None, &segments),
                [service, path @ ..] => platform(service, path)
                    .or_else(|| service.strip_prefix("api-").and_then(|service| api(Some(service), path))),
                [] => None,
            });
            (action, Via::Path)
        }
        Place::Issuer => (issuer(&segments), Via::Path),
        Place::Platform { service, cluster } => (platform(service, &segments), Via::Host { cluster }),
        Place::Api { service, cluster } => (api(service, &segments), Via::Host { cluster }),
        Place::Elsewhere => (Some(Action::Stranger), Via::Path),
    };
    (action.unwrap_or(Action::Nothing), via)
}

fn issuer(path: &[&str]) -> Option<Action> {
    Some(match path {
        [".well-known", "oauth-authorization-server"] => Action::Metadata,
        ["api", "connect", "authorize"] => Action::Authorize,
        ["api", "connect", "token"] => Action::Token,
        ["api", "connect", "register"] => Action::Register,
        ["api", "connect", "revoke"] => Action::Revoke,
        ["api", "connect", "par"] => Action::Par,
        _ => return None,
    })
}

fn platform(service: &str, path: &[&str]) -> Option<Action> {
    let owned = |text: &&str| (*text).to_owned();
    Some(match (service, path) {
        ("catalog", ["mysubscriptions"]) => Action::Subscriptions,
        ("catalog", ["mysubscriptions", service]) => Action::Subscription { service: owned(service) },
        ("token", ["servicetoken"]) => Action::ServiceToken,
        ("money", ["mytokencount"]) => Action::Balance,
        ("money", ["mytenantplan"]) => Action::Plan,
        ("deploy", ["myapps"]) => Action::Apps,
        ("deploy", ["mysecrets", service]) => Action::Secrets { service: owned(service) },
        ("deploy", ["mysecrets", service, name]) => {
            Action::Secret { service: owned(service), name: owned(name) }
        }
        ("deploy", ["mysuspended"]) => Action::Suspended,
        ("deploy", ["mysuspended", service, name, "resume"]) => {
            Action::Resume { service: owned(service), name: owned(name) }
        }
        _ => return None,
    })
}

/// Parses a path below the API of a service. If the service is not named, the token decides which one is
/// meant.
fn api(service: Option<&str>, path: &[&str]) -> Option<Action> {
    let path = match path {
        ["health", name] => InstancePath::Health((*name).to_owned()),
        ["logs", name] => InstancePath::Logs((*name).to_owned()),
        ["ports", name] => InstancePath::Ports((*name).to_owned()),
        ["restart", name] => InstancePath::Restart((*name).to_owned()),
        ["scale", name] => InstancePath::Scale((*name).to_owned()),
        ["internal-endpoint", name] => InstancePath::InternalEndpoint((*name).to_owned()),
        [resource] if resource.ends_with("instance") => InstancePath::Collection,
        [resource, name] if resource.ends_with("instance") => InstancePath::Item((*name).to_owned()),
        _ => return None,
    };
    Some(Action::Instances { service: service.map(str::to_owned), path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(host: Option<&str>, path: &str) -> (Action, Via) {
        super::route(&Hosts::default(), host, path)
    }

    #[test]
    fn host_and_path_lead_to_the_same_action() {
        let cases = [
            ("catalog.svc.prod.osaas.io", "/mysubscriptions", "/catalog/mysubscriptions"),
            ("deploy.svc.dev.osaas.io:443", "/mysecrets/minio-minio", "/deploy/mysecrets/minio-minio"),
            ("api-minio-minio.auto.prod-se.osaas.io", "/minioinstance/a", "/api-minio-minio/minioinstance/a"),
            ("api-ce.prod.osaas.io", "/health/a", "/health/a"),
            ("app.osaas.io", "/api/connect/token", "/api/connect/token"),
        ];
        for (host, path, same) in cases {
            let (by_host, _) = route(Some(host), path);
            let (by_path, via) = route(Some("127.0.0.1:4000"), same);
            assert_ne!(by_host, Action::Nothing, "{host}{path}");
            assert_eq!((by_host, via), (by_path, Via::Path), "{host}{path}");
        }
    }

    #[test]
    fn a_host_serves_its_own_paths_only() {
        for (host, path) in [
            ("app.osaas.io", "/catalog/mysubscriptions"),
            ("app.osaas.io", "/mysubscriptions"),
            ("token.svc.prod.osaas.io", "/mysubscriptions"),
            ("catalog.svc.prod.osaas.io", "/catalog/mysubscriptions"),
            ("catalog.svc.prod.osaas.io", "/api/connect/token"),
            ("api-minio-minio.auto.prod.osaas.io", "/api-minio-minio/minioinstance"),
            ("127.0.0.1", "/api/connect/userinfo"),
            ("127.0.0.1", "/"),
            ("127.0.0.1", "/api-minio-minio/buckets"),
        ] {
            assert_eq!(route(Some(host), path).0, Action::Nothing, "{host}{path}");
        }
        assert_eq!(route(Some("0123abcd.apps.osaas.io"), "/mysubscriptions").0, Action::Stranger);
    }
}
