//! Reads the workspace's plan, token balance and apps from the platform's own services.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::answer::{Doing, or_default};
use super::{ContextError, OscContext, Plan};

/// Describes a service that the workspace subscribes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Subscription {
    /// The service's id, such as `minio-minio`: organisation and repository of its source.
    pub service_id: String,
    /// The URL of the service's API, which creates and lists its instances.
    pub api_url: String,
    /// The kind of service: its instances run until they are removed, or until their work is done.
    #[serde(default, deserialize_with = "or_default")]
    pub service_type: ServiceType,
}

/// Says how long the instances of a service run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ServiceType {
    /// Instances run until they are removed.
    #[default]
    Instance,
    /// Jobs end when their work is done.
    Job,
    /// A type that this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// Holds the number of tokens that the workspace has left to spend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenBalance {
    /// The number of tokens, as the platform gives it. It need not be whole.
    pub tokens: Number,
}

/// Describes one of the user's own apps, which OSC builds and runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct App {
    /// The app's id.
    pub id: String,
    /// The app's name.
    pub name: String,
    /// The app's runtime, such as `nodejs`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The URL of the app's source.
    #[serde(rename = "gitHubUrl")]
    pub git_hub_url: Option<String>,
    /// The URL under which the app runs.
    pub url: Option<String>,
    /// All other fields that the platform returns.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn subscriptions_of_unknown_or_missing_type_are_read() {
        let read = |kind: Value| {
            let mut answer = json!({ "serviceId": "a", "apiUrl": "https://a.example/a", "x": 1 });
            if kind != Value::Null {
                answer["serviceType"] = kind;
            }
            serde_json::from_value::<Subscription>(answer).unwrap().service_type
        };
        assert_eq!(read(json!("instance")), ServiceType::Instance);
        assert_eq!(read(json!("job")), ServiceType::Job);
        assert_eq!(read(json!("workflow")), ServiceType::Other("workflow".to_owned()));
        assert_eq!(read(Value::Null), ServiceType::Instance);
        assert_eq!(read(json!(7)), ServiceType::Instance);
        let null = json!({ "serviceId": "a", "apiUrl": "https://a.example/a", "serviceType": null });
        assert!(serde_json::from_value::<Subscription>(null).is_ok());
    }

    #[test]
    fn unknown_fields_of_an_app_are_kept() {
        let answer =
            json!({ "id": "1", "name": "hello", "type": "nodejs", "gitHubUrl": null, "status": "up" });
        let app: App = serde_json::from_value(answer).unwrap();
        assert_eq!((app.kind.as_deref(), app.git_hub_url), (Some("nodejs"), None));
        assert_eq!(app.fields["status"], "up");
    }
}
