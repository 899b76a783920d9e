//! Every configuration error is in the guide, with its settings, and no other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprCall, ExprClosure, ExprForLoop, ExprMethodCall, ExprPath, ImplItemFn, ItemConst, Local,
};

use super::texts::{Binding, Scopes};
use super::{assert_same, pages};
use crate::project::sources::{self, Source};

const PAGE: &str = "answers";
/// The problem of a setting that is missing.
const NOT_SET: &str = "is not set";
/// Stands for a setting that the code passes on as a variable.
const ANY: &str = "any variable";

/// A problem and its remedy.
type Text = (String, String);

/// Walks through a file, keeps track of the names in scope, and collects the errors that are made.
struct ConfigErrors<'s> {
    path: &'s str,
    scopes: Scopes,
    /// The texts that a function such as `PublicUrl::parse` returns as errors.
    failures: &'s HashMap<String, Vec<String>>,
    found: BTreeMap<Text, BTreeSet<String>>,
}

impl ConfigErrors<'_> {
    fn add(&mut self, settings: &Expr, problem: Option<&Expr>, remedy: &Expr) {
        let settings = self.scopes.texts(settings).unwrap_or_else(|| vec![ANY.to_owned()]);
        let problems = problem.map_or_else(|| vec![NOT_SET.to_owned()], |problem| self.shown(problem));
        for remedy in self.shown(remedy) {
            for problem in &problems {
                let entry = self.found.entry((problem.clone(), remedy.clone())).or_default();
                entry.extend(settings.iter().cloned());
            }
        }
    }

    fn shown(&self, expr: &Expr) -> Vec<String> {
        let texts = self.scopes.texts(expr);
        texts.unwrap_or_else(|| {
            panic!("{}: write each text of a ConfigError as a literal near its use", self.path)
        })
    }

    /// Walks through a closure's body with its parameters bound to what a call passes.
    fn call_closure(&mut self, name: &str, closure: &ExprClosure, arguments: Vec<Binding>) {
        self.scopes.push();
        // A closure may call a function of its own name, but never itself.
        self.scopes.bind(name.to_owned(), Binding::Unknown);
        let arguments = arguments.into_iter().chain(std::iter::repeat(Binding::Unknown));
        for (parameter, argument) in closure.inputs.iter().zip(arguments) {
            self.scopes.bind_all(parameter, &argument);
        }
        self.visit_expr(&closure.body);
        self.scopes.pop();
    }
}

impl Visit<'_> for ConfigErrors<'_> {
    fn visit_block(&mut self, block: &Block) {
        self.scopes.push();
        visit::visit_block(self, block);
        self.scopes.pop();
    }

    fn visit_item_const(&mut self, item: &ItemConst) {
        let binding = self.scopes.binding(&item.expr);
        self.scopes.bind(item.ident.to_string(), binding);
    }

    fn visit_local(&mut self, local: &Local) {
        let value = local.init.as_ref().map(|init| &*init.expr);
        let binding = value.map_or(Binding::Unknown, |value| self.scopes.binding(value));
        // The body of a closure counts where the closure is called.
        if !matches!(binding, Binding::Closure(_)) {
            visit::visit_local(self, local);
        }
        self.scopes.bind_all(&local.pat, &binding);
    }

    fn visit_expr_for_loop(&mut self, each: &ExprForLoop) {
        self.scopes.push();
        self.scopes.bind_each(&each.pat, &each.expr);
        self.visit_block(&each.body);
        self.scopes.pop();
    }

    /// A closure that is passed on by its name, as in `map(parse)`.
    fn visit_expr_path(&mut self, path: &ExprPath) {
        let name = joined(path);
        if let Some(Binding::Closure(closure)) = self.scopes.get(&name).cloned() {
            self.call_closure(&name, &closure, Vec::new());
        }
    }

    fn visit_expr_closure(&mut self, closure: &ExprClosure) {
        self.call_closure("", closure, Vec::new());
    }

    /// In `Type::function(…).map_err(|problem| …)`, `problem` is one of the function's errors.
    fn visit_expr_method_call(&mut self, call: &ExprMethodCall) {
        let failures = match &*call.receiver {
            Expr::Call(function) if call.method == "map_err" => self.failures.get(&name(&function.func)),
            _ => None,
        };
        match (failures, call.args.first()) {
            (Some(failures), Some(Expr::Closure(closure))) => {
                self.call_closure("", closure, vec![Binding::Texts(failures.clone())]);
            }
            _ => visit::visit_expr_method_call(self, call),
        }
    }

    fn visit_expr_call(&mut self, call: &ExprCall) {
        let arguments: Vec<_> = call.args.iter().collect();
        match (name(&call.func).as_str(), arguments.as_slice()) {
            ("ConfigError::missing", [setting, remedy]) => self.add(setting, None, remedy),
            ("ConfigError::invalid", [setting, problem, remedy]) => self.add(setting, Some(problem), remedy),
            (name, _) => {
                if let Some(Binding::Closure(closure)) = self.scopes.get(name).cloned() {
                    let arguments = arguments.iter().map(|argument| self.scopes.binding(argument)).collect();
                    self.call_closure(name, &closure, arguments);
                }
            }
        }
        call.args.iter().for_each(|argument| self.visit_expr(argument));
    }

