use std::collections::HashMap;
use std::time::Duration;

mod pages;
mod public_urls;

use super::*;
use crate::error::ConfigError;
use crate::sessions::{Claims, OscUser};

fn from(variables: &[(&'static str, &str)]) -> Result<crate::OscAuthLayer, ConfigError> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    OscAuthLayerBuilder::from_variables(|name| variables.get(name).map(Into::into))?.build()
}

fn builder() -> OscAuthLayerBuilder {
    OscAuthLayerBuilder::new(OAuthClient::confidential(
        "osc_id",
        "a secret of more than thirty-two characters",
    ))
}

fn problem(builder: OscAuthLayerBuilder) -> String {
    builder.build().expect_err("must not build").to_string()
}

#[test]
fn the_variables_alone_build_a_layer() {
    from(&[
        ("CLIENT_ID", "osc_id"),
        ("CLIENT_SECRET", "s3cret"),
        ("PUBLIC_URL", "https://a.example, https://b.example"),
    ])
    .unwrap();
    from(&[("CLIENT_ID", "osc_id"), ("CLIENT_SECRET", ""), ("OSC_ISSUER", " ")]).unwrap();
    for method in ["client_secret_basic", " client_secret_post ", ""] {
        from(&[("CLIENT_ID", "osc_id"), ("CLIENT_SECRET", "s3cret"), ("CLIENT_AUTH_METHOD", method)])
            .unwrap();
    }
    let resources = builder().authorization_param("resource", "a").authorization_param("resource", "b");
    resources.authorization_param("prompt", "consent").build().unwrap();
}

#[test]
fn errors_name_the_setting_and_the_remedy_but_no_secret() {
    let id = ("CLIENT_ID", "osc_id");
    for (variables, name) in [
        (&[][..], "CLIENT_ID"),
        (&[("CLIENT_ID", "")], "CLIENT_ID"),
        (&[id, ("COOKIE_KEY", "not!base64")], "COOKIE_KEY"),
        (&[id, ("COOKIE_KEY", "c2hvcnQ=")], "COOKIE_KEY"),
        (&[id, ("PUBLIC_URL", "http://app.example.com")], "PUBLIC_URL"),
        (&[id, ("PUBLIC_URL", "app.example.com")], "PUBLIC_URL"),
        (&[id, ("OSC_ISSUER", "http://app.example.com")], "OSC_ISSUER"),
        (&[id, ("OSC_ISSUER", "https://a.example/?x")], "OSC_ISSUER"),
        (&[id, ("CLIENT_AUTH_METHOD", "client_secret_basic")], "CLIENT_AUTH_METHOD"),
        (
            &[id, ("CLIENT_SECRET", "s"), ("CLIENT_AUTH_METHOD", "none")],
            "client_secret_basic or client_secret_post",
        ),
        (&[id, ("CLIENT_SECRET", "s"), ("CLIENT_AUTH_METHOD", "Client_Secret_Post")], "CLIENT_AUTH_METHOD"),
    ] {
        let error = from(variables).expect_err("must not build");
        let text = error.to_string();
        assert!(text.contains(name), "{text}");
        assert!(!text.contains("not!base64") && !text.contains("c2hvcnQ"), "{text}");
        assert_eq!(text, format!("{error:?}"));
    }
}

const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

#[test]
fn an_app_that_registers_itself_needs_a_cookie_key() {
    let name = ("OSC_APP_NAME", "My app");
    from(&[name, ("COOKIE_KEY", KEY)]).unwrap();
    let error = from(&[name]).unwrap_err().to_string();
    assert!(error.starts_with("COOKIE_KEY") && error.contains("openssl rand"), "{error}");
    let secret = ("CLIENT_SECRET", "of-an-app-whose-id-is-missing-here");
    let error = from(&[name, secret, ("COOKIE_KEY", KEY)]).unwrap_err().to_string();
    assert!(error.starts_with("CLIENT_ID") && !error.contains(secret.1), "{error}");
    // An app with a `CLIENT_ID` does not register.
    let layer = from(&[name, ("CLIENT_ID", "osc_id")]).unwrap();
    assert!(layer.auth.sessions.provider.has_static_client());
    let error = from(&[]).unwrap_err().to_string();
    assert!(error.contains("OSC_APP_NAME") && error.contains("console"), "{error}");
}

#[test]
fn the_public_url_falls_back_to_osc_hostname() {
    let urls = |variables: &[_]| {
        let layer = from(&[&[("CLIENT_ID", "osc_id")], variables].concat())?;
        Ok(layer.auth.config.public_urls.iter().map(|url| url.url("/")).collect::<Vec<_>>())
    };
    let host = ("OSC_HOSTNAME", "abc123.apps.osaas.io");
    assert_eq!(urls(&[host]).unwrap(), ["https://abc123.apps.osaas.io/"]);
    let set = ("PUBLIC_URL", "https://shop.example");
    assert_eq!(urls(&[host, set]).unwrap(), ["https://shop.example/"]);
    for bad in ["https://a.example", "a.example:8080", "a.example/x", "a b", "a..b", "ada@a.example", "a_b"] {
        let error: ConfigError = urls(&[("OSC_HOSTNAME", bad)]).unwrap_err();
        assert!(
            error.to_string().starts_with("OSC_HOSTNAME") && error.to_string().contains("PUBLIC_URL"),
            "{error}"
        );
    }
}

#[test]
fn allowed_workspaces_come_from_the_environment() {
    let layer = from(&[("CLIENT_ID", "osc_id"), ("ALLOWED_WORKSPACES", "team, friends")]).unwrap();
    let issuer = std::sync::Arc::from("https://app.osaas.io");
    for (token, may_enter) in
        [("e30.eyJ0ZW5hbnRJZCI6InRlYW0ifQ.c", true), ("e30.eyJ0ZW5hbnRJZCI6Ingi.c", false)]
    {
        let user = Claims::of(token).map(|claims| OscUser::new(claims, &issuer));
        assert_eq!(layer.auth.sessions.admission.admits(user.as_ref()), may_enter);
    }
}

#[test]
fn contradictory_and_unsafe_settings_are_refused() {
    let second = Duration::from_secs(1);
    for (builder, name) in [
        (builder().issuer("https://a.example").environment("dev"), "issuer"),
        (builder().environment("dev.evil.com/"), "environment"),
        (builder().public_url("https://a.example").public_url("http://localhost"), "public_url"),
        (builder().public_url("https://a.example").public_url("https://A.example/b"), "public_url"),
        (builder().signin_path("/{auth}/in"), "signin_path"),
        (builder().signin_path("auth"), "signin_path"),
        (builder().callback_path("/auth/signin"), "signin_path"),
        (builder().session_path("/auth/signin"), "signin_path"),
        (builder().session_path("/{me}"), "session_path"),
        (builder().public_path("/a/../b"), "public_path"),
        (builder().public_prefix("/"), "public_prefix"),
        (builder().after_signin("//evil.com"), "after_signin"),
        (builder().refresh_ahead(second).refresh_leeway(second), "refresh_ahead"),
        (builder().idle_timeout(Duration::ZERO), "idle_timeout"),
        (builder().absolute_timeout(Duration::ZERO), "absolute_timeout"),
        (builder().max_sessions(0), "max_sessions"),
        (builder().cookie_name("__Host-x"), "cookie_name"),
        (builder().cookie_name("a;b"), "cookie_name"),
        (builder().cookie_key(*b"short"), "COOKIE_KEY"),
        (builder().outage_status(http::StatusCode::OK), "outage_status"),
        (builder().scopes(["a b"]), "scopes"),
        (builder().authorization_param("", "x"), "authorization_param"),
        (builder().authorization_param("state", "x"), "authorization_param"),
        (
            builder().authorization_param("prompt", "x").authorization_param("prompt", "y"),
            "authorization_param",
        ),
        (builder().authorization_param("hint", "é".repeat(100)), "authorization_param"),
        (
            OscAuthLayerBuilder::new(OAuthClient::public("cli"))
                .auth_method(ClientAuthMethod::ClientSecretPost),
            "CLIENT_SECRET",
        ),
        (
            OscAuthLayerBuilder::new(OAuthClient::register("App"))
                .auth_method(ClientAuthMethod::ClientSecretPost),
            "Leave it out",
        ),
        (OscAuthLayerBuilder::new(OAuthClient::public(" ")), "CLIENT_ID"),
        (OscAuthLayerBuilder::new(OAuthClient::confidential("id", "")), "CLIENT_SECRET"),
        (OscAuthLayerBuilder::new(OAuthClient::register("")), "OAuthClient::register"),
    ] {
        let text = problem(builder);
        assert!(text.contains(name) && text.contains(". "), "{text}");
    }
}

#[test]
fn s08_constant_parameters_cannot_replace_the_layers_own() {
    let own = [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
    ];
    let others =
        ["request", "request_uri", "response_mode", "nonce", "client_secret", "code_verifier", "code"];
    for name in own.into_iter().chain(others) {
        let text = problem(builder().authorization_param(name, "x"));
        assert!(text.starts_with("authorization_param") && text.contains(name), "{text}");
    }
}

#[test]
fn s33_debug_output_shows_no_secret() {
    let key = [7_u8; 32];
    let builder = builder().cookie_key(key);
    let text = format!("{builder:?} {:?}", OAuthClient::confidential("id", "hunter2"));
    assert!(!text.contains("thirty-two") && !text.contains("hunter2") && !text.contains("7, 7"), "{text}");
    let layer = builder.build().unwrap();
    let text = format!("{layer:?}");
    assert!(!text.contains("thirty-two") && !text.contains("7, 7"), "{text}");
}

#[test]
fn errors_and_debug_output_hide_passwords_in_urls() {
    for builder in [
        builder().public_url("https://ada:hunter2@a.example"),
        builder().issuer("https://ada:hunter2@a.example"),
        builder().public_url("ada:hunter2@"),
    ] {
        let debug = format!("{builder:?}");
        let text = problem(builder);
        assert!(!debug.contains("hunter2") && !text.contains("hunter2"), "{debug} {text}");
    }
}

const SECRET: (&str, &str) = ("CLIENT_SECRET", "a secret of more than thirty-two characters");

#[test]
fn memory_is_the_default_store_and_needs_no_key() {
    for store in ["", "memory:", " memory: "] {
        let layer = from(&[("CLIENT_ID", "osc_id"), ("SESSION_STORE", store)]).unwrap();
        assert!(layer.auth.sessions.backing.is_none(), "{store:?}");
    }
}

#[cfg(all(feature = "sqlite", feature = "postgres", feature = "redis"))]
#[test]
fn session_store_selects_the_store_by_its_scheme() {
    for url in [
        "sqlite:sessions.db",
        "sqlite:///tmp/sessions.db",
        "postgres://ada:hunter2@localhost/app",
        "postgresql://localhost/app?sslmode=disable",
        "redis://:hunter2@localhost/1",
        "rediss://localhost",
        "valkey://localhost",
        "valkeys://localhost",
        "unix:///run/redis.sock",
        "redis+unix:///run/redis.sock",
        "valkey+unix:///run/redis.sock",
    ] {
        let layer = from(&[("CLIENT_ID", "osc_id"), SECRET, ("SESSION_STORE", url)]).expect(url);
        assert!(layer.auth.sessions.backing.is_some(), "{url}");
        let without_key = OscAuthLayerBuilder::new(OAuthClient::public("cli")).store_url(url);
        let error = problem(without_key);
        assert!(error.starts_with("COOKIE_KEY") && error.contains("SESSION_STORE"), "{error}");
    }
    for (url, store) in [
        ("sqlite:", "SqliteStore"),
        ("sqlite:/no/such/directory/sessions.db", "SqliteStore"),
        ("postgres://ada:hunter2@localhost:port/app", "PostgresStore"),
        ("postgresql://ada:hunter2@localhost:port/app", "PostgresStore"),
        ("redis://:hunter2@localhost/sessions", "RedisStore"),
        ("rediss://:hunter2@localhost/#insecure", "RedisStore"),
    ] {
        let text = problem(builder().store_url(url));
        assert!(text.starts_with(&format!("SESSION_STORE / {store}::from_url ")), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_url_of_no_store_is_refused_without_quoting_it() {
    for url in [
        "mysql://ada:hunter2@localhost",
        "hunter2",
        "hunter2:6379",
        "memory:hunter2",
        "SQLITE:a",
        ":",
        "sqlite",
    ] {
        let text = from(&[("CLIENT_ID", "osc_id"), SECRET, ("SESSION_STORE", url)]).unwrap_err().to_string();
        assert!(text.starts_with("SESSION_STORE / store_url is the URL of no session store. "), "{text}");
        for scheme in ["memory:", "sqlite:", "postgres:", "redis:", "rediss:", "unix:"] {
            assert!(text.contains(scheme), "{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "redis")))]
#[test]
fn a_store_that_is_not_compiled_in_is_refused_with_the_feature_to_add() {
    for (url, feature) in [
        ("sqlite:sessions.db", "sqlite"),
        ("postgresql://ada:hunter2@localhost/app", "postgres"),
        ("rediss://ada:hunter2@localhost", "redis"),
    ] {
        let text = problem(builder().store_url(url));
        assert!(text.starts_with("SESSION_STORE / store_url") && text.contains("Cargo.toml"), "{text}");
        assert!(text.contains(&format!("the feature {feature} ")) && !text.contains("hunter2"), "{text}");
    }
}

#[cfg(feature = "test-util")]
#[test]
fn the_last_of_store_and_store_url_counts() {
    use std::sync::Arc;

    use crate::store::SessionStore;
    use crate::store::memory::MemoryStore;

    let has_store = |builder: OscAuthLayerBuilder| builder.build().unwrap().auth.sessions.backing.is_some();
    assert!(has_store(builder().store_url("nonsense").store(MemoryStore::new())));
    assert!(!has_store(builder().store(MemoryStore::new()).store_url("memory:")));
    assert!(problem(builder().store(MemoryStore::new()).store_url("nonsense")).starts_with("SESSION_STORE"));
    let shared: Arc<dyn SessionStore> = Arc::new(MemoryStore::new());
    assert!(has_store(builder().store(shared.clone()).store(shared)));
}

#[cfg(feature = "client")]
#[test]
fn the_platform_follows_the_environment_or_the_setting() {
    let platform = |variables: &[_]| {
        let layer = from(&[&[("CLIENT_ID", "osc_id")], variables].concat()).unwrap();
        format!("{:?}", layer.auth.sessions.extensions.get::<crate::workspace::Platform>())
    };
    assert!(platform(&[]).contains(r#"Environment("prod")"#));
    assert!(platform(&[("OSC_ISSUER", "https://app.dev.osaas.io")]).contains(r#"Environment("dev")"#));
    assert_eq!(platform(&[("OSC_ISSUER", "https://login.example.com")]), "None");
    let set = [("OSC_ISSUER", "https://login.example.com"), ("OSC_PLATFORM", "http://127.0.0.1:4000")];
    assert!(platform(&set).contains("Base("));
    let error = from(&[("CLIENT_ID", "osc_id"), ("OSC_PLATFORM", "http://osaas.io")]).unwrap_err();
    assert!(error.to_string().starts_with("OSC_PLATFORM"), "{error}");
    let named = builder().environment("stage").build().unwrap();
    assert!(
        format!("{:?}", named.auth.sessions.extensions.get::<crate::workspace::Platform>())
            .contains(r#"Environment("stage")"#)
    );
}
