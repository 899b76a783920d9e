//! Measures the cost of a signed-in request with a fresh token: time, heap allocations and memory.

use std::convert::Infallible;
use std::time::Duration;

use allocation_counter::measure;
use axum::Router;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, StatusCode};
use osc_auth_layer::OscAuthLayer;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tokio::runtime::Runtime;
use tower::ServiceExt;
use tower_service::Service;
use tower_sessions_14::MemoryStore;

use crate::contenders::Body;
use crate::memory;
use crate::peers::{login, oidc, oidc_1, oidc_client, ours, sessions, signed_in};
use crate::provider::Provider;
use crate::rounds::take_turns;
use crate::stage::{Stage, builder, drive, request, template, with_others};

const SESSIONS: usize = 1_000;
const ROUNDS: usize = 101;
const REQUESTS: usize = 500;

/// The positions of the bare app and the layer, the same in both settings.
const BARE: usize = 0;
const LAYER: usize = 2;

struct Contender<'a> {
    name: &'static str,
    run: Box<dyn FnMut(usize) + 'a>,
    /// The status of an answer to an unknown cookie.
    refusal: StatusCode,
    bytes: Option<f64>,
}

/// The apps of all contenders, with their users.
struct Apps {
    auth: OscAuthLayer,
    stage: Stage,
    sessions: sessions::Peer,
    login: login::Peer,
    oidc_client: (Router, Vec<HeaderValue>),
    oidc: (Router, Vec<HeaderValue>),
    oidc_store: MemoryStore,
    oidc_1: (Router, Vec<HeaderValue>),
    oidc_1_store: tower_sessions::MemoryStore,
}

impl Apps {
    async fn new() -> Self {
        let provider = Provider::start(Duration::from_secs(3600), Duration::ZERO).await;
        let auth = builder().build().expect("the layer builds");
        let stage = Stage::new(&auth, SESSIONS).await;
        let (sessions, login) = (sessions::Peer::new(SESSIONS).await, login::Peer::new(SESSIONS).await);
        let oidc_client = oidc_client::router(provider.issuer()).await;
        let cookies = signed_in(&oidc_client, &provider, oidc_client::SIGN_IN, SESSIONS).await;
        let oidc_client = (oidc_client, cookies);
        let oidc_store = MemoryStore::default();
        let oidc = oidc::router(provider.issuer(), oidc_store.clone()).await;
        let cookies = signed_in(&oidc, &provider, oidc::SIGN_IN, SESSIONS).await;
        let oidc = (oidc, cookies);
        let provider = Provider::with_userinfo(Duration::from_secs(3600), Duration::ZERO).await;
        let oidc_1_store = tower_sessions::MemoryStore::default();
        let oidc_1 = oidc_1::router(provider.issuer(), oidc_1_store.clone()).await;
        let cookies = signed_in(&oidc_1, &provider, oidc_1::SIGN_IN, SESSIONS).await;
        let oidc_1 = (oidc_1, cookies);
        Self { auth, stage, sessions, login, oidc_client, oidc, oidc_store, oidc_1, oidc_1_store }
    }
}

pub(crate) fn run(runtime: &Runtime) {
    let Apps { auth, stage, sessions, login, oidc_client, oidc, oidc_store, oidc_1, oidc_1_store } =
        runtime.block_on(Apps::new());
    // Not within a task: there, Tokio's budget makes a lock wait now and then.
    let _inside = runtime.enter();

    let (of_minimum, of_layer) = memory::ours(runtime);
    let of_sessions = memory::of_sessions(&sessions.store, &sessions.cookies[0], |_| memory::TOKENS);
    let of_login = memory::of_sessions_14(&login.store, &login.cookies[0], |_| 0);
    let mut id_token = 0;
    let of_oidc = memory::of_sessions_14(&oidc_store, &oidc.1[0], |data| {
        id_token = id_token_in(&data["axum-oidc"]);
        memory::TOKENS + id_token
    });
    let of_oidc_1 = memory::of_sessions(&oidc_1_store, &oidc_1.1[0], |data| {
        memory::TOKENS + id_token_in(&data[oidc_1::KEY]["Authenticated"])
    });
    let of_oidc_client = memory::of_oidc_client(id_token);

    let [session_cookies, login_cookies, oidc_client_cookies, oidc_cookies, oidc_1_cookies] =
        [&sessions.cookies, &login.cookies, &oidc_client.1, &oidc.1, &oidc_1.1]
            .map(|cookies| browsers(cookies));
    let ours_of = &stage.cookies;
    let minimum = ours::minimum(stage.minimum.sessions.clone());

    let services = vec![
        Contender::new("bare", stage.bare.clone(), ours_of, None),
        Contender::new("hand-written minimum", stage.minimum.clone(), ours_of, None),
        Contender::new("osc-auth-layer", stage.layer.clone(), ours_of, None),
        Contender::new("tower-sessions 0.15", sessions.service(), &session_cookies, None),
    ];
    let routers = vec![
        Contender::new("bare", ours::bare(), ours_of, None),
        Contender::new("hand-written minimum", minimum, ours_of, Some(of_minimum)),
        Contender::new("osc-auth-layer", ours::layer(auth), ours_of, Some(of_layer)),
        Contender::new("tower-sessions 0.15", sessions.router.clone(), &session_cookies, Some(of_sessions)),
        Contender::new("axum-login 0.18", login.router, &login_cookies, Some(of_login)),
        Contender::new("axum-oidc-client 0.7", oidc_client.0, &oidc_client_cookies, Some(of_oidc_client)),
        Contender::new("axum-oidc 0.6", oidc.0, &oidc_cookies, Some(of_oidc)),
        Contender::new("axum-oidc 1.0.0-dev-2", oidc_1.0, &oidc_1_cookies, Some(of_oidc_1)),
    ];
    println!(
        "| in | contender | ns | relative | net ns | relative | net allocations | bytes per session | \
         unknown cookie |\n|---|---|---|---|---|---|---|---|---|"
    );
    table("Tower service", services);
    table("axum router", routers);
}

