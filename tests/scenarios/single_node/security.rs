//! The rows of the security matrix that a whole sign-in shows.

mod cookies;
mod flow;
mod foreign_text;
mod leaks;
mod origin;
mod pending;
mod process;
mod provider;
mod requests;
mod session;
mod tokens;

use std::collections::HashSet;

/// Records the parts of a value that should be random. Returns true if all of them are new.
///
/// A time, a counter or a constant would repeat a part, and so would one random part that occurs twice.
fn is_random(value: &[u8], parts: &mut HashSet<Vec<u8>>) -> bool {
    let (whole, rest) = value.as_chunks::<8>();
    rest.is_empty() && whole.iter().all(|part| parts.insert(part.to_vec()))
}
