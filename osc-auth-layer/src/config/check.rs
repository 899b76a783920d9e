//! The checks of `build()`. Every error names the setting and the remedy.

use std::collections::HashSet;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::OscAuthLayerBuilder;
use crate::error::{ConfigError, quoted};
use crate::oauth::ClientConfig;
use crate::request::cookie::CookieMode;
use crate::request::origin::PublicUrl;
use crate::request::public_path::is_ambiguous;
use crate::secret::random_bytes;
use crate::sessions::Timing;

pub(super) fn limits(builder: &OscAuthLayerBuilder) -> Result<(), ConfigError> {
    if builder.max_sessions == 0 {
        return Err(ConfigError::invalid("max_sessions", "is 0", "Set it to 1 or more."));
    }
    if !(builder.outage_status.is_client_error() || builder.outage_status.is_server_error()) {
        let problem = format!("is {}, which is not an error status", builder.outage_status.as_u16());
        return Err(ConfigError::invalid("outage_status", problem, "Use 503, or another 4xx or 5xx."));
    }
    if let Some(scope) = builder.scopes.iter().find(|scope| !is_scope(scope)) {
        let problem = format!("contains {scope:?}, which is not a scope token");
        let remedy = "Pass each scope as an item of its own (RFC 6749 §3.3).";
        return Err(ConfigError::invalid("scopes", problem, remedy));
    }
    Ok(())
}

pub(super) fn client(client: &ClientConfig) -> Result<(), ConfigError> {
    match client {
        ClientConfig::Static { id, .. } if id.trim().is_empty() => Err(ConfigError::missing(
            "CLIENT_ID",
            "Create an OAuth app in the OSC console (My Apps, OAuth Apps) and pass its id.",
        )),
        ClientConfig::Static { secret: Some(secret), .. } if secret.expose().trim().is_empty() => {
            Err(ConfigError::missing(
                "CLIENT_SECRET",
                "Pass the secret that the console showed, or use OAuthClient::public for a client without one.",
            ))
        }
        ClientConfig::Register { name } if name.trim().is_empty() => Err(ConfigError::missing(
            "OSC_APP_NAME / OAuthClient::register",
            "Pass the app's name, which users read on the consent page.",
        )),
        _ => Ok(()),
    }
}

/// Parameters that an app may not add. The layer sets them itself, or they change the form of the answer, or they belong
/// to another request (RFC 6749, 7636, 9101, 9126). A constant `nonce` would not protect anything (OpenID Connect).
const RESERVED_PARAMS: [&str; 16] = [
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];
/// The most bytes of added parameters. They are part of a sign-in's `Location` header, and proxies limit headers.
const LONGEST_PARAMS: usize = 512;

pub(super) fn authorization_params(params: &[(String, String)]) -> Result<(), ConfigError> {
    const SETTING: &str = "authorization_param";
    for (at, (name, _)) in params.iter().enumerate() {
        if name.is_empty() {
            return Err(ConfigError::invalid(SETTING, "has an empty name", "Pass a name, such as prompt."));
        }
        if RESERVED_PARAMS.contains(&name.as_str()) {
            let remedy = "Leave it out. For scopes, call scopes().";
            return Err(ConfigError::invalid(SETTING, format!("sets {name}, which is reserved"), remedy));
        }
        // RFC 6749 §3.1 forbids duplicates. RFC 8707 §2 allows several `resource` parameters.
        if name != "resource" && params[..at].iter().any(|(earlier, _)| earlier == name) {
            let problem = format!("sets {name:?} twice");
            return Err(ConfigError::invalid(SETTING, problem, "Set each name once (RFC 6749 §3.1)."));
        }
    }
    let length = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish().len();
    if length > LONGEST_PARAMS {
        let problem = format!("takes {length} bytes in the URL of a sign-in");
        let remedy = format!("Use at most {LONGEST_PARAMS} bytes, percent-encoded.");
        return Err(ConfigError::invalid(SETTING, problem, remedy));
    }
    Ok(())
}

pub(super) fn public_urls(texts: &[String]) -> Result<Vec<PublicUrl>, ConfigError> {
    const SETTING: &str = "PUBLIC_URL / public_url";
    let parse = |text: &String| {
        PublicUrl::parse(text).map_err(|problem| {
            let remedy = "Set it to the https URL that browsers use, such as https://app.example.com. Plain http works on \
                          localhost only.";
            ConfigError::invalid(SETTING, format!("{} {problem}", quoted(text)), remedy)
        })
    };
    let urls = texts.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    if urls.iter().any(|url| url.is_secure != urls[0].is_secure) {
        let remedy = "Use https for all of them, or run another process for localhost.";
        return Err(ConfigError::invalid(SETTING, "mixes https and plain http", remedy));
    }
    let mut origins = HashSet::new();
    if let Some(url) = urls.iter().find(|url| !origins.insert(&url.origin)) {
        let remedy = "List each origin once, because a request's host selects one of them.";
        return Err(ConfigError::invalid(SETTING, format!("names {} twice", url.origin), remedy));
    }
    Ok(urls)
}

/// Refuses a public URL that ends in one of the layer's paths, such as the redirect URI. The layer would add its paths to it.
pub(super) fn base_paths(builder: &OscAuthLayerBuilder, urls: &[PublicUrl]) -> Result<(), ConfigError> {
    let OscAuthLayerBuilder { signin_path, callback_path, signout_path, session_path, .. } = builder;
    for path in [signin_path, callback_path, signout_path, session_path] {
        if let Some(url) = urls.iter().find(|url| url.base_path.ends_with(path.as_str())) {
            let problem = format!("{} ends in {path}, a path of the layer", url.url(""));
            let remedy = "Set it to the URL of the app's first page. The layer adds its own paths.";
            return Err(ConfigError::invalid("PUBLIC_URL / public_url", problem, remedy));
        }
    }
    Ok(())
}

