//! Every environment variable, setter and feature is in the guide, and no other.

use std::collections::BTreeSet;

use syn::visit::Visit;
use syn::{ImplItem, Item, LitStr, Visibility};

use super::{assert_same, pages};
use crate::project::sources;

const PAGE: &str = "configuration";

#[derive(Default)]
struct Variables(BTreeSet<String>);

impl Visit<'_> for Variables {
    /// Doc comments are attributes.
    fn visit_attribute(&mut self, _: &syn::Attribute) {}

    fn visit_lit_str(&mut self, text: &LitStr) {
        let name = text.value();
        let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if name.len() > 1 && name.bytes().all(is_part) {
            self.0.insert(name);
        }
    }
}

fn variables(paths: &[&str]) -> BTreeSet<String> {
    let mut variables = Variables::default();
    paths.iter().for_each(|path| variables.visit_file(&sources::one(path).file));
    variables.0
}

/// Returns the public methods of a type that its file declares outside of traits.
fn methods(path: &str, of: &str) -> BTreeSet<String> {
    let file = sources::one(path).file;
    let impls = file.items.iter().filter_map(|item| match item {
        Item::Impl(item) if item.trait_.is_none() => Some(item),
        _ => None,
    });
    let own = impls.filter(|item| {
        matches!(&*item.self_ty, syn::Type::Path(path) if path.path.segments.last().is_some_and(|name| name.ident == of))
    });
    let methods = own.flat_map(|item| &item.items).filter_map(|item| match item {
        ImplItem::Fn(function) if matches!(function.vis, Visibility::Public(_)) => {
            Some(function.sig.ident.to_string())
        }
        _ => None,
    });
    methods.collect()
}

/// Returns the names in the first columns of the tables below a heading.
fn names<const COLUMNS: usize>(heading: &str) -> BTreeSet<String> {
    let rows = pages::rows::<COLUMNS>(PAGE, heading);
    let cells = rows.iter().flat_map(|row| row[0].split(", "));
    cells.map(str::to_owned).collect()
}

#[test]
fn every_environment_variable_is_in_the_guide() {
    let layer = variables(&["osc-auth-layer/src/config/env.rs"]);
    assert_same(PAGE, &layer, &names::<4>("## Environment variables"));
    let context = variables(&["osc-auth-layer/src/workspace/builder.rs"]);
    assert_same(PAGE, &context, &names::<3>("## Variables of `OscContext::from_env`"));
    let samples = variables(&["samples/app/src/setup.rs"]);
    let samples = samples.difference(&layer).cloned().collect();
    assert_same(PAGE, &samples, &names::<3>("## Variables of the samples"));
}

#[test]
fn every_setter_is_in_the_guide() {
    let files = ["builder/access", "builder/endpoints", "builder/provider", "builder/sessions", "pages"]
        .map(|file| format!("osc-auth-layer/src/config/{file}.rs"));
    let setters = files.iter().flat_map(|file| methods(file, "OscAuthLayerBuilder")).collect();
    assert_same(PAGE, &setters, &names::<3>("## Setters of `OscAuthLayerBuilder`"));
    let mut setters = methods("osc-auth-layer/src/drain.rs", "DrainLayer");
    setters.remove("new");
    assert_same(PAGE, &setters, &names::<3>("## Setters of `DrainLayer`"));
    for (path, store) in [
        ("osc-auth-layer/src/store/redis/mod.rs", "RedisStore"),
        ("osc-auth-layer/src/store/sql/postgres/mod.rs", "PostgresStore"),
        ("osc-auth-layer/src/store/sql/sqlite/mod.rs", "SqliteStore"),
    ] {
        assert_same(PAGE, &methods(path, store), &names::<3>(&format!("## Setters of `{store}`")));
    }
}

#[test]
fn every_feature_is_in_the_guide() {
    let manifest = sources::text("osc-auth-layer/Cargo.toml");
    let features = manifest.lines().skip_while(|line| *line != "[features]").skip(1);
    let features = features.take_while(|line| !line.starts_with('['));
    let features = features.filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect();
    assert_same(PAGE, &features, &names::<2>("## Features"));
}
