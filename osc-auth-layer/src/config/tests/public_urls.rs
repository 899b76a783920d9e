//! The path of a public URL: what it may end in, and the cookie's name that follows from it.

use super::*;

#[test]
fn apps_below_one_host_have_cookies_of_their_own() {
    let name = |urls: &[&str]| {
        let layer = urls.iter().fold(builder(), |builder, url| builder.public_url(*url)).build().unwrap();
        layer.auth.config.cookies.session_name(|| 3000)
    };
    assert_eq!(name(&[]), "osc_session_3000");
    assert_eq!(name(&["http://localhost:3000/"]), "osc_session_3000");
    assert_eq!(name(&["https://h.example"]), "__Host-osc_session");
    assert_eq!(name(&["https://h.example:443/"]), "__Host-osc_session");
    let apart = [
        &["https://h.example"][..],
        &["https://h.example/a"],
        &["https://h.example/b"],
        &["https://h.example:8443"],
        &["https://h.example:9443"],
        &["https://h.example:8443/a"],
        &["http://localhost:3000"],
        &["http://localhost:3000/a"],
        &["http://localhost:3000/b"],
    ];
    let names: std::collections::HashSet<_> = apart.iter().map(|urls| name(urls)).collect();
    assert_eq!(names.len(), apart.len(), "{names:?}");
    // Users keep their sessions when the layer is updated, so the digits may not change.
    assert_eq!(name(&["https://h.example/a/", "https://other.example/b"]), "__Host-osc_session_d3216b8d");
    assert_eq!(name(&["http://localhost:3000/a"]), "osc_session_d3216b8d_3000");
    let named = from(&[("CLIENT_ID", "id"), ("PUBLIC_URL", "https://h.example/a"), ("COOKIE_NAME", "shop")]);
    assert_eq!(named.unwrap().auth.config.cookies.session_name(|| 0), "__Host-shop");
}

#[test]
fn a_public_url_that_ends_in_a_path_of_the_layer_is_refused() {
    for (url, path) in [
        ("https://h.example/auth/callback", "/auth/callback"),
        ("https://h.example/auth/callback/", "/auth/callback"),
        ("https://h.example/app/auth/signin", "/auth/signin"),
        ("https://h.example/auth/signout", "/auth/signout"),
        ("https://h.example/auth/session", "/auth/session"),
    ] {
        let text = problem(builder().public_url("https://ok.example").public_url(url));
        assert!(text.starts_with("PUBLIC_URL") && text.contains(&format!("ends in {path},")), "{text}");
        assert!(text.contains("first page"), "{text}");
    }
    builder().public_url("https://h.example/auth").build().unwrap();
    builder().public_url("https://h.example/my-auth/callbacks").build().unwrap();
}
