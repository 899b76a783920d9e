//! The tools for the tests of apps: `test-util` and the mock's sign-in.

mod clock;
mod messages;
mod sign_in;
