use mock_osc::{Endpoint, MockOsc, Recorded};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::support::*;
use crate::user::*;

const CATALOG: &str = "catalog.svc.prod.osaas.io";
const SITE: &str = "api-eyevinn-test-adserver.auto.prod-se.osaas.io";
const INSTANCE: &str = "adalovelace-demo.eyevinn-test-adserver.auto.prod-se.osaas.io";

/// A user whose app reaches production by its host names.
struct Production {
    user: User,
    sat: String,
}

impl Production {
    async fn new() -> Self {
        let osc =
            MockOsc::builder().issuer("https://app.osaas.io").api_site("prod-se").start().await.unwrap();
        let user = User { pat: osc.personal_access_token("ada"), osc: osc.into() };
        let mut this = Self { user, sat: String::new() };
        let body = json!({ "serviceId": SERVICE });
        let request = this.request(Method::POST, "token.svc.prod.osaas.io", "/servicetoken").json(&body);
        this.sat = text(&this.with_pat(request).await.json().await.unwrap(), "token");
        this
    }

    fn request(&self, method: Method, host: &str, path: &str) -> RequestBuilder {
        http().request(method, format!("{}{path}", self.user.osc.platform())).header("host", host)
    }

    fn get(&self, host: &str, path: &str) -> RequestBuilder {
        self.request(Method::GET, host, path)
    }

    async fn with_pat(&self, request: RequestBuilder) -> Response {
        request.header("x-pat-jwt", format!("Bearer {}", self.user.pat)).send().await.unwrap()
    }

    async fn with_sat(&self, request: RequestBuilder) -> Response {
        request.header("x-jwt", format!("Bearer {}", self.sat)).send().await.unwrap()
    }

    fn strays(&self) -> Vec<String> {
        let host = |request: &Recorded| request.header("host").unwrap().to_owned();
        self.user.osc.stray_tokens().iter().map(host).collect()
    }
}

#[tokio::test]
async fn apis_and_instances_are_on_the_site() {
    let prod = Production::new().await;
    let list: Value = prod.with_pat(prod.get(CATALOG, "/mysubscriptions")).await.json().await.unwrap();
    assert_eq!(list[0]["apiUrl"], format!("https://{SITE}/test-adserverinstance"));
    let demo = prod.with_sat(prod.get(SITE, "/test-adserverinstance/demo")).await;
    let demo: Value = demo.json().await.unwrap();
    assert_eq!(demo["url"], format!("https://{INSTANCE}"));
    assert_eq!(demo["resources"]["license"]["url"], format!("https://{INSTANCE}/license"));
    assert_eq!(demo["_links"]["health"]["href"], "/health/demo");
    let health = prod.with_sat(prod.get(SITE, "/health/demo")).await;
    assert_eq!(health.json::<Value>().await.unwrap(), json!({ "status": "running" }));
    assert_eq!(prod.strays(), [""; 0]);
}

#[tokio::test]
async fn the_mocks_own_address_stays_the_base_of_everything() {
    let user = User::new(MockOsc::builder().api_site("prod-se").start().await.unwrap()).await;
    let api = user.api(SERVICE).await;
    assert_eq!(api.url, format!("{}/api-{SERVICE}/test-adserverinstance", user.osc.platform()));
    let demo: Value = api.call(Method::GET, "/demo", &Value::Null).await.json().await.unwrap();
    assert_eq!(demo["_links"]["health"]["href"], format!("/api-{SERVICE}/health/demo"));
}

#[tokio::test]
async fn old_api_hosts_learn_the_service_from_the_token() {
    let prod = Production::new().await;
    let list = prod.with_sat(prod.get("api-ce.prod.osaas.io", "/test-adserverinstance")).await;
    assert_eq!(list.json::<Value>().await.unwrap()[0]["name"], "demo");
    assert_eq!(prod.strays(), [""; 0]);
}

#[tokio::test]
async fn a_service_access_token_opens_its_own_api_host_only() {
    let prod = Production::new().await;
    let other = prod.with_sat(prod.get("api-minio-minio.auto.prod-se.osaas.io", "/minioinstance")).await;
    assert_eq!(other.status(), 403);
    let catalog = prod.with_sat(prod.get(CATALOG, "/mysubscriptions")).await;
    assert_eq!(catalog.status(), 400);
    let issuer = prod.with_sat(prod.get("app.osaas.io", "/api-eyevinn-test-adserver/health/demo")).await;
    assert_eq!(issuer.status(), 404);
    assert_eq!(prod.strays(), [CATALOG, "app.osaas.io"]);
}

#[tokio::test]
async fn tokens_sent_to_foreign_hosts_are_reported() {
    let prod = Production::new().await;
    let strangers = [
        INSTANCE,
        "0123abcd.apps.osaas.io",
        "api-eyevinn-test-adserver.auto.prod.osaas.io",
        "api-eyevinn-test-adserver.auto.dev-se.osaas.io",
        "api-eyevinn-test-adserver.auto.prod-se.osaas.io.evil.example",
        "catalog.svc.dev.osaas.io",
        "evil.example",
    ];
    for host in strangers {
        assert_eq!(prod.get(host, "/").send().await.unwrap().status(), 200, "a page, as anybody gets it");
    }
    assert_eq!(prod.strays(), [""; 0]);
    for host in strangers {
        prod.with_sat(prod.get(host, "/test-adserverinstance")).await;
        prod.with_pat(prod.get(host, "/mysubscriptions")).await;
        prod.get(host, "/").bearer_auth(&prod.sat).send().await.unwrap();
        prod.get(host, "/").header("x-jwt", "Bearer of-another-mock").send().await.unwrap();
        prod.get(host, &format!("/?token={}", prod.user.pat)).send().await.unwrap();
        prod.request(Method::POST, host, "/").body(prod.sat.clone()).send().await.unwrap();
    }
    assert_eq!(prod.strays(), strangers.map(|host| [host; 6]).concat());
    assert_eq!(prod.user.osc.count(Endpoint::Elsewhere), 7 * strangers.len());
}

#[tokio::test]
async fn misplaced_tokens_are_reported_even_under_a_fault() {
    let user = User::new(start().await).await;
    let api = user.api(SERVICE).await;
    assert!(user.osc.stray_tokens().is_empty());
    user.osc.fault(Endpoint::Instances, mock_osc::Fault::Status(500));
    api.send(Method::GET, &api.url, "x-pat-jwt", &Value::Null).await;
    api.send(Method::POST, &format!("{}/api/connect/token", user.osc.issuer()), "x-jwt", &Value::Null).await;
    api.send(Method::GET, &format!("{}/nothing", user.osc.platform()), "x-jwt", &Value::Null).await;
    let paths: Vec<_> = user.osc.stray_tokens().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, [&format!("/api-{SERVICE}/test-adserverinstance"), "/api/connect/token", "/nothing"]);
}
