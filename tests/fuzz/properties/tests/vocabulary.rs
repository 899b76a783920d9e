//! The words that the strategies build inputs of.

type Fields = &'static [(&'static str, &'static [&'static str])];

const ID: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";
pub(super) const COOKIES: &[&str] = &[
    "__Host-osc_session",
    "osc_session_3000",
    "osc_session_80",
    "_signin_a",
    "=",
    "=",
    ID,
    ";",
    "; ",
    "\t",
    "\n",
    " ",
    "a",
    "%5F",
    "\"",
    ",",
    "x=1",
];
pub(super) const PAIRS: &[&[&str]] = &[
    &["a=1", "b=__Host-osc_session", "osc_session_80=x", "\t"],
    &[SESSION, SESSION, SESSION, "__Host-osc_session=x", "__Host-osc_session_signin_a=x%2By"],
    &[
        "",
        "",
        "",
        SESSION,
        "__Host-osc_session_signin_a=1",
        "x=1\n__Host-osc_session=x",
        "%5F_Host-osc_session=x",
    ],
    &["", "c=d"],
];
const SESSION: &str = "__Host-osc_session=q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";
pub(super) const PATHS: &[&str] = &[
    "/",
    "/",
    ".",
    "..",
    "%2e",
    "%2E",
    "%",
    "25",
    "32e",
    "%2f",
    "%5c",
    "%3b",
    "%3f",
    "%23",
    "%00",
    "%09",
    "%20",
    ";",
    "\\",
    "admin",
    "Static",
    "?",
    "x",
    "%ef%bc%8e",
    "%EF%BC%8F",
    "%e2%80%a4",
    "%e2%88%95",
    "%e2%80%8b",
    "%ef%bc%85",
];
pub(super) const TARGETS: &[&str] = &[
    "/",
    "/",
    "\\",
    ".",
    "..",
    "%2e",
    "%",
    "25",
    "32f",
    "%2f",
    "%5c",
    "%09",
    "%0a",
    ":",
    "@",
    "?",
    "#",
    "evil.com",
    "https:",
    "auth/signin",
    "app",
    ";",
    "\t",
];
pub(super) const PARTS: &[&str] =
    &["https://id.example", "cli", "/auth/callback", "?x=1", "\"", "\\", "é", "\u{1}", " ", ";"];
pub(super) const QUERIES: &[&str] =
    &["&", "=", "code", "state", "c%6fde", "a", "+", "%", "%2", "%26", "%ff", "%C3%A9", "é", "1"];
