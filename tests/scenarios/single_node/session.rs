//! The life of a session: its start, its identity, and its end.

mod clock_jumps;
mod deliveries;
pub(crate) mod ended;
mod identity;
mod leftovers;
mod life;
mod memory;
mod pending;
mod strangers;
mod visitor;
