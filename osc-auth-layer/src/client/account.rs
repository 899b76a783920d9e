//! A workspace as a whole: its plan, its balance and its apps.

use http::Method;
use serde::Deserialize;

use super::answer::Doing;
use super::catalog::{App, TokenBalance};
use super::context::OscContext;
use super::error::ContextError;
use super::platform::Platform;
use super::status::Plan;

impl OscContext {
    /// Returns the workspace's plan.
    ///
    /// ```
    /// use osc_auth_layer::client::Plan;
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn pays(osc: &OscContext) -> Result<bool, ContextError> {
    ///     Ok(osc.plan().await? != Plan::Free)
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of any call.
    pub async fn plan(&self) -> Result<Plan, ContextError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct TenantPlan {
            plan_type: Plan,
        }
        let doing = Doing::new("read the plan");
        let request = |platform: &Platform| platform.request(Method::GET, "money", &["mytenantplan"]);
        let plan: TenantPlan = self.ask_platform(doing, request).await?.read(doing)?;
        Ok(plan.plan_type)
    }

    /// Returns how many tokens the workspace has left.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn token_balance(&self) -> Result<TokenBalance, ContextError> {
        let doing = Doing::new("read the token balance");
        let request = |platform: &Platform| platform.request(Method::GET, "money", &["mytokencount"]);
        self.ask_platform(doing, request).await?.read(doing)
    }

    /// Lists the apps of the workspace that OSC builds and runs.
    ///
    /// # Errors
    /// Those of any call.
    pub async fn my_apps(&self) -> Result<Vec<App>, ContextError> {
        let doing = Doing::new("list the apps");
        let request = |platform: &Platform| platform.request(Method::GET, "deploy", &["myapps"]);
        self.ask_platform(doing, request).await?.read_list(doing)
    }
}
