//! The settings of the layer's pages.

use super::*;
use crate::{OscAuthLayer, Page};

fn home_of(home: &str) -> String {
    builder().app_home(home).build().unwrap().auth.config.pages.home("/base")
}

fn name_of(layer: &OscAuthLayer) -> Option<&str> {
    layer.auth.config.pages.app_name.as_deref()
}

#[test]
fn the_name_comes_from_the_setter_the_variable_or_the_registration() {
    assert_eq!(name_of(&builder().build().unwrap()), None);
    assert_eq!(name_of(&builder().app_name("Acme").build().unwrap()), Some("Acme"));
    let registering = || OscAuthLayerBuilder::new(OAuthClient::register("Registered"));
    assert_eq!(name_of(&registering().build().unwrap()), Some("Registered"));
    assert_eq!(name_of(&registering().app_name("Acme").build().unwrap()), Some("Acme"));
    let layer = from(&[("CLIENT_ID", "osc_id"), ("OSC_APP_NAME", "Acme")]).unwrap();
    assert_eq!(name_of(&layer), Some("Acme"));
}

#[test]
fn a_name_is_one_short_line() {
    builder().app_name("å".repeat(100)).build().unwrap();
    for name in ["", " ", "two\nlines", "bell\u{7}", "del\u{7f}", "next\u{85}", &"å".repeat(101)] {
        let text = problem(builder().app_name(name));
        assert!(text.starts_with("OSC_APP_NAME / app_name is "), "{text}");
    }
    let text = problem(OscAuthLayerBuilder::new(OAuthClient::register("two\nlines")));
    assert!(text.starts_with("OSC_APP_NAME / OAuthClient::register is "), "{text}");
}

#[test]
fn a_colour_has_hex_digits() {
    builder().app_color("#0B6a62").app_color("#fff").build().unwrap();
    for color in ["", "0b6a62", "teal", "#12345", "#1f5fd6; } body { display: none", "#ffffff80"] {
        let text = problem(builder().app_color(color));
        assert!(text.starts_with("app_color is ") && text.contains("such as #0b6a62"), "{text}");
    }
}

#[test]
fn a_home_is_a_path_of_the_app_or_a_web_address() {
    assert_eq!(builder().build().unwrap().auth.config.pages.home("/base"), "/base/");
    assert_eq!(home_of("/start?x=1#top"), "/base/start?x=1#top");
    assert_eq!(home_of("https://www.acme.example/a?b#c"), "https://www.acme.example/a?b#c");
    assert_eq!(home_of("http://intranet"), "http://intranet");
    let long = format!("https://{}", "a".repeat(2048));
    for home in [
        "",
        "start",
        "//evil.example",
        "/../x",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:evil.example",
        "https://",
        "https://user:secret@acme.example",
        "https://:secret@acme.example",
        "https://a cme.example",
        "https://acme.example/\n",
        "ftp://acme.example",
        &long,
    ] {
        let text = problem(builder().app_home(home));
        assert!(text.starts_with("app_home is ") && !text.contains("secret"), "{text}");
    }
}

#[test]
fn languages_are_some_that_the_layer_has() {
    builder().page_languages(["sv"]).build().unwrap();
    for languages in [&[][..], &["de"], &["sv", "SV"], &["sv-SE"]] {
        let text = problem(builder().page_languages(languages.iter().copied()));
        assert!(text.starts_with("page_languages ") && text.contains("Choose from en and sv"), "{text}");
    }
}

#[test]
fn a_renderer_returns_a_string_or_a_page() {
    builder().page_renderer(|page: &Page| page.title().to_owned()).build().unwrap();
    builder().page_renderer(|_: &Page| "static").build().unwrap();
    builder().page_renderer(|page: &Page| crate::PageHtml::new(page.title())).build().unwrap();
}
