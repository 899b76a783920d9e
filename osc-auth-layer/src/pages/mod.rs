//! The layer's pages: their contents, their languages and their look. Knows no refusal.

mod built_in;
mod language;
mod page;

pub(crate) use self::built_in::{POLICY, render};
pub(crate) use self::language::Language;
pub(crate) use self::page::{Action, Page};
