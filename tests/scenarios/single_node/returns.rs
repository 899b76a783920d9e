//! A sign-in returns to the exact page that it began at, whatever happens on the way.

mod exact;
mod headers;
mod interleaved;
mod lost;
mod tabs;

use osc_tests::{Answer, Browser, first_link, is_page, parameter};

/// Returns the page that the sign-in button of an answer leads to.
fn button_leads_to(answer: &Answer) -> String {
    let text = std::str::from_utf8(answer.body()).expect("UTF-8");
    let link = if is_page(answer) {
        let (_, button) = text.split_once("class=\"button\"").expect("a button");
        first_link(button)
    } else {
        let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
        json["signin"].as_str().expect("a sign-in").to_owned()
    };
    parameter(&link, "return_to")
}

/// Returns the path that starts a sign-in for `page`.
fn signin_for(page: &str) -> String {
    let page: String = form_urlencoded::byte_serialize(page.as_bytes()).collect();
    format!("/auth/signin?return_to={page}")
}

/// Signs in for `page`. Returns the page that the browser gets to.
async fn landing(browser: &mut Browser, osc: &mock_osc::MockOsc, page: &str) -> String {
    let authorize = browser.begin_sign_in(&signin_for(page)).await;
    let state = parameter(&authorize, "state");
    assert!(state.len() < 512, "{} characters for {page}", state.len());
    let callback = osc.approve(&authorize).await.expect("the user allows it");
    // A proxy strips the path of the public URL.
    let path = osc_tests::path_of(&callback);
    osc_tests::location(&browser.navigate(path.strip_prefix("/some/base").unwrap_or(path)).await)
}