impl<'a> Contender<'a> {
    /// Checks first that the contender serves its users and refuses an unknown cookie.
    fn new<S, B: 'a>(name: &'static str, service: S, cookies: &'a [HeaderValue], bytes: Option<f64>) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + 'a,
    {
        let template = template("/");
        let status = |cookie: &HeaderValue| {
            let answer = service.clone().oneshot(request(&template, Some(cookie))).now_or_never();
            let Some(Ok(answer)) = answer else { panic!("{name} makes a request wait") };
            answer.status()
        };
        for cookie in cookies {
            assert_eq!(status(cookie), StatusCode::OK, "{name}");
        }
        let refusal = status(&foreign(&cookies[0]));
        assert_eq!(refusal == StatusCode::OK, name == "bare", "{name}");
        Self { name, run: Box::new(drive(service, "/", cookies)), refusal, bytes }
    }
}

/// As a browser sends them, in an order of chance.
pub(crate) fn browsers(cookies: &[HeaderValue]) -> Vec<HeaderValue> {
    let mut cookies: Vec<_> = cookies.iter().map(with_others).collect();
    cookies.shuffle(&mut StdRng::seed_from_u64(1));
    cookies
}

/// Returns the same cookies with another session.
fn foreign(cookies: &HeaderValue) -> HeaderValue {
    let mut pairs: Vec<_> = cookies.to_str().expect("ASCII").split("; ").map(str::to_owned).collect();
    let at = pairs[1].find('=').expect("a cookie has a name") + 8;
    let other = if pairs[1][at..].starts_with('A') { "B" } else { "A" };
    pairs[1].replace_range(at..=at, other);
    pairs.join("; ").parse().expect("cookies are valid in a header")
}

fn id_token_in(session: &serde_json::Value) -> usize {
    let token = &session["authenticated"]["id_token"];
    token.as_str().expect("axum-oidc keeps the ID token").len()
}

fn table(setting: &str, mut contenders: Vec<Contender<'_>>) {
    let allocations: Vec<_> =
        contenders.iter_mut().map(|contender| allocations(&mut contender.run)).collect();
    let mut runs: Vec<&mut dyn FnMut(usize)> = Vec::new();
    for contender in &mut contenders {
        runs.push(&mut contender.run);
    }
    let times = take_turns(ROUNDS, REQUESTS, &mut runs);
    for (place, contender) in contenders.iter().enumerate() {
        let (name, refusal) = (contender.name, contender.refusal.as_u16());
        let bytes = contender.bytes.map(|bytes| format!("{bytes:.0}")).unwrap_or_default();
        let (time, ratio) = (times.median(place), times.ratio(place, LAYER));
        let (net, net_ratio, allocated) = match place {
            BARE => <(String, String, String)>::default(),
            _ => (
                format!("{:.0}", time - times.median(BARE)),
                format!("{:.2}", times.net_ratio(place, LAYER, BARE)),
                format!("{:.0}", allocations[place] - allocations[BARE]),
            ),
        };
        println!(
            "| {setting} | {name} | {time:.0} | {ratio:.2} | {net} | {net_ratio} | {allocated} | {bytes} \
             | {refusal} |"
        );
    }
}

fn allocations(run: &mut dyn FnMut(usize)) -> f64 {
    run(REQUESTS);
    measure(|| run(REQUESTS)).count_total as f64 / REQUESTS as f64
}
