//! Checks the layer's session records in every order of events.
//!
//! `record` is the layer's own source file. `node` calls its functions as the layer's `sessions/lease`, `settle`, `stored` and
//! `ending` do. The checker (stateright) then visits every state that a configuration of `model` can reach, within the bounds
//! that it names, and checks the `properties` in each.
//!
//! Run it with `cargo test --release -p osc-checker --test checker -- --nocapture --test-threads=1`. It prints the number of states
//! and the time of each configuration. On two cores in 2026:
//!
//! | configuration | bounds beside two nodes, one refresh, four ticks | states | seconds |
//! |---|---|---|---|
//! | `no_fault` | | 150,000 | 1 |
//! | `two_refreshes` | two refreshes | 1.5 million | 7 |
//! | `three_nodes` | three nodes, two ticks | 640,000 | 5 |
//! | `an_outage_of_the_store` | no answer from tick 1 to 4, seven ticks, no node is ever frozen | 960 | 0 |
//! | `a_slow_read` | one | 2.1 million | 8 |
//! | `a_lost_reply` | one reply of the store | 2.5 million | 9 |
//! | `a_lost_answer` | one answer of the provider | 750,000 | 2 |
//! | `a_crash` | one | 1.6 million | 5 |
//! | `a_sign_out` | one, or a sign-in that replaces the session; three ticks | 1.6 million | 6 |
//! | `an_ending_by_somebody_without_the_id` | one | 1.3 million | 7 |
//! | `an_expiry_and_a_use` | expiry at tick 2, one reported use | 480,000 | 2 |
//! | `a_store_that_is_set_back` | one return to any earlier state, two refreshes, one tick | 2.4 million | 12 |
//! | `a_set_back_and_a_sign_out` | one of each, one tick | 2.4 million | 9 |
//!
//! `every_guard_is_needed` takes out one guard of `guard` at a time, and expects the property that it protects to break.
//!
//! # Time
//!
//! A tick is ten seconds. A lease lasts three ticks, the provider answers within one, and the pause after a takeover takes one. A
//! node may be frozen at any step, for any number of ticks, except between two lines of code that do no I/O.
//!
//! # Not modelled
//!
//! - A freeze between the confirmation of a lease and the request that follows at once. It can spend a refresh token twice. No
//!   protocol between node and store prevents it, because the provider does not know the lease (row 51 of SECURITY.md).
//! - The second try after a lost answer, which relies on the provider's seconds of grace. Here a lost answer loses the tokens.
//! - Clocks that jump. A node's estimate of the store's time may be early, by a tick, but never late.
//! - A refusal without the lease. It takes the freeze named first. The scenarios of row 50 test it.
//! - A node that begins a refresh while it still releases the lease of its last one. Both run under different owners.
//! - The revocation of tokens by an ending without the session's id, because only the id opens the record.
//! - Cookies, sealing, limits and back-off. They decide whether a node begins a refresh, which here happens at any time.

mod checks;
mod clock;
mod guard;
mod model;
mod node;
mod properties;
// Some of its functions are for the layer alone.
#[allow(dead_code)]
#[path = "../../../osc-auth-layer/src/sessions/record.rs"]
mod record;
mod state;
