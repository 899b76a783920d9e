//! One refresh among all nodes, whichever of them stops in the middle.

mod clocks;
mod history;
mod single_flight;
mod takeover;
