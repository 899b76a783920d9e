//! What makes a configuration valid; every error names the setting and the remedy.

use std::collections::HashSet;
use std::time::Duration;

use super::{Builder, ConfigError, CookieKeys, Timing, quoted};
use crate::cookie::CookieMode;
use crate::origin::PublicUrl;
use crate::provider::ClientConfig;
use crate::public_path::is_ambiguous;

pub(super) fn check_limits(builder: &Builder) -> Result<(), ConfigError> {
    if builder.max_sessions == 0 {
        return Err(ConfigError::invalid("max_sessions", "is 0", "allow at least one session"));
    }
    if !(builder.outage_status.is_client_error() || builder.outage_status.is_server_error()) {
        let problem = format!("is {}", builder.outage_status.as_u16());
        return Err(ConfigError::invalid("outage_status", problem, "use 401 or 503"));
    }
    if let Some(scope) = builder.scopes.iter().find(|scope| !is_scope(scope)) {
        let problem = format!("holds {scope:?}, which is no scope token");
        return Err(ConfigError::invalid(
            "scopes",
            problem,
            "give each scope as an item of its own (RFC 6749 §3.3)",
        ));
    }
    Ok(())
}

pub(super) fn check_client(client: &ClientConfig) -> Result<(), ConfigError> {
    match client {
        ClientConfig::Static { id, .. } if id.trim().is_empty() => Err(ConfigError::missing(
            "CLIENT_ID",
            "create an OAuth app in the OSC console (My Apps, OAuth Apps) and give its id",
        )),
        ClientConfig::Static { secret: Some(secret), .. } if secret.expose().trim().is_empty() => {
            Err(ConfigError::missing(
                "CLIENT_SECRET",
                "give the secret the console showed, or use Client::public for a client without one",
            ))
        }
        ClientConfig::Register { name } if name.trim().is_empty() => Err(ConfigError::missing(
            "Client::register",
            "give the app's name, which the visitor reads on the consent page",
        )),
        _ => Ok(()),
    }
}

/// Parameters that an app may not add: the layer sets them itself, they change the form of the answer, or they belong to
/// another request (RFC 6749, 7636, 9101, 9126). A constant `nonce` would protect nothing (OpenID Connect).
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
/// They are part of the `Location` of a sign-in, and proxies bound the headers of an answer.
const LONGEST_PARAMS: usize = 512;

pub(super) fn check_authorization_params(params: &[(String, String)]) -> Result<(), ConfigError> {
    const SETTING: &str = "authorization_param";
    for (at, (name, _)) in params.iter().enumerate() {
        if name.is_empty() {
            return Err(ConfigError::invalid(SETTING, "has an empty name", "give a name, such as prompt"));
        }
        if RESERVED_PARAMS.contains(&name.as_str()) {
            let remedy = "leave it to the layer (scopes have a setting of their own)";
            return Err(ConfigError::invalid(SETTING, format!("sets {name}"), remedy));
        }
        // RFC 6749 §3.1; RFC 8707 §2 makes the one exception.
        if name != "resource" && params[..at].iter().any(|(earlier, _)| earlier == name) {
            let problem = format!("sets {name:?} twice");
            return Err(ConfigError::invalid(SETTING, problem, "give each name once (RFC 6749 §3.1)"));
        }
    }
    let length = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish().len();
    if length > LONGEST_PARAMS {
        let problem = format!("takes {length} bytes in the address of a sign-in");
        let remedy = format!("use no more than {LONGEST_PARAMS}, percent-encoded");
        return Err(ConfigError::invalid(SETTING, problem, remedy));
    }
    Ok(())
}

pub(super) fn parse_public_urls(texts: &[String]) -> Result<Vec<PublicUrl>, ConfigError> {
    const SETTING: &str = "PUBLIC_URL / public_url";
    let parse = |text: &String| {
        PublicUrl::parse(text).map_err(|problem| {
            let remedy = "give the https URL browsers use, such as https://app.example.com \
                          (http only on localhost)";
            ConfigError::invalid(SETTING, format!("{} {problem}", quoted(text)), remedy)
        })
    };
    let urls = texts.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    if urls.iter().any(PublicUrl::is_secure) && !urls.iter().all(PublicUrl::is_secure) {
        let remedy = "use https for all of them, or run a process of its own on localhost";
        return Err(ConfigError::invalid(SETTING, "mixes https and plain http", remedy));
    }
    if let Some(url) =
        urls.iter().enumerate().find_map(|(n, url)| urls[..n].iter().find(|other| other.origin == url.origin))
    {
        let remedy = "give each origin once, since a request's host selects among them";
        return Err(ConfigError::invalid(SETTING, format!("names {} twice", url.origin), remedy));
    }
    Ok(urls)
}

