//! The provider: its metadata, how the client authenticates, registration, revocation.

mod client;
mod metadata;
mod registration;
mod shared_registration;
