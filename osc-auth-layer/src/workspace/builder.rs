//! Building a context without a session.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use sync_wrapper::SyncWrapper;

use super::context::{BareToken, TokenSource};
use super::{LIMITS, OscContext, Platform};
use crate::clock::{Clock, SystemClock};
use crate::error::{ConfigError, text};
use crate::network::HttpClient;
use crate::oauth::{Issuer, bearer};
use crate::secret::Secret;

type ConfigureHttp = Box<dyn FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send>;

/// Configures an [`OscContext`] that acts with a personal access token. See [`OscContext::builder`].
#[must_use]
pub struct ContextBuilder {
    token: Secret,
    environment: Option<String>,
    platform: Option<String>,
    configure_http: Option<SyncWrapper<ConfigureHttp>>,
    clock: Arc<dyn Clock>,
}

impl OscContext {
    /// Starts the configuration of a context for command-line tools, jobs and tests. They have no signed-in user and act
    /// with a personal access token of their own.
    ///
    /// The client cannot refresh such a token. When the platform refuses it, calls return
    /// [`InvalidToken`](super::ContextErrorKind::InvalidToken).
    ///
    /// ```
    /// use osc_auth_layer::OscContext;
    ///
    /// # fn main() -> Result<(), osc_auth_layer::ConfigError> {
    /// let osc = OscContext::builder("a-personal-access-token").environment("stage").build()?;
    /// assert!(osc.session().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(personal_access_token: impl Into<String>) -> ContextBuilder {
        ContextBuilder {
            token: Secret::new(personal_access_token.into()),
            environment: None,
            platform: None,
            configure_http: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Builds a context from environment variables. An empty variable counts as unset.
    ///
    /// | variable | meaning | default | also read by |
    /// |---|---|---|---|
    /// | `OSC_ACCESS_TOKEN` | a personal access token | required | `@osaas/client-core`, `@osaas/cli` |
    /// | `OSC_ENVIRONMENT` | the environment that issued the token | `prod` | OSC's MCP server |
    /// | `OSC_PLATFORM` | for tests: base URL of the platform's services | those of the environment | `OscAuthLayer` |
    ///
    /// ```no_run
    /// # async fn list() -> Result<(), Box<dyn std::error::Error>> {
    /// let osc = osc_auth_layer::OscContext::from_env()?;
    /// for app in osc.my_apps().await? {
    ///     println!("{}", app.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing or cannot be used, and says what to do.
    pub fn from_env() -> Result<Self, ConfigError> {
        ContextBuilder::from_variables(|name| std::env::var_os(name))?.build()
    }
}

impl ContextBuilder {
    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let token = text(&variable, TOKEN)?.ok_or_else(|| {
            let remedy = "Create a personal access token in the OSC console (Settings, API) and export it.";
            ConfigError::missing(TOKEN, remedy)
        })?;
        let mut builder = OscContext::builder(token);
        builder.environment = text(&variable, "OSC_ENVIRONMENT")?;
        builder.platform = text(&variable, "OSC_PLATFORM")?;
        Ok(builder)
    }

    /// Sets the environment that issued the token, such as `stage`. Default: `prod`.
    ///
    /// The token goes to the platform of this environment and nowhere else.
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// Sets the base URL of the platform's services, for tests: service `S` is at `{base}/S`. It must be `https`, or on
    /// loopback. Default: the services of the environment.
    pub fn platform(mut self, base: impl Into<String>) -> Self {
        self.platform = Some(base.into());
        self
    }

    /// Changes the HTTP client: a proxy, further root certificates, a user agent, … The limits are those of
    /// [`OscAuthLayerBuilder::configure_http`](crate::OscAuthLayerBuilder::configure_http).
    pub fn configure_http<F>(mut self, configure: F) -> Self
    where
        F: FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + 'static,
    {
        self.configure_http = Some(SyncWrapper::new(Box::new(configure)));
        self
    }

