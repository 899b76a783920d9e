//! Every error code and text of an answer is in the guide, and no other.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{ImplItemFn, ItemFn, ItemImpl, LitStr};

use super::texts::without_placeholders;
use super::{assert_same, pages};
use crate::project::sources;

const PAGE: &str = "answers";
/// The guide is in English, as the answers for programs are. The layer's own tests compare the other languages with it.
const ENGLISH: &str = "response/texts/en.rs";

#[derive(Default)]
struct Answers {
    path: String,
    of: String,
    /// Set inside the functions that return codes or texts.
    target: Option<Target>,
    codes: BTreeSet<String>,
    texts: BTreeSet<String>,
    kinds: BTreeSet<String>,
    outbound: BTreeSet<String>,
}

#[derive(Clone, Copy)]
enum Target {
    Code,
    Text,
    Kind,
    Outbound,
}

impl Answers {
    fn visit_for(&mut self, target: Option<Target>, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.target, target);
        visit(self);
        self.target = before;
    }

    /// Reads an answer that is written as JSON.
    fn read_json(&mut self, text: &str) {
        let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else { return };
        let field = |name: &str| json.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        self.codes.extend(field("error"));
        self.texts.extend(field("error_description"));
    }
}

impl Visit<'_> for Answers {
    /// Doc comments are attributes.
    fn visit_attribute(&mut self, _: &syn::Attribute) {}

    fn visit_item_impl(&mut self, item: &ItemImpl) {
        if let syn::Type::Path(path) = &*item.self_ty {
            self.of = path.path.segments.last().map(|name| name.ident.to_string()).unwrap_or_default();
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_impl_item_fn(&mut self, function: &ImplItemFn) {
        let target = match (self.of.as_str(), function.sig.ident.to_string().as_str()) {
            ("Refusal", "kind") => Some(Target::Code),
            ("ContextErrorKind", "name_and_status") => Some(Target::Kind),
            ("OutboundErrorKind", "name_and_status") => Some(Target::Outbound),
            _ => None,
        };
        self.visit_for(target, |answers| visit::visit_impl_item_fn(answers, function));
    }

    fn visit_item_fn(&mut self, function: &ItemFn) {
        let is_description = self.path.ends_with(ENGLISH) && function.sig.ident == "description";
        let target = is_description.then_some(Target::Text);
        self.visit_for(target, |answers| visit::visit_item_fn(answers, function));
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        if let Ok(text) = call.parse_body_with(|input: syn::parse::ParseStream<'_>| {
            let text: LitStr = input.parse()?;
            let _: proc_macro2::TokenStream = input.parse()?;
            Ok(text)
        }) {
            self.visit_lit_str(&text);
        }
    }

    fn visit_lit_str(&mut self, text: &LitStr) {
        let text = text.value();
        match self.target {
            Some(Target::Code) => _ = self.codes.insert(text),
            Some(Target::Text) => _ = self.texts.insert(without_placeholders(&unnamed(&text))),
            Some(Target::Kind) => _ = self.kinds.insert(text),
            Some(Target::Outbound) => _ = self.outbound.insert(text),
            None => self.read_json(&text),
        }
    }
}

/// Returns a text as people read it in an app without a name.
fn unnamed(template: &str) -> String {
    template.replace("{App}", "This app").replace("{app}", "this app")
}

#[test]
fn every_answer_is_in_the_guide() {
    let mut answers = Answers::default();
    for source in sources::layer() {
        answers.path = source.path;
        answers.visit_file(&source.file);
    }
    let rows = pages::rows::<4>(PAGE, "## Answers");
    let codes = rows.into_iter().map(|[_, code, ..]| code).collect();
    assert_same(PAGE, &answers.codes, &codes);

    let items = pages::items(PAGE, "## What the user reads");
    let quotations = items.iter().filter_map(|item| pages::quotation(item));
    let (named, texts): (BTreeSet<_>, BTreeSet<_>) = quotations
        .map(|(before, text)| {
            (before.split([':', ',']).next().unwrap_or_default().to_owned(), text.to_owned())
        })
        .unzip();
    assert_same(PAGE, &answers.codes, &named);
    assert_same(PAGE, &answers.texts, &texts);

    for (kinds, heading) in
        [(&answers.kinds, "## Errors of `OscContext`"), (&answers.outbound, "## Errors of `OutboundError`")]
    {
        let rows = pages::rows::<4>(PAGE, heading);
        let named = rows.into_iter().map(|[_, kind, ..]| kind).collect();
        assert_same(PAGE, kinds, &named);
    }
}
