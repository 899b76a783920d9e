//! Measures a sign-in: the redirect to the provider, the callback and the exchange of the code. The figure is the
//! processor time of the app's process. The provider and the browser run in another.

use std::time::Duration;

use crate::apache::{self, Apache};
use crate::browser::{App, Browser};
use crate::peers::{oidc, oidc_1, oidc_client};
use crate::processes::{Kind, Process};
use crate::provider::Provider;
use crate::rounds::{Times, order};

const ROUNDS: usize = 31;
const SIGN_INS: usize = 20;
/// In microseconds.
const AIM: f64 = 600.0;
const AIM_AGAINST_OIDC_CLIENT: f64 = 3.0;

pub(crate) async fn run() {
    let hour = Duration::from_secs(3600);
    let plain = Provider::start(hour, Duration::ZERO).await;
    let with_userinfo = Provider::with_userinfo(hour, Duration::ZERO).await;
    let apache = Apache::start(plain.issuer()).await;

    let start = |kind, provider: &Provider| Process::start(kind, provider.issuer());
    let [layer, client, old, new] = [
        start(Kind::Layer, &plain),
        start(Kind::OidcClient, &plain),
        start(Kind::Oidc, &plain),
        start(Kind::Oidc1, &with_userinfo),
    ];
    let no = "no";
    let mut contenders = vec![
        ("osc-auth-layer", &layer, &plain, "/auth/signin", no),
        ("axum-oidc-client 0.7", &client, &plain, oidc_client::SIGN_IN, no),
        ("axum-oidc 0.6", &old, &plain, oidc::SIGN_IN, "yes"),
        (
            "axum-oidc 1.0.0-dev-2",
            &new,
            &with_userinfo,
            oidc_1::SIGN_IN,
            "yes, and asks for the user's claims",
        ),
    ];
    if let Some(apache) = &apache {
        contenders.push(("mod_auth_openidc", &apache.process, &plain, apache::SIGN_IN, "yes"));
    }

    let mut times = Times::new(contenders.len());
    // The first round opens connections, and does not count.
    for round in 0..=ROUNDS {
        for place in order(round, contenders.len()) {
            let (_, process, provider, path, _) = contenders[place];
            let app = App::at(process.port);
            let before = process.time();
            for _ in 0..SIGN_INS {
                Browser::new(app.clone()).sign_in(provider, path).await;
            }
            if round > 0 {
                times.note(place, process.time().saturating_sub(before), SIGN_INS);
            }
        }
    }
    println!(
        "| contender | µs | quartiles | relative | checks an ID token (RS256) | aim |\n|---|---|---|---|---|---|"
    );
    for (place, (name, .., checks)) in contenders.iter().enumerate() {
        let [low, middle, high] = times.quartiles(place).map(|time| time / 1e3);
        let ratio = times.ratio(place, 0);
        let aim = match place {
            0 => mark(format!("≤ {AIM:.0} µs"), middle <= AIM),
            1 => {
                mark(format!("≥ {AIM_AGAINST_OIDC_CLIENT:.0} × the layer"), ratio >= AIM_AGAINST_OIDC_CLIENT)
            }
            _ => String::new(),
        };
        println!("| {name} | {middle:.0} | {low:.0} to {high:.0} | {ratio:.2} | {checks} | {aim} |");
    }
    if apache.is_none() {
        println!("| mod_auth_openidc | not installed | | | | |");
    }
}

/// Marks a missed aim.
pub(crate) fn mark(aim: String, met: bool) -> String {
    if met { aim } else { format!("{aim} **missed**") }
}
