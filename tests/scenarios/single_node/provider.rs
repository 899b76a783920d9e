//! The provider: its metadata, client authentication, registration, revocation.

mod client;
mod metadata;
mod registration;