pub(super) fn paths(builder: &OscAuthLayerBuilder) -> Result<(), ConfigError> {
    let own = [
        ("signin_path", &builder.signin_path),
        ("callback_path", &builder.callback_path),
        ("signout_path", &builder.signout_path),
        ("session_path", &builder.session_path),
    ];
    let after = [("after_signin", &builder.after_signin), ("after_signout", &builder.after_signout)];
    let public = builder.public_paths.exact.iter().map(|path| ("public_path", path));
    let prefixes = builder.public_paths.prefixes.iter().map(|path| ("public_prefix", path));
    for (setting, path) in own.into_iter().chain(after).chain(public).chain(prefixes) {
        if is_ambiguous(path) || path.contains(['?', '#']) && !setting.starts_with("after_") {
            let problem = format!("is {path:?}, which is not a plain path");
            let remedy =
                "Use a path that starts with one slash and has no dot segment, query or escaped delimiter.";
            return Err(ConfigError::invalid(setting, problem, remedy));
        }
    }
    for (setting, path) in own {
        // axum's router would read these characters as captures.
        if path.contains([':', '{', '}']) {
            let problem = format!("is {path:?}, which looks like a pattern");
            return Err(ConfigError::invalid(setting, problem, "Use a path without ':', '{' and '}'."));
        }
    }
    if builder.public_paths.prefixes.iter().any(|prefix| prefix == "/") {
        let remedy = "Call allow_anonymous() to make every path public.";
        return Err(ConfigError::invalid("public_prefix", "is \"/\"", remedy));
    }
    let paths: HashSet<_> = own.iter().map(|(_, path)| path).collect();
    if paths.len() < own.len() {
        let remedy = "Give sign-in, callback, sign-out and session a different path each.";
        return Err(ConfigError::invalid("signin_path", "equals another path of the layer", remedy));
    }
    Ok(())
}

pub(super) fn timing(timing: &Timing) -> Result<(), ConfigError> {
    if timing.refresh_ahead <= timing.refresh_leeway {
        let remedy = "Make it longer, so that tokens are refreshed before requests have to wait.";
        return Err(ConfigError::invalid("refresh_ahead", "is not longer than refresh_leeway", remedy));
    }
    let timeouts = [("idle_timeout", timing.idle_timeout), ("absolute_timeout", timing.absolute_timeout)];
    for (setting, timeout) in timeouts {
        if timeout < Duration::from_secs(1) {
            return Err(ConfigError::invalid(setting, "is shorter than a second", "Use one second or more."));
        }
    }
    Ok(())
}

/// Returns the default name of the session cookie. Browsers send a host's cookies to each of its ports and paths, so the names of
/// two apps on one host have to differ. On plain http, `CookieMode` adds the port.
fn default_cookie_name(urls: &[PublicUrl]) -> String {
    let port = |url: &PublicUrl| if url.is_secure && url.port != 443 { url.port } else { 0 };
    // All nodes have the same list of URLs. So they take the same name, whichever URL a request is for.
    match urls.first() {
        Some(url) if port(url) != 0 || !url.base_path.is_empty() => {
            let hash = Sha256::digest(format!("{}{}", port(url), url.base_path));
            let digits: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
            format!("osc_session_{digits}")
        }
        _ => "osc_session".to_owned(),
    }
}

pub(super) fn cookie_mode(name: Option<&str>, urls: &[PublicUrl]) -> Result<CookieMode, ConfigError> {
    const SETTING: &str = "COOKIE_NAME / cookie_name";
    let name = &*name.map_or_else(|| default_cookie_name(urls), str::to_owned);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        let problem = format!("is {name:?}, which is not a valid name");
        return Err(ConfigError::invalid(SETTING, problem, "Use up to 64 letters, digits, '_' and '-'."));
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("__host-") || lower.starts_with("__secure-") {
        let remedy = "Leave the prefix out. The layer adds __Host- itself.";
        return Err(ConfigError::invalid(SETTING, "has a prefix", remedy));
    }
    Ok(match urls.first() {
        Some(url) if url.is_secure => CookieMode::secure(name),
        Some(url) => CookieMode::loopback(name, url.port),
        None => CookieMode::any_loopback_port(name),
    })
}

/// Returns the secrets to derive keys from: one at least.
pub(super) fn cookie_keys(
    secrets: &[Vec<u8>],
    client: &ClientConfig,
    is_shared: bool,
) -> Result<Vec<Vec<u8>>, ConfigError> {
    if let Some(short) = secrets.iter().find(|secret| secret.len() < 32) {
        let problem = format!("has only {} bytes", short.len());
        let remedy = "Use 32 random bytes or more. Set COOKIE_KEY to the output of openssl rand -base64 32.";
        return Err(ConfigError::invalid("COOKIE_KEY / cookie_key", problem, remedy));
    }
    if !secrets.is_empty() {
        return Ok(secrets.to_vec());
    }
    match client {
        ClientConfig::Static { secret: Some(secret), .. } if secret.expose().len() >= 32 => {
            Ok(vec![secret.expose().as_bytes().to_vec()])
        }
        _ if is_shared => Err(ConfigError::missing(
            "COOKIE_KEY / cookie_key",
            "With a session store, all nodes need the same key, also after a restart. Set COOKIE_KEY to the output of \
             openssl rand -base64 32. Or set SESSION_STORE to memory: to do without a store.",
        )),
        _ => Ok(vec![random_bytes::<32>().to_vec()]),
    }
}

/// Returns true for a scope token: printable ASCII without space, quote and backslash (RFC 6749 §3.3).
fn is_scope(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
