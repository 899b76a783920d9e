//! Reads the workspace's plan, token balance and apps.

use http::Method;
use serde::Deserialize;

use super::answer::Doing;
use super::catalog::{App, TokenBalance};
use super::context::OscContext;
use super::error::ContextError;
use super::status::Plan;

impl OscContext {
    /// Returns the workspace's plan.
    ///
    /// ```
    /// use osc_auth_layer::workspace::Plan;
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn is_paying(osc: &OscContext) -> Result<bool, ContextError> {
    ///     Ok(osc.plan().await? != Plan::Free)
    /// }
    /// ```
    ///
    /// # Errors
    /// [Those of any call](OscContext#errors-of-any-call).
    pub async fn plan(&self) -> Result<Plan, ContextError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct TenantPlan {
            plan_type: Plan,
        }
        let doing = Doing::new("read the plan");
        let request = self.platform(doing)?.request(Method::GET, "money", &["mytenantplan"]);
        let plan: TenantPlan = self.ask_platform(doing, request).await?.read()?;
        Ok(plan.plan_type)
    }

    /// Returns the number of tokens that the workspace has left to spend on services.
    ///
    /// # Errors
    /// [Those of any call](OscContext#errors-of-any-call).
    pub async fn token_balance(&self) -> Result<TokenBalance, ContextError> {
        let doing = Doing::new("read the token balance");
        let request = self.platform(doing)?.request(Method::GET, "money", &["mytokencount"]);
        self.ask_platform(doing, request).await?.read()
    }

    /// Lists the workspace's own apps, which OSC builds and runs (*My Apps* in the console).
    ///
    /// # Errors
    /// [Those of any call](OscContext#errors-of-any-call).
    pub async fn my_apps(&self) -> Result<Vec<App>, ContextError> {
        let doing = Doing::new("list the apps");
        let request = self.platform(doing)?.request(Method::GET, "deploy", &["myapps"]);
        self.ask_platform(doing, request).await?.read_list()
    }
}
