use super::*;
use base64::engine::general_purpose::{STANDARD as STANDARD_BASE64, URL_SAFE_NO_PAD};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.secret-part.signature";

#[test]
fn s67_characters_that_forge_or_reorder_lines_are_replaced() {
    let mut kept = 0;
    for c in char::MIN..=char::MAX {
        let forges = matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::PrivateUse
                | GeneralCategory::Surrogate
                | GeneralCategory::Unassigned
        );
        match printable(c) {
            ' ' => assert!(c.is_whitespace() || c.is_control(), "{c:?}"),
            // Includes characters that were assigned after this compiler was built.
            char::REPLACEMENT_CHARACTER => {}
            shown => {
                assert!(shown == c && !forges, "{c:?} becomes {shown:?}");
                kept += 1;
            }
        }
    }
    assert!(kept > 140_000, "{kept}");
}

#[test]
fn s67_debug_quoting_leaves_no_forging_character() {
    for c in char::MIN..=char::MAX {
        let quoted = ['a', c].iter().collect::<String>();
        assert!(quoted.escape_debug().all(|shown| printable(shown) == shown), "{c:?}");
    }
}

#[test]
fn text_becomes_one_line_of_bounded_length() {
    assert_eq!(line(" two\r\n lines\u{1b}[31m\u{2028}of\u{85}text\u{7} ", 99), "two lines [31m of text");
    assert_eq!(
        line("e\u{301}te\u{301} \"åäö\" 東京 \u{202e}x", 99),
        "e\u{301}te\u{301} \"åäö\" 東京 \u{fffd}x"
    );
    assert_eq!(line("abcdef", 3), "abc…");
    assert_eq!(line("abc", 3), "abc");
    assert_eq!(line(" \n ", 3), "");
}

#[test]
fn s33_words_that_repeat_a_secret_are_withheld() {
    let shown = |text: &str| redacted(text, 200, &[TOKEN, "two words", "rt-123", ""]);
    for text in [
        format!("jwt {TOKEN} is bad"),
        "jwt secret-part.signature is bad".to_owned(),
        "jwt =x;iJIUzI1NiJ9.secret;y is bad".to_owned(),
        "jwt rt-123 is bad".to_owned(),
        "jwt token=rt%2D123&x is bad".to_owned(),
        format!("jwt {} is bad", URL_SAFE_NO_PAD.encode(TOKEN)),
        format!("jwt {} is bad", STANDARD_BASE64.encode("client:rt-123")),
        format!("jwt {}\u{200b}{} is bad", &TOKEN[..20], &TOKEN[20..]),
    ] {
        assert_eq!(shown(&text), "jwt [withheld] is bad", "{text}");
    }
    for text in ["two words are bad", "got two\r\nwords", "password=two+words", "rt-123", "rt-123 rt-123"] {
        assert_eq!(shown(text), "[withheld: it repeats a secret]", "{text}");
    }
    assert_eq!(shown("the signature of a token is bad"), "the signature of a token is bad");
}

#[test]
fn s33_a_secret_is_found_in_its_json_form() {
    for secret in ["p&ss\"word\\", "two\nlines", "ünïcödé"] {
        let text = format!("got {}", serde_json::json!({ "secretData": secret }));
        assert!(!redacted(&text, 200, &[secret]).contains("secretData"), "{secret}");
    }
}

#[test]
fn strings_too_short_for_secrets_hide_nothing() {
    let text = "invalid_grant: the refresh token r is unknown";
    for short in ["", "r", "a", " ", "grant", "token"] {
        assert_eq!(redacted(text, 200, &[short]), text, "{short}");
    }
}

#[test]
fn truncated_text_shows_no_part_of_a_secret() {
    for before in 0..60 {
        let text = format!("{}{TOKEN}", " ".repeat(LONGEST_READ - before));
        assert!(!redacted(&format!("x{text}"), 200, &[TOKEN]).contains(&TOKEN[..TELLING_PART]));
        let text = format!("{} {TOKEN}", "x".repeat(before));
        assert!(!redacted(&text, 60, &[TOKEN]).contains("eyJ"), "{before}");
    }
}
