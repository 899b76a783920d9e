//! Mock OSC.
fn main() {}
