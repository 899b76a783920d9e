use super::*;

fn response(status: u16, body: &str) -> WireResponse {
    WireResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers: http::HeaderMap::new(),
        retry_after: None,
        body: body.to_owned().into(),
    }
}

fn parse(status: u16, body: &str) -> Result<Tokens, GrantError> {
    parse_tokens(&response(status, body), &[])
}

fn credentials(id: &str, secret: Option<&str>) -> Credentials {
    Credentials { id: id.to_owned(), secret: secret.map(Secret::new), auth_method: None }
}

fn request(credentials: &Credentials, method: AuthMethod) -> (Option<String>, String) {
    let url = Url::parse("https://a.example/token").unwrap();
    let request = client_request(url, credentials, method, &[("grant_type", "refresh_token")]);
    let authorization = request.headers.get(header::AUTHORIZATION).map(|value| {
        assert!(value.is_sensitive());
        let encoded = value.to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    });
    (authorization, request.body.unwrap())
}

#[test]
fn s18_the_client_authenticates_by_the_agreed_method() {
    let client = credentials("a b:c", Some("p+w %é"));
    let post = "grant_type=refresh_token&client_id=a+b%3Ac&client_secret=p%2Bw+%25%C3%A9";
    assert_eq!(request(&client, AuthMethod::Post), (None, post.to_owned()));
    let basic = "a%20b%3Ac:p%2Bw%20%25%C3%A9".to_owned();
    assert_eq!(request(&client, AuthMethod::Basic), (Some(basic), "grant_type=refresh_token".to_owned()));
    let public = credentials("cli", None);
    for method in [AuthMethod::None, AuthMethod::Post, AuthMethod::Basic] {
        assert_eq!(request(&public, method), (None, "grant_type=refresh_token&client_id=cli".to_owned()));
    }
}

#[test]
fn token_answers_are_read_leniently_where_that_is_safe() {
    let tokens = parse(
        200,
        r#"{"access_token":"a.b","refresh_token":"r","expires_in":60,"token_type":"bEARER","x":[]}"#,
    )
    .unwrap();
    assert_eq!(tokens.bearer, "Bearer a.b");
    assert!(tokens.bearer.is_sensitive());
    assert_eq!(tokens.lifetime, Duration::from_secs(60));
    assert_eq!(tokens.refresh_token.unwrap().expose(), "r");
    let tokens =
        parse(200, r#"{"access_token":"a","refresh_token":null,"token_type":null,"scope":"a b"}"#).unwrap();
    assert!(tokens.refresh_token.is_none());
    assert_eq!(tokens.lifetime, DEFAULT_LIFETIME);
}

#[test]
fn a_malformed_answer_is_neither_a_token_nor_a_refusal() {
    for body in [
        "",
        "<html>",
        "null",
        "[]",
        "{}",
        r#"{"access_token":""}"#,
        r#"{"access_token":7}"#,
        r#"{"access_token":"a b"}"#,
        r#"{"access_token":"a\r\nx: y"}"#,
        r#"{"access_token":"é"}"#,
        r#"{"access_token":"a","token_type":"DPoP"}"#,
        r#"{"access_token":"a","token_type":1}"#,
        r#"{"access_token":"a","refresh_token":{}}"#,
        r#"{"access_token":"a""#,
    ] {
        for status in [200, 201, 302, 500, 503] {
            let error = parse(status, body).unwrap_err();
            assert_eq!(error, GrantError::PossiblyProcessed { retry_after: None }, "{status} {body}");
        }
    }
    for (status, body) in [
        (400, "<html>"),
        (401, ""),
        (403, "{}"),
        (400, r#"{"error":7}"#),
        (503, r#"{"error":"invalid_grant"}"#),
    ] {
        let error = parse(status, body).unwrap_err();
        assert_eq!(error, GrantError::PossiblyProcessed { retry_after: None }, "{status} {body}");
    }
}

#[test]
fn s42_only_invalid_grant_ends_a_grant() {
    assert_eq!(parse(400, r#"{"error":"invalid_grant"}"#).unwrap_err(), GrantError::Refused);
    let misconfigured = GrantError::Misconfigured(Misconfiguration::Code(ErrorCode::InvalidClient));
    assert_eq!(parse(401, r#"{"error":"invalid_client"}"#).unwrap_err(), misconfigured);
    let mut throttled = response(429, r#"{"error":"invalid_grant"}"#);
    throttled.retry_after = Some(Duration::from_secs(9));
    let error = parse_tokens(&throttled, &[]).unwrap_err();
    assert_eq!(error, GrantError::NotSent { retry_after: Some(Duration::from_secs(9)) });
}

#[test]
fn s45_every_form_of_expires_in_gives_a_lifetime() {
    let lifetime_of = |json: &str| lifetime(Some(&serde_json::from_str(json).unwrap())).as_secs_f64();
    for (json, seconds) in [
        ("3600", 3600.0),
        ("3599.5", 3599.5),
        ("\"120\"", 120.0),
        ("\" 7 \"", 7.0),
        ("0", 1.0),
        ("-5", 1.0),
        ("0.2", 1.0),
        ("1e300", LONGEST),
        ("\"inf\"", LONGEST),
        ("18446744073709551615", LONGEST),
        ("\"NaN\"", 3600.0),
        ("\"soon\"", 3600.0),
        ("null", 3600.0),
        ("{}", 3600.0),
        ("true", 3600.0),
    ] {
        assert_eq!(lifetime_of(json), seconds, "{json}");
    }
    assert_eq!(lifetime(None), DEFAULT_LIFETIME);
    let beyond_any_float =
        parse(200, r#"{"access_token":"a","refresh_token":"r","expires_in":1e400}"#).unwrap();
    assert_eq!(beyond_any_float.lifetime, DEFAULT_LIFETIME);
    assert!(beyond_any_float.refresh_token.is_some());
}

#[test]
fn s42_a_code_is_recognised_even_if_it_equals_a_secret() {
    for secret in ["r", "g", "invalid", "invalid_grant"].map(Secret::new) {
        let refused = parse_tokens(&response(400, r#"{"error":"invalid_grant"}"#), &[&secret]);
        assert_eq!(refused.unwrap_err(), GrantError::Refused);
        let unknown = parse_tokens(&response(401, r#"{"error":"invalid_client"}"#), &[&secret]);
        let client = GrantError::Misconfigured(Misconfiguration::Code(ErrorCode::InvalidClient));
        assert_eq!(unknown.unwrap_err(), client);
        let busy = parse_tokens(&response(400, r#"{"error":"temporarily_unavailable"}"#), &[&secret]);
        assert_eq!(busy.unwrap_err(), GrantError::PossiblyProcessed { retry_after: None });
    }
}

#[test]
fn a_pushed_request_returns_its_uri_or_an_error() {
    assert_eq!(
        parse_pushed(&response(201, r#"{"request_uri":"urn:x","expires_in":60}"#), &[]),
        Ok("urn:x".to_owned())
    );
    assert!(matches!(
        parse_pushed(&response(400, r#"{"error":"invalid_request"}"#), &[]),
        Err(GrantError::Misconfigured(Misconfiguration::Code(ErrorCode::InvalidRequest)))
    ));
    for (status, body) in [
        (201, "{}"),
        (200, "<html>"),
        (500, ""),
        (429, r#"{"error":"x"}"#),
        (400, r#"{"error":"server_error"}"#),
    ] {
        assert!(matches!(
            parse_pushed(&response(status, body), &[]),
            Err(GrantError::PossiblyProcessed { .. })
        ));
    }
}
