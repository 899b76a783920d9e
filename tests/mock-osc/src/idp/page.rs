//! The pages a user sees. They have no scripts and no outside resources, and all foreign text is escaped.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use sha2::{Digest, Sha256};
use url::{Host, Url};

use crate::accounts::Accounts;
use crate::html::escape;
use crate::idp::authorize::AuthorizationRequest;
use crate::reply::Reply;

const STYLE: &str = include_str!("page.css");

pub(crate) fn consent(asked: &AuthorizationRequest, accounts: &Accounts) -> Reply {
    let mut choices = String::new();
    for (index, account) in accounts.iter().enumerate() {
        let checked = if index == 0 { " checked" } else { "" };
        // Writing to a `String` cannot fail.
        let _ = write!(
            choices,
            r#"<label class="account"><input type="radio" name="account" value="{account}"{checked}>
<span class="avatar" aria-hidden="true">{initial}</span>
<span><strong>{user}</strong><small>workspace {workspace}</small></span></label>"#,
            account = escape(&account.to_string()),
            initial = escape(&account.user.chars().take(1).collect::<String>().to_uppercase()),
            user = escape(&account.user),
            workspace = escape(&account.workspace),
        );
    }
    let scope = asked.scope.as_deref().map(|scope| format!("<li>Use the scope {}</li>", escape(scope)));
    let body = format!(
        r#"<h1><span class="app">{app}</span> asks for access to Open Source Cloud</h1>
<form method="post">
<fieldset><legend>Choose an account and a workspace</legend>{choices}</fieldset>
<p class="lead">In this workspace, the app will be able to:</p>
<ul><li>See, create and remove service instances</li><li>See your subscriptions and your token balance</li>{scope}</ul>
<div class="buttons"><button id="deny" name="decision" value="deny">Deny</button>
<button id="allow" class="primary" name="decision" value="allow">Allow</button></div>
</form>
<p class="fine">You will return to <b>{target}</b>.</p>"#,
        app = escape(&asked.client_name),
        scope = scope.unwrap_or_default(),
        target = escape(&asked.redirect_url.origin().ascii_serialization()),
    );
    let form_action = format!("'self' {}", source(&asked.redirect_url));
    page(StatusCode::OK, "Allow access?", &body, &form_action)
}

pub(crate) fn error(why: &str) -> Reply {
    let body = format!(
        r#"<h1>You cannot sign in with this request</h1>
<p class="lead">Open Source Cloud refuses the request of the app that sent you here. The reason is:</p>
<p class="why">{}</p>"#,
        escape(why)
    );
    page(StatusCode::BAD_REQUEST, "Request refused", &body, "'none'")
}

fn page(status: StatusCode, title: &str, body: &str, form_action: &str) -> Reply {
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} – mock OSC</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<p class="brand"><span aria-hidden="true"></span>Open Source Cloud <em>mock</em></p>
{body}
</main>
</body>
</html>
"#
    );
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    );
    Reply::text(status, "text/html; charset=utf-8", html)
        .with(CONTENT_SECURITY_POLICY, &policy)
        .with(X_FRAME_OPTIONS, "DENY")
        .with(REFERRER_POLICY, "no-referrer")
        .no_store()
}

/// Returns the callback as a source for `form-action`. Browsers check that directive for the redirect after a
/// form too.
fn source(redirect_uri: &Url) -> String {
    match redirect_uri.host() {
        // CSP has no syntax for an IPv6 address.
        Some(Host::Ipv6(_)) | None => format!("{}:", redirect_uri.scheme()),
        Some(_) => redirect_uri.origin().ascii_serialization(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callback_may_follow_the_form() {
        let source = |uri: &str| source(&Url::parse(uri).unwrap());
        assert_eq!(source("http://localhost:3000/auth/callback"), "http://localhost:3000");
        assert_eq!(source("http://[::1]:3000/auth/callback"), "http:");
    }
}
