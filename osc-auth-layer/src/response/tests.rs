//! Whole answers to every refusal.

use http::Request;

use super::texts::tests::{FOREIGN, refusals};
use super::*;
use crate::{OAuthClient, OscAuthLayer};

fn plain() -> OscAuthLayer {
    OscAuthLayer::builder(OAuthClient::public("cli")).build().unwrap()
}

/// Returns the answer of a layer to a request for `/reports/7` with these headers.
fn answered(layer: &OscAuthLayer, refusal: &Refusal, method: &str, more: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri("/reports/7").header("host", "localhost:3000");
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    answer(&layer.auth.config, &Facts::of(&layer.auth.config, &request), refusal.clone())
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

#[test]
fn s14_no_refusal_has_unescaped_foreign_text_in_any_language() {
    let layer = plain();
    for refusal in refusals() {
        for language in ["en", "sv"] {
            let headers = [("accept", "text/html"), ("accept-language", language)];
            let answer = answered(&layer, &refusal, "POST", &headers);
            let page = text(&answer);
            assert!(page.contains(&format!("<html lang=\"{language}\">")), "{page}");
            assert_eq!(answer.headers()["content-language"], language);
            assert!(answer.headers()["vary"].to_str().unwrap().contains("Accept-Language"));
            assert!(!page.contains("<script") && !page.contains(FOREIGN), "{page}");
            let names_a_value = ["at", "remove", "as", "på", "bort", "som"].iter().any(|before| {
                page.contains(&format!("{before} &lt;script&gt;&amp;&#39;&quot;{{app}}{{{{title}}}}"))
            });
            let has_one = matches!(
                refusal,
                Refusal::UnknownHost { .. }
                    | Refusal::KeptPrefix { .. }
                    | Refusal::OtherUser { name: Some(_) }
            );
            assert_eq!(names_a_value, has_one, "{page}");
        }
    }
}

#[test]
fn a_page_links_to_sign_in_where_json_does() {
    let layer = plain();
    for refusal in refusals() {
        for method in ["GET", "POST"] {
            let page = answered(&layer, &refusal, method, &[("accept", "text/html")]);
            let json = answered(&layer, &refusal, method, &[]);
            let json: Value = serde_json::from_slice(json.body()).unwrap();
            assert_eq!(text(&page).contains("/auth/signin"), json.get("signin").is_some(), "{refusal:?}");
            assert!(text(&page).contains("<a class=\"button\""), "{refusal:?}");
        }
    }
}

#[test]
fn answers_for_programs_are_in_english() {
    let layer = plain();
    let refusal = Refusal::OtherUser { name: Some("anna".to_owned()) };
    let swedish = ("accept-language", "sv");
    let json = answered(&layer, &refusal, "POST", &[swedish]);
    assert_eq!(json.status(), StatusCode::CONFLICT);
    assert!(text(&json).contains("\"error\":\"other_user\""), "{json:?}");
    assert!(text(&json).contains("You are signed in as anna now."), "{json:?}");
    assert!(!json.headers().contains_key("content-language"));
    let call = answered(&layer, &refusal, "POST", &[swedish, ("content-type", "application/grpc")]);
    assert_eq!(call.headers()["grpc-status"], "9");
    assert!(call.headers()["grpc-message"].to_str().unwrap().starts_with("You are signed in as anna now."));
}

#[test]
fn a_page_of_another_user_leads_back_or_to_another_account() {
    let layer = plain();
    let refusal = Refusal::OtherUser { name: Some("anna".to_owned()) };
    let form = [("accept", "text/html"), ("origin", "http://localhost:3000")];
    let from = ("referer", "http://localhost:3000/notes?x=1");
    for (headers, target) in [(vec![form[0], form[1], from], "/notes?x=1"), (form.to_vec(), "/")] {
        let answer = answered(&layer, &refusal, "POST", &headers);
        assert_eq!(answer.status(), StatusCode::CONFLICT);
        let page = text(&answer);
        assert!(page.contains("<h1>You signed in as somebody else</h1>"), "{page}");
        assert!(page.contains(&format!("href=\"{target}\">Go on as anna</a>")), "{page}");
        assert!(page.contains(">Sign in with another account</a>"), "{page}");
        assert!(!page.contains("Nothing was saved"), "{page}");
    }
}

#[test]
fn the_longest_texts_leave_room_in_the_headers() {
    let layer = plain();
    let longest = format!("{}\u{10ffff}", "å".repeat(200));
    let refusal = Refusal::OtherUser { name: Some(longest) };
    let call = answered(&layer, &refusal, "POST", &[("content-type", "application/grpc")]);
    let bytes: usize = call.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    assert!(bytes <= MOST_HEADERS, "{bytes}");
}
