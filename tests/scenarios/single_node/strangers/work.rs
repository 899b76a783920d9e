//! Before the visitor is known, the work for a request grows at most linearly with its size.

use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, Request, header};
use osc_auth_layer::test_util::TestClock;
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::{App, Body, app, instructions, instructions_argument};
use tower::ServiceExt;

/// Sizes of requests in bytes.
const SMALL: usize = 16_000;
const LARGE: usize = 2 * SMALL;

/// Returns true if the work grew linearly. Quadratic work would be four times as much.
fn is_linear(small: u64, large: u64) -> bool {
    // The allocator reorganizes its memory now and then.
    const SLACK: u64 = 1_000_000;
    large <= small * 5 / 2 + SLACK
}

/// The app's public URLs: five hosts, or any port on this machine.
#[derive(Clone, Copy, Debug)]
enum At {
    Https,
    Loopback,
}

impl At {
    /// Returns an app. No request waits, because the provider is never reached.
    fn app(self) -> App {
        let layer =
            OscAuthLayer::builder(OAuthClient::public("cli")).issuer("http://127.0.0.1:1").known_endpoints();
        let layer = layer.clock(TestClock::new()).redirect_to_signin().public_prefix("/static");
        let layer = match self {
            Self::Https => {
                let hosts = ["a", "b", "c", "d", "e"].map(|host| format!("https://{host}.example"));
                hosts.into_iter().fold(layer, OscAuthLayerBuilder::public_url)
            }
            Self::Loopback => layer,
        };
        app(&layer.build().expect("it builds"))
    }

    fn session(self) -> &'static str {
        match self {
            Self::Https => "__Host-osc_session",
            Self::Loopback => "osc_session_3000",
        }
    }
}

/// Returns as many of the words as fit, each with another number for its `#`.
fn many(words: &str, size: usize) -> Vec<String> {
    let numbered = |n| match words.split_once('#') {
        Some((head, tail)) => format!("{head}{n:05}{tail}"),
        None => words.to_owned(),
    };
    (0..size / (words.len() + 4)).map(numbered).collect()
}

type Headers = Vec<(String, String)>;

fn request(target: &str, headers: Headers) -> Request<Body> {
    let mut request = Request::get(target).body(Body::default()).expect("a request");
    if target == "/auth/signout" {
        *request.method_mut() = Method::POST;
    }
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost:3000"));
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("text/html"));
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a header name");
        request.headers_mut().append(name, HeaderValue::try_from(value).expect("a header value"));
    }
    request
}

fn one(name: &str, value: String) -> Headers {
    vec![(name.to_owned(), value)]
}

/// Returns requests of about `size` bytes, each large in another part that an unknown client controls.
fn requests(size: usize) -> Vec<(String, At, Request<Body>)> {
    let mut requests = Vec::new();
    for at in [At::Https, At::Loopback] {
        let mut add = |target: &str, headers: Headers, what: &str| {
            requests.push((format!("{at:?} {target:.40} {what}"), at, request(target, headers)));
        };
        with_cookies(at.session(), size, &mut add);
        with_headers(at.session(), size, &mut add);
        with_addresses(size, &mut add);
    }
    requests
}

fn with_cookies(name: &str, size: usize, add: &mut impl FnMut(&str, Headers, &str)) {
    let cookies = [
        format!("{name}#=; "),
        format!("{name}_signin_#AAA=; "),
        format!("{name}_signin_#AAA={}; ", "A".repeat(500)),
        format!("x{name}=x {name}=x"),
        "; = ".to_owned(),
    ];
    for target in ["/", "/auth/signin", "/auth/callback?state=00002AAAx&code=c", "/auth/signout"] {
        for words in &cookies {
            let cookies = many(words, size);
            add(target, one("cookie", cookies.concat()), &format!("cookies {words:.40}"));
            let each = cookies.into_iter().map(|cookie| ("cookie".to_owned(), cookie));
            add(target, each.collect(), &format!("a header for each {words:.40}"));
        }
        add(target, one("cookie", format!("a=1;{}{name}=x", " ".repeat(size))), "blanks before a cookie");
    }
}

fn with_headers(name: &str, size: usize, add: &mut impl FnMut(&str, Headers, &str)) {
    for words in ["a,", "a.", "%C3%A9", "xn--4ca.", "xn--4ca", "@", ":"] {
        for name in ["x-forwarded-host", "host"] {
            let value = words.repeat(size / words.len());
            add("/auth/signin", one(name, value), &format!("{name}: {words}"));
        }
    }
    for name in ["accept", "origin", "sec-fetch-mode", "sec-purpose", "x-#"] {
        for target in ["/", "/auth/signin", "/auth/signout"] {
            let each = many(name, size).into_iter().map(|name| (name, "text/htm".to_owned()));
            add(target, each.collect(), &format!("many {name}"));
            add(target, one(&name.replace('#', "a"), "text/htm".repeat(size / 8)), &format!("a long {name}"));
        }
    }
    let mut upgrade = one("cookie", format!("{name}={}", "A".repeat(43)));
    upgrade.push(("upgrade".to_owned(), "websocket".to_owned()));
    for name in many("x-#", size / 6) {
        upgrade.push(("origin".to_owned(), "http://localhost:3000".to_owned()));
        upgrade.push((name, "a".to_owned()));
    }
    add("/", upgrade, "an upgrade with many origins");
}

fn with_addresses(size: usize, add: &mut impl FnMut(&str, Headers, &str)) {
    for words in ["/a", "%22", "%25", "/.", "%C3%A9"] {
        for start in ["/", "/static/", "/x?", "/auth/signin?return_to=/"] {
            add(&format!("{start}{}", words.repeat(size / words.len())), Vec::new(), "a long address");
        }
    }
    for start in ["/auth/signin?", "/auth/callback?"] {
        // The longest allowed query, and a longer one.
        for size in [size / 5, size] {
            add(&format!("{start}{}", many("a#=b&", size).concat()), Vec::new(), "many parameters");
        }
    }
}

/// Callgrind counts the instructions in this function.
#[inline(never)]
fn counted(app: App, request: Request<Body>) {
    app.oneshot(request).now_or_never().expect("it waits for nothing").expect("the app answers");
}

fn be_counted(size: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let [https, loopback] = [At::Https, At::Loopback].map(|at| {
        let app = at.app();
        // The first request loads the provider's metadata.
        let first = runtime.block_on(app.clone().oneshot(request("/auth/signin", Vec::new())));
        assert!(first.expect("the app answers").status().is_redirection());
        app
    });
    let _context = runtime.enter();
    for (_, at, request) in requests(size) {
        counted(if matches!(at, At::Https) { https.clone() } else { loopback.clone() }, request);
    }
}

#[test]
fn s74_work_for_unknown_visitors_is_linear_in_the_request() {
    if let Some(size) = instructions_argument() {
        return be_counted(size);
    }
    let [small, large] = instructions(concat!(module_path!(), "::counted"), [SMALL, LARGE]);
    let names: Vec<_> = requests(SMALL).into_iter().map(|(name, ..)| name).collect();
    assert_eq!((small.len(), large.len()), (names.len(), names.len()));
    let grown: Vec<_> = names
        .iter()
        .zip(small.into_iter().zip(large))
        .filter(|(_, (small, large))| !is_linear(*small, *large))
        .map(|(name, (small, large))| format!("{name}: {small}, twice as large {large}"))
        .collect();
    assert!(grown.is_empty(), "{grown:#?}");
}
