//! The app of the browser matrix: pages that navigate in every way, in front of a mock of Open Source Cloud.
//!
//! `navigation-app [OPTION…]` prints the app's address and the address at which a test steers it. The files of
//! `tests/browser/pages` and some of `tests/browser/node_modules` are public.
//!
//! | option | effect |
//! |---|---|
//! | `--redirect` | visitors are sent straight to sign-in |
//! | `--consents-after MILLISECONDS` | the provider consents after this delay, without a page |
//! | `--http2` | browsers reach the app by HTTP/2 over TLS |
//! | `--name NAME`, `--color COLOR` | the name and the colour of the layer's pages |
//! | `--own-pages` | the app renders the layer's pages |

mod controls;
mod pages;

use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_auth_layer::{OAuthClient, OscAuthLayer};
use osc_tests::{Certificates, RunningClock, TlsFront};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::pages::Events;

type AnyError = Box<dyn std::error::Error>;

/// The options of one run.
#[derive(Default)]
struct Options {
    redirects: bool,
    /// `None` means that the provider shows its consent page.
    consents_after: Option<Duration>,
    /// The browser reaches the app by HTTP/2 over TLS.
    http2: bool,
    name: Option<String>,
    color: Option<String>,
    own_pages: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let run = match options(std::env::args().skip(1)) {
        Some(options) => run(options).await,
        None => Err("The options are listed at the beginning of tests/navigation/main.rs.".into()),
    };
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--redirect" => options.redirects = true,
            "--http2" => options.http2 = true,
            "--name" => options.name = Some(arguments.next()?),
            "--color" => options.color = Some(arguments.next()?),
            "--own-pages" => options.own_pages = true,
            "--consents-after" => {
                options.consents_after = Some(Duration::from_millis(arguments.next()?.parse().ok()?));
            }
            _ => return None,
        }
    }
    Some(options)
}

async fn run(options: Options) -> Result<(), AnyError> {
    // By default, the mock admits redirect URIs by plain http only.
    let osc = if options.http2 { MockOsc::builder().loose_redirect_uris() } else { MockOsc::builder() };
    let osc = match options.consents_after {
        None => osc.start().await?,
        Some(_) => osc.auto_consent("ada").start().await?,
    };
    if let Some(delay) = options.consents_after.filter(|delay| !delay.is_zero()) {
        let _ = osc.fault(Endpoint::Authorize, Fault::Latency(delay));
    }
    let clock = RunningClock::default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let certificates = options.http2.then(Certificates::new);
    let front = match &certificates {
        Some(certificates) => Some(TlsFront::http2(certificates, address).await),
        None => None,
    };
    let home = match &front {
        Some(front) => format!("https://localhost:{}", front.port()),
        None => format!("http://localhost:{}", address.port()),
    };
    let auth = OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
        .platform(osc.platform())
        .public_url(&home)
        .public_path("/")
        .public_path("/session.js")
        .public_prefix("/open")
        .clock(clock.clone());
    let auth = if options.redirects { auth.redirect_to_signin() } else { auth };
    let auth = if let Some(name) = options.name { auth.app_name(name) } else { auth };
    let auth = if let Some(color) = options.color { auth.app_color(color) } else { auth };
    let auth = if options.own_pages { auth.page_renderer(pages::own_page) } else { auth };
    let events = Events::default();
    let app: Router = pages::routes(events.clone()).layer(auth.build()?);

    let steering = TcpListener::bind("127.0.0.1:0").await?;
    println!("APP={home}");
    println!("CONTROLS=http://{}", steering.local_addr()?);
    let controls = axum::serve(steering, controls::routes(osc, clock, events));
    let app = axum::serve(listener, app);
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        served = async { tokio::try_join!(controls.into_future(), app.into_future()) } => served.map(|_| ())?,
        _ = terminated.recv() => {}
    }
    Ok(())
}
