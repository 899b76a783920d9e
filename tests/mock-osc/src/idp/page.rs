//! The pages a person sees. No script, no outside resources, all foreign text escaped.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use sha2::{Digest, Sha256};
use url::{Host, Url};

use crate::html::escape;
use crate::idp::authorize::AuthorizationRequest;
use crate::platform::USERS;
use crate::reply::Reply;

const STYLE: &str = include_str!("page.css");

pub(crate) fn consent(asked: &AuthorizationRequest) -> Reply {
    let mut users = String::new();
    for (index, user) in USERS.iter().enumerate() {
        let checked = if index == 0 { " checked" } else { "" };
        let initial = user.name.chars().next().unwrap_or('?');
        // Writing to a String cannot fail.
        let _ = write!(
            users,
            r#"<label class="user"><input type="radio" name="user" value="{id}"{checked}>
<span class="avatar" aria-hidden="true">{initial}</span>
<span><strong>{name}</strong><small>workspace {id}</small></span></label>"#,
            id = user.id,
            name = user.name,
        );
    }
    let scope = asked.scope.as_deref().map(|scope| format!("<li>Scope: {}</li>", escape(scope)));
    let body = format!(
        r#"<h1><span class="app">{app}</span> wants to use your Open Source Cloud</h1>
<form method="post">
<fieldset><legend>Continue as</legend>{users}</fieldset>
<p class="lead">It will be able to, in your workspace:</p>
<ul><li>See, create and remove service instances</li><li>See your subscriptions and your token balance</li>{scope}</ul>
<div class="buttons"><button id="deny" name="decision" value="deny">Deny</button>
<button id="allow" class="primary" name="decision" value="allow">Allow</button></div>
</form>
<p class="fine">You will be sent to <b>{target}</b>.</p>"#,
        app = escape(&asked.client_name),
        scope = scope.unwrap_or_default(),
        target = escape(&asked.redirect_url.origin().ascii_serialization()),
    );
    let form_action = format!("'self' {}", source(&asked.redirect_url));
    page(StatusCode::OK, "Allow access?", &body, &form_action)
}

pub(crate) fn error(why: &str) -> Reply {
    let body = format!(
        r#"<h1>This request cannot go on</h1>
<p class="lead">The app that sent you here made a request that Open Source Cloud refuses:</p>
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

/// Browsers hold the redirect that answers a form to `form-action` too, so the callback must be in it.
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
