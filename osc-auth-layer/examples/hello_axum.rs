//! Signs users in and greets them. Run it: `cargo run -p osc-auth-layer --all-features --example hello_axum`.

mod common;

use axum::response::Html;
use axum::{Router, routing::get};
use osc_auth_layer::OscUser;

/// A public page.
async fn home(user: Option<OscUser>) -> Html<&'static str> {
    Html(match user {
        Some(_) => {
            r#"<a href="/hello">Hello</a> <form method="post" action="/auth/signout"><button>Sign out</button></form>"#
        }
        None => r#"<a href="/auth/signin?return_to=/hello">Sign in</a>"#,
    })
}

/// A protected page: without a session, the layer answers 401 and a browser gets a page with a sign-in link.
async fn hello(user: OscUser) -> String {
    format!("Hello {} in {}", user.user_id().unwrap_or("you"), user.workspace())
}

#[tokio::main]
async fn main() -> Result<(), common::AnyError> {
    // In your app: OscAuthLayer::builder_from_env()?.public_path("/").build()?
    let auth = common::auth().await?.public_path("/").build()?;
    let app = Router::new().route("/", get(home)).route("/hello", get(hello)).layer(auth);
    Ok(axum::serve(common::listen().await?, app).await?)
}