    /// Sets the clock, for tests. Default: the system's clock and Tokio's timer.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the settings and builds the context. Works outside a Tokio runtime and sends nothing.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting that is missing or cannot be used, and says what to do.
    pub fn build(self) -> Result<OscContext, ConfigError> {
        let token = self.token.expose().trim();
        if token.is_empty() {
            return Err(ConfigError::missing(TOKEN, "Pass a personal access token of the workspace."));
        }
        let bearer = bearer(token).ok_or_else(|| {
            let remedy = "Pass the personal access token as the OSC console shows it.";
            ConfigError::invalid(TOKEN, "contains characters that no token has", remedy)
        })?;
        // The caller knows no issuer, so the error must not be about one.
        let unusable = |problem: &str| {
            let problem = format!("is {:?}, which {problem}", self.environment.as_deref().unwrap_or("prod"));
            let remedy = "Use a name such as prod, stage or dev.";
            ConfigError::invalid("OSC_ENVIRONMENT / environment", problem, remedy)
        };
        let issuer = Issuer::new(None, self.environment.as_deref(), false);
        let issuer = issuer.map_err(|_| unusable("is not a name"))?;
        let platform = match &self.platform {
            Some(base) => Platform::at(base)?,
            None => Platform::of(&issuer).ok_or_else(|| unusable("has no platform"))?,
        };
        let http = HttpClient::new(self.configure_http.map(SyncWrapper::into_inner), self.clock.clone())?;
        let http = http.with_limits(LIMITS);
        let bare = BareToken { bearer, platform, http, clock: self.clock, workspace: Arc::default() };
        Ok(OscContext { source: TokenSource::Bare(Arc::new(bare)) })
    }
}

impl fmt::Debug for ContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextBuilder").field("environment", &self.environment).finish_non_exhaustive()
    }
}

const TOKEN: &str = "OSC_ACCESS_TOKEN";

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<OscContext, ConfigError> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        };
        ContextBuilder::from_variables(variable)?.build()
    }

    fn platform(context: &OscContext) -> String {
        format!("{context:?}")
    }

    #[test]
    fn variables_set_token_environment_and_platform() {
        let prod = from(&[("OSC_ACCESS_TOKEN", " secret\n"), ("OSC_ENVIRONMENT", "")]).unwrap();
        assert!(platform(&prod).contains(r#"Environment("prod")"#), "{prod:?}");
        let stage = from(&[("OSC_ACCESS_TOKEN", "secret"), ("OSC_ENVIRONMENT", "stage")]).unwrap();
        assert!(platform(&stage).contains(r#"Environment("stage")"#), "{stage:?}");
        let base =
            from(&[("OSC_ACCESS_TOKEN", "secret"), ("OSC_PLATFORM", "http://127.0.0.1:4000")]).unwrap();
        assert!(platform(&base).contains("Base"), "{base:?}");
        assert!(!format!("{prod:?}{stage:?}{base:?}").contains("secret"));
    }

    #[test]
    fn errors_name_the_setting_and_quote_no_token() {
        let errors = [
            (from(&[]), "OSC_ACCESS_TOKEN is not set"),
            (from(&[("OSC_ACCESS_TOKEN", " ")]), "OSC_ACCESS_TOKEN is not set"),
            (from(&[("OSC_ACCESS_TOKEN", "two words")]), "OSC_ACCESS_TOKEN contains"),
            (from(&[("OSC_ACCESS_TOKEN", "a\r\nx-jwt: b")]), "OSC_ACCESS_TOKEN contains"),
            (from(&[("OSC_ACCESS_TOKEN", "t"), ("OSC_ENVIRONMENT", "dev.evil")]), "OSC_ENVIRONMENT / env"),
            (from(&[("OSC_ACCESS_TOKEN", "t"), ("OSC_ENVIRONMENT", "xn--a")]), "OSC_ENVIRONMENT / env"),
            (from(&[("OSC_ACCESS_TOKEN", "t"), ("OSC_PLATFORM", "http://osaas.io")]), "OSC_PLATFORM"),
            (OscContext::builder("").build(), "OSC_ACCESS_TOKEN is not set"),
        ];
        for (built, start) in errors {
            let error = built.unwrap_err().to_string();
            assert!(error.starts_with(start), "{error}");
            assert!(!error.contains("words") && !error.contains("x-jwt"), "{error}");
        }
    }

    #[test]
    fn debug_does_not_show_the_token() {
        assert!(!format!("{:?}", OscContext::builder("very-secret")).contains("very-secret"));
    }
}
