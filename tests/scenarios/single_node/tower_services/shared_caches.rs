//! nginx with a cache that stores every answer it may: no visitor gets another one's page.

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use http::{HeaderValue, header};
use osc_tests::{Nginx, Server, free_port, soon};

use super::{cookie, lonely, token_in};

/// Stores answers of status 200 for an hour, whoever asks.
const CACHE: &str = "proxy_cache answers;
        proxy_cache_valid 200 1h;
        add_header X-Cache $upstream_cache_status;";

async fn greet(request: Request) -> String {
    format!("hello {}", token_in(&request).unwrap_or("nobody"))
}

/// An app behind nginx, and the cookies of two users.
struct Site {
    nginx: Nginx,
    http: reqwest::Client,
    ada: HeaderValue,
    grace: HeaderValue,
    _server: Server,
}

impl Site {
    async fn start() -> Self {
        let auth = lonely();
        let users = (cookie(&auth, "ada").await, cookie(&auth, "grace").await);
        let app = Router::new()
            .route("/", get(greet))
            .route(
                "/dated",
                get(async |request| ([(header::CACHE_CONTROL, "max-age=60")], greet(request).await)),
            )
            .route("/public", get(greet))
            .route(
                "/shared",
                get(async || ([(header::CACHE_CONTROL, "public, max-age=60")], "for everybody")),
            )
            .layer(auth);
        let (listener, address) = free_port().await;
        let server = Server::start(async { axum::serve(listener, app).await });
        let nginx = Nginx::start(address, CACHE).await;
        let http = reqwest::Client::builder().no_proxy().build().expect("the client builds");
        Self { nginx, http, ada: users.0, grace: users.1, _server: server }
    }

    /// Returns status, body and what nginx did, such as `MISS` or `HIT`.
    async fn get(&self, path: &str, cookie: Option<&HeaderValue>) -> (u16, String, String) {
        let mut request = self.http.get(format!("http://{}{path}", self.nginx.addr()));
        request = request.header(header::HOST, "localhost:3000");
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let answer = soon(request.send()).await.expect("nginx answers");
        let cached = answer.headers().get("x-cache").map(|cached| cached.to_str().expect("ASCII").to_owned());
        (answer.status().as_u16(), answer.text().await.expect("a body"), cached.unwrap_or_default())
    }

    async fn page(&self, path: &str, cookie: Option<&HeaderValue>) -> String {
        self.get(path, cookie).await.1
    }
}

#[tokio::test]
async fn a_cache_gives_no_user_the_page_of_another() {
    let site = Site::start().await;
    for path in ["/", "/dated"] {
        assert_eq!(site.page(path, Some(&site.ada)).await, "hello ada", "{path}");
        assert_eq!(site.page(path, Some(&site.grace)).await, "hello grace", "{path}");
        assert_eq!(site.get(path, None).await.0, 401, "{path}");
    }
}

#[tokio::test]
async fn a_cache_tells_users_and_others_apart_on_a_public_path() {
    let site = Site::start().await;
    assert_eq!(site.page("/public", Some(&site.ada)).await, "hello ada");
    assert_eq!(site.page("/public", None).await, "hello nobody");
    // nginx has stored the page for anonymous visitors, and serves it to them only.
    assert_eq!(site.get("/public", None).await, (200, "hello nobody".to_owned(), "HIT".to_owned()));
    assert_eq!(site.page("/public", Some(&site.grace)).await, "hello grace");
}

#[tokio::test]
async fn a_cache_stores_for_everybody_what_the_app_declares_public() {
    let site = Site::start().await;
    assert_eq!(site.get("/shared", Some(&site.ada)).await.2, "MISS");
    assert_eq!(site.get("/shared", Some(&site.grace)).await.2, "HIT");
}
