//! What the platform's own services tell of a workspace.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::answer::or_default;

/// A service that the workspace subscribes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Subscription {
    /// Such as `minio-minio`: organisation and repository of its source.
    pub service_id: String,
    /// Where its instances are made and listed.
    pub api_url: String,
    /// Whether it runs until it is removed, or until it is done.
    #[serde(default, deserialize_with = "or_default")]
    pub service_type: ServiceType,
}

/// What a service makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ServiceType {
    /// Something that runs until it is removed.
    #[default]
    Instance,
    /// Something that ends when its work is done.
    Job,
    /// What this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// How many tokens the workspace has left to spend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenBalance {
    /// A number, whole or not, as the platform gives it.
    pub tokens: Number,
}

/// An app of the user's that OSC builds and runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct App {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is made with, such as `nodejs`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Where its source is.
    #[serde(rename = "gitHubUrl")]
    pub git_hub_url: Option<String>,
    /// Where it runs.
    pub url: Option<String>,
    /// Whatever else the platform tells of it.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_subscription_is_read_also_when_its_type_is_new_or_missing() {
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
    fn an_app_keeps_what_is_not_known_of_it() {
        let answer =
            json!({ "id": "1", "name": "hello", "type": "nodejs", "gitHubUrl": null, "status": "up" });
        let app: App = serde_json::from_value(answer).unwrap();
        assert_eq!((app.kind.as_deref(), app.git_hub_url), (Some("nodejs"), None));
        assert_eq!(app.fields["status"], "up");
    }
}