/// The paths that the layer serves itself come first in `check_paths`.
const OWN_PATHS: usize = 4;

pub(super) fn check_paths(builder: &Builder) -> Result<(), ConfigError> {
    let own = [
        ("signin_path", &builder.signin_path),
        ("callback_path", &builder.callback_path),
        ("signout_path", &builder.signout_path),
        ("session_path", &builder.session_path),
        ("after_signin", &builder.after_signin),
        ("after_signout", &builder.after_signout),
    ];
    let public = builder.public_paths.iter().map(|path| ("public_path", path));
    let prefixes = builder.public_prefixes.iter().map(|path| ("public_prefix", path));
    for (setting, path) in own.into_iter().chain(public).chain(prefixes) {
        if is_ambiguous(path) || path.contains(['?', '#']) && !setting.starts_with("after_") {
            let problem = format!("is {path:?}, which is no plain path");
            let remedy =
                "give a path that starts with one slash and holds no dot segment, query or escaped delimiter";
            return Err(ConfigError::invalid(setting, problem, remedy));
        }
    }
    for (setting, path) in &own[..OWN_PATHS] {
        // axum would read them as captures.
        if path.contains([':', '{', '}']) {
            let problem = format!("is {path:?}, which looks like a pattern");
            return Err(ConfigError::invalid(setting, problem, "give a path without ':', '{' and '}'"));
        }
    }
    if builder.public_prefixes.iter().any(|prefix| prefix == "/") {
        let remedy = "call optional() to make every path public";
        return Err(ConfigError::invalid("public_prefix", "is \"/\"", remedy));
    }
    let paths: HashSet<_> = own[..OWN_PATHS].iter().map(|(_, path)| path).collect();
    if paths.len() < OWN_PATHS {
        let remedy = "give sign-in, callback, sign-out and session a path each";
        return Err(ConfigError::invalid("signin_path", "equals another path of the layer", remedy));
    }
    Ok(())
}

pub(super) fn check_timing(timing: &Timing) -> Result<(), ConfigError> {
    if timing.refresh_ahead <= timing.refresh_leeway {
        return Err(ConfigError::invalid(
            "refresh_ahead",
            "is not longer than refresh_leeway",
            "make it longer, so that tokens are refreshed before a request has to wait for it",
        ));
    }
    for (setting, timeout) in
        [("idle_timeout", timing.idle_timeout), ("absolute_timeout", timing.absolute_timeout)]
    {
        if timeout < Duration::from_secs(1) {
            return Err(ConfigError::invalid(setting, "is under a second", "give a longer one"));
        }
    }
    Ok(())
}

pub(super) fn cookie_mode(name: &str, urls: &[PublicUrl]) -> Result<CookieMode, ConfigError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        let problem = format!("is {name:?}");
        return Err(ConfigError::invalid(
            "cookie_name",
            problem,
            "use up to 64 letters, digits, '_' and '-'",
        ));
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("__host-") || lower.starts_with("__secure-") {
        return Err(ConfigError::invalid(
            "cookie_name",
            "has a prefix",
            "leave it out: the layer adds `__Host-` itself",
        ));
    }
    Ok(match urls.first() {
        Some(url) if url.is_secure() => CookieMode::secure(name),
        Some(url) => CookieMode::loopback(name, url.port()),
        None => CookieMode::any_loopback_port(name),
    })
}

pub(super) fn cookie_keys(
    keys: &[Vec<u8>],
    client: &ClientConfig,
    is_shared: bool,
) -> Result<CookieKeys, ConfigError> {
    if let Some(short) = keys.iter().find(|key| key.len() < 32) {
        let problem = format!("has {} bytes", short.len());
        let remedy =
            "give 32 random bytes or more (COOKIE_KEY: in base64, as `openssl rand -base64 32` prints)";
        return Err(ConfigError::invalid("COOKIE_KEY / cookie_key", problem, remedy));
    }
    Ok(match (keys.split_first(), client) {
        (Some((first, more)), _) => CookieKeys::derive(first, more.iter().map(Vec::as_slice)),
        (None, ClientConfig::Static { secret: Some(secret), .. }) if secret.expose().len() >= 32 => {
            CookieKeys::derive(secret.expose().as_bytes(), std::iter::empty())
        }
        _ if is_shared => {
            return Err(ConfigError::missing(
                "COOKIE_KEY / cookie_key",
                "give all nodes the same key (COOKIE_KEY: what `openssl rand -base64 32` prints); with a session store a \
                 sign-in may begin on one node and end on another",
            ));
        }
        _ => CookieKeys::random(),
    })
}

/// RFC 6749 §3.3: printable ASCII without space, quote and backslash.
fn is_scope(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
