//! The direction of imports among the layer's modules.

use std::collections::BTreeMap;

use syn::visit::Visit;
use syn::{Path, UseTree};

use crate::project::sources::{self, Source};

/// The modules of the layer, the highest first. A module may import only from those on the lines below its own.
const ORDER: &[&[&str]] = &[
    &["axum", "test_util"],
    &["layer"],
    &["service"],
    &["future"],
    &["body", "drain"],
    &["gate"],
    &["caching"],
    &["endpoints"],
    &["preflight", "response"],
    &["config"],
    &["outbound", "pages", "readiness", "request", "workspace"],
    &["sessions"],
    &["oauth", "store"],
    &["network"],
    &["flight"],
    &["tasks"],
    &["bells"],
    &["sweeper"],
    &["seldom"],
    &["error", "finding"],
    &["meter"],
    &["redact"],
    &["secret"],
    &["clock"],
];

#[test]
fn no_module_imports_from_one_above_it() {
    let ranks: BTreeMap<_, _> = ORDER
        .iter()
        .enumerate()
        .flat_map(|(rank, modules)| modules.iter().map(move |name| (*name, rank)))
        .collect();
    let mut upward = Vec::new();
    for source in sources::layer() {
        let Some(module) = module_of(&source).filter(|module| !["lib", "guide"].contains(module)) else {
            continue;
        };
        let rank = ranks.get(module).unwrap_or_else(|| panic!("{} has no place in the order", source.path));
        for import in imports(&source) {
            let is_below = ranks.get(import.as_str()).is_some_and(|other| other > rank);
            if !is_below && import != module {
                upward.push(format!("{} imports from crate::{import}", source.path));
            }
        }
    }
    assert!(upward.is_empty(), "imports that do not point downward:\n{}", upward.join("\n"));
}

#[test]
fn every_function_on_the_walks_through_the_source_exists() {
    let text = sources::text("CONTRIBUTING.md");
    let (_, walks) = text.split_once("Where to read, in order").expect("the walks");
    let (walks, _) = walks.split_once("\nDecisions").expect("their end");
    let steps: Vec<_> = walks.split('`').skip(1).step_by(2).collect();
    assert!(steps.len() > 15, "{steps:?}");
    for step in steps {
        let (file, function) = step.rsplit_once("::").expect("file::function");
        let source = sources::text(&format!("osc-auth-layer/src/{file}.rs"));
        let exists = ["(", "<"].iter().any(|end| source.contains(&format!("fn {function}{end}")));
        assert!(exists, "{step}");
    }
}

/// Returns the top-level module that a file belongs to.
fn module_of(source: &Source) -> Option<&str> {
    let inside = source.path.split("osc-auth-layer/src/").nth(1)?;
    Some(inside.split('/').next()?.trim_end_matches(".rs"))
}

/// Returns the first name after `crate` of each path in a file.
fn imports(source: &Source) -> Vec<String> {
    let mut imports = Imports::default();
    imports.visit_file(&source.file);
    imports.0.sort();
    imports.0.dedup();
    imports.0
}

#[derive(Default)]
struct Imports(Vec<String>);

impl Imports {
    fn note(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => self.0.push(path.ident.to_string()),
            UseTree::Name(name) => self.0.push(name.ident.to_string()),
            UseTree::Rename(rename) => self.0.push(rename.ident.to_string()),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.note(item)),
            UseTree::Glob(_) => self.0.push("*".to_owned()),
        }
    }
}

impl<'a> Visit<'a> for Imports {
    fn visit_use_tree(&mut self, tree: &'a UseTree) {
        if let UseTree::Path(path) = tree
            && path.ident == "crate"
        {
            self.note(&path.tree);
        }
    }

    fn visit_path(&mut self, path: &'a Path) {
        let mut segments = path.segments.iter();
        if segments.next().is_some_and(|first| first.ident == "crate")
            && let Some(module) = segments.next()
        {
            self.0.push(module.ident.to_string());
        }
        syn::visit::visit_path(self, path);
    }
}
