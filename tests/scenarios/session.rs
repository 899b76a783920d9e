//! A session's life: how it begins, what it is known by, and when it ends.

mod clock_jumps;
mod deliveries;
mod identity;
mod leftovers;
mod life;
mod memory;
mod pending;
mod strangers;
