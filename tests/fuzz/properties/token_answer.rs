use std::collections::HashMap;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::network::WireResponse;
use crate::oauth::registration;
use crate::oauth::wire::{GrantError, parse_pushed, parse_tokens};
use crate::oauth::{ErrorCode, Misconfiguration, Tokens};
use crate::redact::redacted;
use crate::secret::Secret;
use crate::sessions::{Issue, opened_for_test, sealed_for_test};
use crate::store::{RecordKey, Version};

const SENT: &str = "rt-123";
const LONGEST: Duration = Duration::from_secs(42_949_672);

/// Input: a status in two bytes, then the body of a token endpoint's answer.
///
/// Accepted tokens fit into a header, live for a bounded time and come out of a session's record unchanged. The layer reads a
/// refusal only where the provider says so. Its log line is short and repeats no secret.
pub fn token_answer(data: &[u8]) {
    let Some((status, body)) = data.split_first_chunk() else { return };
    let status = StatusCode::from_u16(100 + u16::from_be_bytes(*status) % 500).expect("within 100..600");
    let response =
        WireResponse { status, headers: HeaderMap::new(), retry_after: None, body: body.to_vec().into() };
    // Fields are read one by one, so a number beyond any float or broken UTF-8 elsewhere does not matter.
    let text = String::from_utf8_lossy(body);
    let fields: HashMap<String, Box<RawValue>> = serde_json::from_str(&text).unwrap_or_default();
    let said = |field: &str| serde_json::from_str::<String>(fields.get(field)?.get()).ok();
    let sent = Secret::new(SENT);
    match parse_tokens(&response, &[&sent]) {
        Ok(tokens) => {
            assert!(status.is_success());
            assert_eq!(
                tokens.bearer.to_str().ok().map(str::to_owned),
                said("access_token").map(|token| format!("Bearer {token}"))
            );
            assert_eq!(
                tokens.refresh_token.as_ref().map(|token| token.expose().to_owned()),
                said("refresh_token").filter(|token| !token.is_empty())
            );
            are_usable(&tokens);
            survive_a_record(&tokens);
        }
        Err(GrantError::Refused) => {
            assert!(status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(said("error"), Some("invalid_grant".to_owned()));
        }
        Err(GrantError::Misconfigured(misconfigured)) => {
            assert!(status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(said("error").map(|code| code_of(&code)), Some(misconfigured));
        }
        Err(GrantError::NotSent { .. }) => assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
        Err(GrantError::PossiblyProcessed { .. }) => {}
        Err(GrantError::TimedOut | GrantError::NotShared) => panic!("the answer is there"),
    }
    for text in [said("error"), said("error_description"), Some(text.to_string())].into_iter().flatten() {
        is_loggable(&ErrorCode::shown(&text, &[SENT]), 64);
        is_loggable(&redacted(&text, 200, &[SENT]), 200);
    }
    match parse_pushed(&response, &[SENT]) {
        Ok(uri) => assert!(status.is_success() && !uri.is_empty() && said("request_uri") == Some(uri)),
        Err(GrantError::Misconfigured(misconfigured)) => {
            assert!(status.is_client_error());
            assert_eq!(said("error").map(|code| code_of(&code)), Some(misconfigured));
        }
        Err(error) => assert_eq!(error, GrantError::PossiblyProcessed { retry_after: None }),
    }
    let now = Timestamp::from_millis(super::NOW_MILLIS);
    if let Some((client, registration)) =
        registration::parse(&response, &["https://app.example/cb".to_owned()], now)
    {
        assert!(
            status.is_success() && !client.id.is_empty() && said("client_id").as_deref() == Some(&*client.id)
        );
        assert!(!registration.serves("https://evil.example/cb", now));
        registration.ends_in(now);
    }
}

fn are_usable(tokens: &Tokens) {
    let token =
        tokens.bearer.to_str().ok().and_then(|bearer| bearer.strip_prefix("Bearer ")).unwrap_or_default();
    assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(tokens.bearer.is_sensitive());
    assert!(!tokens.revocable().0.expose().is_empty());
    assert!((Duration::from_secs(1)..=LONGEST).contains(&tokens.lifetime));
    for now in [0, super::NOW_MILLIS].map(Timestamp::from_millis) {
        let issue = Issue::new(tokens.lifetime, now);
        assert!(issue.lifetime() <= tokens.lifetime && !issue.lifetime().is_zero());
        assert!(!issue.has_expired(now) && issue.has_expired(now.plus(tokens.lifetime)));
    }
}

fn survive_a_record(tokens: &Tokens) {
    let (key, version) = (RecordKey::of(&[7; 32]), Version::from_bytes([1; 16]));
    let value = sealed_for_test(tokens.clone(), &key, "app", version);
    let opened = opened_for_test(&value, &key, "app", version).expect("what was just sealed opens");
    assert_eq!(opened.bearer, tokens.bearer);
    assert_eq!(opened.lifetime.as_millis(), tokens.lifetime.as_millis());
    assert_eq!(
        opened.refresh_token.as_ref().map(Secret::expose),
        tokens.refresh_token.as_ref().map(Secret::expose)
    );
}

fn code_of(text: &str) -> Misconfiguration {
    Misconfiguration::Code(ErrorCode::of(text))
}

/// Checks that the text is one line, in its written order, and without the secret.
fn is_loggable(text: &str, longest: usize) {
    assert!(text.chars().count() <= longest + 1 && !text.contains(SENT));
    let forges = |c: char| {
        c.is_control()
            || c != ' ' && c.is_whitespace()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e007f}')
    };
    assert!(!text.contains(forges), "{text:?}");
}
