//! Every log line above `debug` is in the guide, and no other.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::LitStr;
use syn::visit::{self, Visit};

use super::texts::without_placeholders;
use super::{assert_same, pages};
use crate::project::sources;

const PAGE: &str = "answers";

#[derive(Default)]
struct LogLines {
    path: String,
    found: BTreeSet<(String, String)>,
}

impl Visit<'_> for LogLines {
    fn visit_macro(&mut self, call: &syn::Macro) {
        let name = call.path.segments.last().map(|name| name.ident.to_string()).unwrap_or_default();
        self.look_at(&name, &call.tokens);
        self.look_inside(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

impl LogLines {
    fn look_at(&mut self, name: &str, tokens: &TokenStream) {
        assert_ne!(
            name, "event",
            "{}: use info!, warn! or error!, so that this test finds the line",
            self.path
        );
        if matches!(name, "info" | "warn" | "error") {
            let message = message(tokens).unwrap_or_else(|| panic!("{}: no message: {tokens}", self.path));
            self.found.insert((name.to_owned(), without_placeholders(&message)));
        }
    }

    /// Macros such as `select!` have calls of other macros among their tokens.
    fn look_inside(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let TokenTree::Group(group) = token else { continue };
            if let [.., TokenTree::Ident(name), TokenTree::Punct(mark)] = &tokens[..at]
                && mark.as_char() == '!'
            {
                self.look_at(&name.to_string(), &group.stream());
            }
            self.look_inside(group.stream());
        }
    }
}

/// Returns the message: the first argument that is nothing but a string.
fn message(tokens: &TokenStream) -> Option<String> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
    tokens.split(is_comma).find_map(|argument| {
        let [TokenTree::Literal(literal)] = argument else { return None };
        syn::parse_str::<LitStr>(&literal.to_string()).ok().map(|text| text.value())
    })
}

#[test]
fn every_log_line_above_debug_is_in_the_guide() {
    let mut lines = LogLines::default();
    for source in sources::layer() {
        lines.path = source.path;
        lines.visit_file(&source.file);
    }
    let items = pages::items(PAGE, "## Log lines");
    let guide = items.iter().map(|item| {
        let (level, message) = pages::quotation(item).unwrap_or_else(|| panic!("no message: {item}"));
        (level.trim_matches([' ', '*']).to_owned(), message.to_owned())
    });
    let guide = guide.collect();
    assert_same(PAGE, &lines.found, &guide);
}
