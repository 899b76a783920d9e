//! A client of the platform. It only sends requests.

use std::sync::Arc;

use mock_osc::MockOsc;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::*;

/// Every workspace subscribes to this service and has an instance `demo` of it.
pub(crate) const SERVICE: &str = "eyevinn-test-adserver";

/// A user with an access token.
pub(crate) struct User {
    pub(crate) osc: Arc<MockOsc>,
    pub(crate) pat: String,
}

impl User {
    pub(crate) async fn new(osc: impl Into<Arc<MockOsc>>) -> Self {
        let osc = osc.into();
        let (pat, _) = sign_in(&osc).await;
        Self { osc, pat }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> Response {
        let request = http().request(method, format!("{}{path}", self.osc.platform()));
        let request = request.header("x-pat-jwt", format!("Bearer {}", self.pat));
        if body.is_null() { request } else { request.json(body) }.send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        self.call(Method::GET, path, &Value::Null).await.json().await.unwrap()
    }

    /// Returns the workspace that the platform sees.
    pub(crate) async fn workspace(&self) -> String {
        let answer = self.call(Method::POST, "/catalog/mysubscriptions", &json!({ "services": [] })).await;
        text(&answer.json().await.unwrap(), "teamId")
    }

    pub(crate) async fn api(&self, service: &str) -> Api {
        let subscriptions = self.json("/catalog/mysubscriptions").await;
        let mine =
            subscriptions.as_array().unwrap().iter().find(|entry| entry["serviceId"] == service).unwrap();
        let url = text(mine, "apiUrl");
        let answer = self.call(Method::POST, "/token/servicetoken", &json!({ "serviceId": service })).await;
        Api { url, sat: text(&answer.json().await.unwrap(), "token") }
    }
}

/// The instance API of one service.
pub(crate) struct Api {
    pub(crate) url: String,
    pub(crate) sat: String,
}

impl Api {
    pub(crate) async fn call(&self, method: Method, tail: &str, body: &Value) -> Response {
        self.send(method, &format!("{}{tail}", self.url), "x-jwt", body).await
    }

    /// Follows a link, which is a path on the host of the `apiUrl`.
    pub(crate) async fn follow(
        &self,
        method: Method,
        instance: &Value,
        rel: &str,
        header: &str,
        body: &Value,
    ) -> Response {
        let href = instance["_links"][rel]["href"].as_str().unwrap();
        let url = url::Url::parse(&self.url).unwrap().join(href).unwrap();
        self.send(method, url.as_str(), header, body).await
    }

    pub(crate) async fn send(&self, method: Method, url: &str, header: &str, body: &Value) -> Response {
        let request = http().request(method, url).header(header, format!("Bearer {}", self.sat));
        if body.is_null() { request } else { request.json(body) }.send().await.unwrap()
    }
}