    fn visit_expr_struct(&mut self, made: &syn::ExprStruct) {
        let kind = made.path.segments.first().map(|segment| segment.ident.to_string());
        let help = "call ConfigError::missing or ConfigError::invalid, so that this test finds the error";
        assert_ne!(kind.as_deref(), Some("ConfigError"), "{}: {help}", self.path);
        visit::visit_expr_struct(self, made);
    }
}

/// The texts that functions return in `Err(…)` and `.map_err(|_| …)`, by `Type::function`.
#[derive(Default)]
struct Failures {
    of: String,
    function: String,
    texts: HashMap<String, Vec<String>>,
}

impl Failures {
    fn add(&mut self, expr: &Expr) {
        if let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = expr {
            self.texts.entry(self.function.clone()).or_default().push(text.value());
        }
    }
}

impl Visit<'_> for Failures {
    fn visit_item_impl(&mut self, item: &syn::ItemImpl) {
        if let syn::Type::Path(path) = &*item.self_ty {
            self.of = path.path.segments.last().map(|name| name.ident.to_string()).unwrap_or_default();
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_impl_item_fn(&mut self, function: &ImplItemFn) {
        self.function = format!("{}::{}", self.of, function.sig.ident);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_expr_call(&mut self, call: &ExprCall) {
        if let ("Err", Some(error)) = (name(&call.func).as_str(), call.args.first()) {
            self.add(error);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_closure(&mut self, closure: &ExprClosure) {
        self.add(&closure.body);
        visit::visit_expr_closure(self, closure);
    }
}

fn name(function: &Expr) -> String {
    if let Expr::Path(path) = function { joined(path) } else { String::new() }
}

fn joined(path: &ExprPath) -> String {
    let segments: Vec<_> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    segments.join("::")
}

/// The constants of a file and of its parent modules: `super::SETTING` names one of those.
fn constants(source: &Source, all: &[Source]) -> Scopes {
    let mut scopes = Scopes::default();
    let is_parent = |other: &&Source| {
        other.path.strip_suffix("mod.rs").is_some_and(|folder| source.path.starts_with(folder))
    };
    for source in all.iter().filter(is_parent).chain([source]) {
        scopes.push();
        for item in &source.file.items {
            if let syn::Item::Const(item) = item {
                let binding = scopes.binding(&item.expr);
                scopes.bind(item.ident.to_string(), binding);
            }
        }
    }
    scopes
}

#[test]
fn every_configuration_error_is_in_the_guide() {
    let all = sources::layer();
    let mut failures = Failures::default();
    all.iter().for_each(|source| failures.visit_file(&source.file));
    let mut code = BTreeMap::<Text, BTreeSet<String>>::new();
    for source in &all {
        let (path, scopes) = (&*source.path, constants(source, &all));
        let mut errors = ConfigErrors { path, scopes, failures: &failures.texts, found: BTreeMap::new() };
        errors.visit_file(&source.file);
        for (text, settings) in errors.found {
            code.entry(text).or_default().extend(settings);
        }
    }

    let mut guide = BTreeMap::<Text, BTreeSet<String>>::new();
    for item in pages::items(PAGE, "## Configuration errors") {
        for (settings, problem, remedy) in parse(&item, code.keys()) {
            guide.entry((problem, remedy)).or_default().extend(settings.clone());
        }
    }
    assert_same(PAGE, &code.keys().collect(), &guide.keys().collect());
    for (text, settings) in &guide {
        assert!(settings.is_subset(&code[text]), "{text:?} is about {:?}, not {settings:?}", code[text]);
    }
    let settings = |errors: &BTreeMap<Text, BTreeSet<String>>| errors.values().flatten().cloned().collect();
    assert_same(PAGE, &settings(&code), &settings(&guide));
}

/// Reads an item such as `a, b is 0; is 1. Use 2.`: settings, problems and their remedy. Only the texts in the code say
/// where the one ends and the next begins.
fn parse<'c>(item: &str, code: impl Iterator<Item = &'c Text>) -> Vec<(BTreeSet<String>, String, String)> {
    let ending =
        |(_, remedy): &&Text| item.strip_suffix(remedy.as_str()).is_some_and(|rest| rest.ends_with(". "));
    let possible: Vec<_> = code.filter(ending).collect();
    let longest = possible.iter().map(|(_, remedy)| remedy.len()).max();
    let possible: Vec<_> = possible.into_iter().filter(|(_, remedy)| Some(remedy.len()) == longest).collect();
    let Some((_, remedy)) = possible.first() else { panic!("no error in the code has this remedy: {item}") };
    let mut rest = item.strip_suffix(remedy.as_str()).unwrap_or_default().trim_end_matches(". ");
    let mut problems = Vec::new();
    let last = |rest: &str| {
        possible
            .iter()
            .filter(|(problem, _)| rest.ends_with(problem))
            .max_by_key(|(problem, _)| problem.len())
    };
    while let Some((problem, _)) = last(rest) {
        rest = rest.strip_suffix(problem.as_str()).unwrap_or_default().trim_end_matches([';', ' ']);
        problems.push(problem.clone());
    }
    assert!(!problems.is_empty(), "no error in the code has this problem: {item}");
    let settings: BTreeSet<_> = rest.split(", ").map(str::to_owned).collect();
    problems.into_iter().map(|problem| (settings.clone(), problem, remedy.clone())).collect()
}
