//! The layer's pages with the app's name, colour and languages, or with HTML of its own. Run it:
//! `cargo run -p osc-auth-layer --all-features --example custom_pages`, and again with `-- own`.

mod common;

use axum::{Router, http::header, routing::get};
use osc_auth_layer::{OscUser, Page, PageHtml};

/// Makes the HTML of a page. The layer provides the texts, in the browser's language, and the links.
fn render(page: &Page) -> String {
    let escape = PageHtml::escape; // a template library does this by itself
    let links = page
        .actions()
        .iter()
        .map(|action| format!(r#"<a href="{}">{}</a> "#, escape(action.href()), escape(action.label())));
    format!(
        r#"<!doctype html><html lang="{language}"><meta name="viewport" content="width=device-width">
        <link rel="stylesheet" href="/static/app.css"><title>{title} - {app}</title>
        <header>{app}</header><h1>{title}</h1><p>{description}</p>{links}<script>{script}</script></html>"#,
        language = page.language(),
        app = escape(page.app_name().unwrap_or_default()),
        title = escape(page.title()),
        description = escape(page.description()),
        links = links.collect::<String>(),
        script = page.script().unwrap_or_default(), // keeps the #fragment over the sign-in
    )
}

const STYLE: &str =
    "body { font: 1.2em serif; margin: auto; max-width: 40ch; padding: 1em } header { color: #0b6a62 }";

#[tokio::main]
async fn main() -> Result<(), common::AnyError> {
    // In your app: OscAuthLayer::builder_from_env()?.app_name("Acme") and so on
    let mut auth = common::auth()
        .await?
        .app_name("Acme")
        .app_color("#0b6a62") // buttons and links
        .app_home("/static/about") // where the name leads
        .page_languages(["sv", "en"]) // Swedish for browsers that ask for neither
        .public_prefix("/static"); // users read these pages before they sign in
    if std::env::args().any(|argument| argument == "own") {
        auth = auth.page_renderer(render);
    }
    let style = ([(header::CONTENT_TYPE, "text/css")], STYLE);
    let app = Router::new()
        .route("/", get(async |user: OscUser| format!("Hello {}", user.workspace())))
        .route("/static/about", get("All about Acme"))
        .route("/static/app.css", get(style))
        .layer(auth.build()?);
    Ok(axum::serve(common::listen().await?, app).await?)
}
