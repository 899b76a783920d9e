use axum::response::Html;
use axum::{Router, routing::get};
use osc_auth_layer::{OscAuthLayer, OscUser};

/// The pages of the example `hello_axum`.
async fn home(user: Option<OscUser>) -> Html<&'static str> {
    Html(match user {
        Some(_) => {
            r#"<a href="/hello">Hello</a> <form method="post" action="/auth/signout"><button>Sign out</button></form>"#
        }
        None => r#"<a href="/auth/signin?return_to=/hello">Sign in</a>"#,
    })
}

async fn hello(user: OscUser) -> String {
    format!("Hello {} in {}", user.user_id().unwrap_or("you"), user.workspace())
}

#[tokio::main]
async fn main() {
    let auth = OscAuthLayer::builder_from_env().unwrap().public_path("/").build().unwrap();
    let app = Router::new().route("/", get(home)).route("/hello", get(hello)).layer(auth);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
