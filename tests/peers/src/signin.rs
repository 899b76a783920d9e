//! Measures a sign-in: the redirect to the provider, the callback and the exchange of the code. The figure is the
//! processor time of the app's process. The provider and the browser run in another.

use crate::apache;
use crate::browser::{App, Browser};
use crate::field::{Entrant, Field};
use crate::rounds::{Times, mark, order};

const ROUNDS: usize = 31;
const SIGN_INS: usize = 20;
/// In microseconds.
const AIM: f64 = 600.0;
const AIM_AGAINST_OIDC_CLIENT: f64 = 3.0;

pub(crate) async fn run() {
    let field = Field::start().await;
    let entrants = field.entrants();
    let mut times = Times::new(entrants.len());
    // The first round opens connections, and does not count.
    for round in 0..=ROUNDS {
        for place in order(round, entrants.len()) {
            let Entrant { process, provider, sign_in, .. } = entrants[place];
            let app = App::at(process.port);
            let before = process.time();
            for _ in 0..SIGN_INS {
                Browser::new(app.clone()).sign_in(provider, sign_in).await;
            }
            if round > 0 {
                times.note(place, process.time().saturating_sub(before), SIGN_INS);
            }
        }
    }
    println!(
        "| contender | µs | quartiles | relative | checks an ID token (RS256) | aim |\n|---|---|---|---|---|---|"
    );
    for (place, Entrant { name, id_token, .. }) in entrants.iter().enumerate() {
        let [low, middle, high] = times.quartiles(place).map(|time| time / 1e3);
        let ratio = times.ratio(place, 0);
        let aim = match place {
            0 => mark(format!("≤ {AIM:.0} µs"), middle <= AIM),
            1 => {
                mark(format!("≥ {AIM_AGAINST_OIDC_CLIENT:.0} × the layer"), ratio >= AIM_AGAINST_OIDC_CLIENT)
            }
            _ => String::new(),
        };
        println!("| {name} | {middle:.0} | {low:.0} to {high:.0} | {ratio:.2} | {id_token} | {aim} |");
    }
    if field.apache.is_none() {
        println!("| {} | not installed | | | | |", apache::NAME);
    }
}