pub(super) const CALLBACK: &[&[&str]] = &[
    &["code=c", "code=c", "c%6fde=%63"],
    &[STATE, STATE, "state=tagtagta", "state=tagtagtaBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
    &["", "", "iss=http%3A%2F%2F127.0.0.1%3A1", "iss=http://127.0.0.1:1/", "iss=https://evil.example"],
    &["", "", "", "error=access_denied", "code=d", STATE],
];
const STATE: &str = "state=tagtagtaAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
pub(super) const CALLBACK_COOKIES: &[&[&str]] = &[
    &["a=1", "__Host-osc_session=x"],
    &[OWN, OWN, OWN, "__Host-osc_session_signin_tagtagta=x", "__Host-osc_session_signin_gattagta=$PENDING"],
    &["", "", "", "b=2", OWN, "%5F_Host-osc_session_signin_tagtagta=$PENDING"],
];
const OWN: &str = "__Host-osc_session_signin_tagtagta=$PENDING";
pub(super) const METADATA: Fields = &[
    (
        "issuer",
        &[
            "\"https://id.example\"",
            "\"https://id.example\"",
            "\"http://127.0.0.1:8080/tenant/\"",
            "\"https://id.example/\"",
        ],
    ),
    ("authorization_endpoint", ENDPOINTS),
    ("token_endpoint", ENDPOINTS),
    ("registration_endpoint", ENDPOINTS),
    ("revocation_endpoint", ENDPOINTS),
    ("pushed_authorization_request_endpoint", ENDPOINTS),
    ("token_endpoint_auth_methods_supported", METHODS),
    ("revocation_endpoint_auth_methods_supported", METHODS),
    ("authorization_response_iss_parameter_supported", &["true", "false", "\"true\""]),
];
pub(super) const ENDPOINTS: &[&str] = &[
    "\"https://id.example/x\"",
    "\"https://id.example/x?a=b\"",
    "\"https://other.example\"",
    "\"http://127.0.0.1:9/x\"",
    "\"http://[::1]/\"",
    "\"http://a.localhost\"",
    "\"http://id.example\"",
    "\"https://id.example/#f\"",
    "\"http://localhost.evil.com\"",
    "\"https:/\\t/id.example\"",
    "\"javascript:x\"",
    "\"http://127.0.0.1.evil.com\"",
    "\"http://0x7f.1\"",
];
pub(super) const METHODS: &[&str] =
    &["[\"client_secret_post\"]", "[\"client_secret_basic\",\"none\"]", "[\"private_key_jwt\",7]", "[]"];
pub(super) const TOKENS: Fields = &[
    ("access_token", &["\"a.b\"", "\"a b\"", "\"\\u00e9\"", "\"a\\r\\nx\"", "\"~\""]),
    ("token_type", &["\"Bearer\"", "\"bEARER\"", "\"DPoP\""]),
    ("refresh_token", &["\"r\"", "\"\\n\""]),
    (
        "expires_in",
        &[
            "3600",
            "\"60\"",
            "-1",
            "0.2",
            "1e300",
            "1e400",
            "18446744073709551616",
            "\"inf\"",
            "\"NaN\"",
            "\"-inf\"",
            "{}",
        ],
    ),
    (
        "error",
        &[
            "\"invalid_grant\"",
            "\"invalid_client\"",
            "\"rt-123\"",
            "\"a\\nb\"",
            "\"server_error\"",
            "\"invalid_grant\\u2028\"",
        ],
    ),
    (
        "error_description",
        &["\"no rt-123\"", "\"x\"", "\"no rt%2D123\"", "\"cnQtMTIz\"", "\"a\\u0085\\u202eb\\u200b\\ufeff\""],
    ),
    ("request_uri", &["\"urn:x\""]),
    ("client_id", &["\"a\""]),
    ("client_secret_expires_at", &["0", "2000", "18446744073709551615"]),
];
pub(super) const SIGN_IN: Fields = &[
    // The first is the hash of the cookie.
    ("b", &["\"BINDING\"", "\"\"", "\"x\""]),
    ("t", &["0", "1700000000000", "18446744073709551615", "-1"]),
    ("n", &["0", "1", "255", "256"]),
    ("p", &["0", "1", "65536"]),
    ("e", &["true", "false"]),
    ("c", &["\"cli\""]),
    ("r", &["\"/\"", "\"//evil.com\"", "\"/\\r\\nx: y\"", "\"\\u00e9\"", "null"]),
];
pub(super) const RECORD: Fields = &[
    (
        "i",
        &[
            "\"http://127.0.0.1:1\"",
            "\"http://127.0.0.1:1\"",
            "\"http://127.0.0.1:1\"",
            "\"https://evil.example\"",
        ],
    ),
    ("c", &["{\"i\":\"cli\"}", "{\"i\":\"cli\"}", "{\"i\":\"other\",\"s\":\"x\",\"m\":\"none\"}", "{}"]),
    (
        "t",
        &[
            "\"Bearer pat\"",
            "\"Bearer pat\"",
            "\"Bearer \"",
            "\"pat\"",
            "\"Bearer p t\"",
            "\"Bearer \\u00e9\"",
            "\"\\n\"",
        ],
    ),
    ("r", &["\"rt\""]),
    ("l", &["3600000", "3600000", "0", "18446744073709551615"]),
    ("a", &["0", "1000", "18446744073709551615"]),
];

#[cfg(feature = "redis")]
pub(super) const REDIS: &[&str] = &[
    "*8\r\n",
    "*2\r\n",
    "$-1\r\n",
    "$-1\r\n",
    "$1\r\n1\r\n",
    ":7\r\n",
    ":18446744073709551615\r\n",
    "$10\r\nsigned-out\r\n",
    "$8\r\nreplaced\r\n",
    "+OK\r\n",
    "_\r\n",
    "$3\r\nabc\r\n",
];
