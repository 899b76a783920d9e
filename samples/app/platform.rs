//! The few calls to Open Source Cloud this app makes, each on behalf of the visitor whose token it is given.

use std::{env, error, fmt, time::Duration};

use osc_auth_layer::OscToken;
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub(crate) struct Platform {
    http: Client,
    /// Where service `{S}` is.
    address: String,
}

/// A service the visitor's workspace subscribes to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription {
    pub(crate) service_id: String,
    api_url: String,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) url: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Balance {
    pub(crate) tokens: serde_json::Number,
}

impl Platform {
    /// `OSC_PLATFORM` names another base in tests. Otherwise the platform is the one of the issuer's environment: a
    /// token of one environment is of no use, and none of the business, of another.
    pub(crate) fn from_env() -> Result<Self, reqwest::Error> {
        if let Some(base) = env::var("OSC_PLATFORM").ok().filter(|base| !base.is_empty()) {
            return Self::at(&base);
        }
        let issuer = env::var("OSC_ISSUER").unwrap_or_default();
        let environment = issuer
            .trim_end_matches('/')
            .strip_prefix("https://app.")
            .and_then(|rest| rest.strip_suffix(".osaas.io"))
            .unwrap_or("prod");
        Self::new(format!("https://{{S}}.svc.{environment}.osaas.io"))
    }

    pub(crate) fn at(base: &str) -> Result<Self, reqwest::Error> {
        Self::new(format!("{}/{{S}}", base.trim_end_matches('/')))
    }

    fn new(address: String) -> Result<Self, reqwest::Error> {
        // ring builds without a C toolchain's extras. An error only says that the process has a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .timeout(Duration::from_secs(15))
            // A redirect would take the token, which is in a header of OSC's own, along to wherever it points.
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { http, address })
    }

    pub(crate) async fn balance(&self, token: &OscToken) -> Result<Balance, Error> {
        let request = self.http.get(self.url("money", "mytokencount"));
        Ok(send(request.header("x-pat-jwt", token.bearer())).await?.json().await?)
    }

    pub(crate) async fn subscriptions(&self, token: &OscToken) -> Result<Vec<Subscription>, Error> {
        let request = self.http.get(self.url("catalog", "mysubscriptions"));
        Ok(send(request.header("x-pat-jwt", token.bearer())).await?.json().await?)
    }

    pub(crate) async fn subscription(&self, token: &OscToken, service: &str) -> Result<Subscription, Error> {
        let mine = self.subscriptions(token).await?;
        let found = mine.into_iter().find(|subscription| subscription.service_id == service);
        found.ok_or_else(|| Error::NoSuchService(service.to_owned()))
    }

    pub(crate) async fn instances(
        &self,
        token: &OscToken,
        of: &Subscription,
    ) -> Result<Vec<Instance>, Error> {
        let access = self.service_access(token, of).await?;
        Ok(send(self.http.get(&of.api_url).header("x-jwt", access)).await?.json().await?)
    }

    pub(crate) async fn create(&self, token: &OscToken, of: &Subscription, name: &str) -> Result<(), Error> {
        check(name)?;
        let access = self.service_access(token, of).await?;
        let request = self.http.post(&of.api_url).header("x-jwt", access);
        send(request.json(&json!({ "name": name }))).await.map(drop)
    }

    pub(crate) async fn remove(&self, token: &OscToken, of: &Subscription, name: &str) -> Result<(), Error> {
        check(name)?;
        let access = self.service_access(token, of).await?;
        let url = format!("{}/{name}", of.api_url.trim_end_matches('/'));
        send(self.http.delete(url).header("x-jwt", access)).await.map(drop)
    }

    /// Each service has a token of its own; the visitor's goes only to the platform.
    async fn service_access(&self, token: &OscToken, of: &Subscription) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Access {
            token: String,
        }
        let request = self.http.post(self.url("token", "servicetoken"));
        let request = request.header("x-pat-jwt", token.bearer());
        let access: Access = send(request.json(&json!({ "serviceId": of.service_id }))).await?.json().await?;
        Ok(format!("Bearer {}", access.token))
    }

    fn url(&self, service: &str, path: &str) -> String {
        format!("{}/{path}", self.address.replace("{S}", service))
    }
}

/// A name becomes part of an address, so nothing but what Open Source Cloud allows may get there.
fn check(name: &str) -> Result<(), Error> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if name.is_empty() || !name.bytes().all(allowed) {
        return Err(Error::BadName(name.to_owned()));
    }
    Ok(())
}

async fn send(request: RequestBuilder) -> Result<Response, Error> {
    let response = request.send().await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    let reason = match serde_json::from_str::<Value>(&body) {
        Ok(json) => json["reason"].as_str().or(json["message"].as_str()).unwrap_or_default().to_owned(),
        // Somebody's HTML error page is no sentence to show.
        Err(_) if body.trim_start().starts_with('<') => String::new(),
        Err(_) => body.chars().take(200).collect(),
    };
    Err(Error::Answered { status, reason })
}

/// Why a call did not succeed. `Display` is a sentence for the visitor.
#[derive(Debug)]
pub(crate) enum Error {
    Answered { status: StatusCode, reason: String },
    Unreachable(reqwest::Error),
    NoSuchService(String),
    BadName(String),
}

impl Error {
    /// What this app answers. A token refused by the platform is not the browser's doing, so never 401.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Answered { status, .. }
                if status.is_client_error() && *status != StatusCode::UNAUTHORIZED =>
            {
                *status
            }
            Self::Answered { .. } | Self::Unreachable(_) => StatusCode::BAD_GATEWAY,
            Self::NoSuchService(_) => StatusCode::NOT_FOUND,
            Self::BadName(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, reason } if reason.is_empty() => {
                write!(f, "Open Source Cloud answered {status}.")
            }
            Self::Answered { reason, .. } => write!(f, "Open Source Cloud says: {reason}"),
            Self::Unreachable(_) => {
                f.write_str("Open Source Cloud did not give a usable answer. Try again in a moment.")
            }
            Self::NoSuchService(id) => write!(f, "This workspace has no service “{id}”."),
            Self::BadName(name) => {
                write!(f, "“{name}” cannot be a name: only small letters and digits are allowed.")
            }
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Unreachable(error) => Some(error),
            _ => None,
        }
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        tracing::warn!(?error, "no usable answer from Open Source Cloud");
        Self::Unreachable(error)
    }
}
