//! The texts that an expression can have, as far as the source shows them.

use std::collections::HashMap;

use syn::visit::{self, Visit};
use syn::{Expr, ExprClosure, ExprLit, ExprMacro, ExprPath, ExprTuple, Lit, LitStr, Pat, Token};

/// The meaning of a name.
#[derive(Clone)]
pub(super) enum Binding {
    /// One of these texts.
    Texts(Vec<String>),
    Closure(ExprClosure),
    /// The value of an expression, such as an array of pairs.
    Other(Expr),
    Unknown,
}

/// The names in scope, the innermost scope last.
#[derive(Clone, Default)]
pub(super) struct Scopes(Vec<HashMap<String, Binding>>);

impl Scopes {
    pub(super) fn push(&mut self) {
        self.0.push(HashMap::new());
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    pub(super) fn bind(&mut self, name: String, binding: Binding) {
        if let Some(scope) = self.0.last_mut() {
            scope.insert(name, binding);
        }
    }

    /// Binds every name in `pattern`.
    pub(super) fn bind_all(&mut self, pattern: &Pat, binding: &Binding) {
        let mut names = Names::default();
        names.visit_pat(pattern);
        for name in names.0 {
            self.bind(name, binding.clone());
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Binding> {
        self.0.iter().rev().find_map(|scope| scope.get(name))
    }

    /// Returns the binding of a `let` or `const` with this value.
    pub(super) fn binding(&self, value: &Expr) -> Binding {
        match value {
            Expr::Closure(closure) => Binding::Closure(closure.clone()),
            _ => match self.texts(value) {
                Some(texts) => Binding::Texts(texts),
                None => Binding::Other(value.clone()),
            },
        }
    }

    /// Returns the texts that `expr` can have. `None` if the source does not show them.
    pub(super) fn texts(&self, expr: &Expr) -> Option<Vec<String>> {
        match expr {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(vec![text.value()]),
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => Some(vec![number.base10_digits().to_owned()]),
            Expr::Reference(reference) => self.texts(&reference.expr),
            Expr::Paren(paren) => self.texts(&paren.expr),
            Expr::Path(path) => match self.get(&last_segment(path)?)? {
                Binding::Texts(texts) => Some(texts.clone()),
                _ => None,
            },
            Expr::Macro(ExprMacro { mac, .. }) if mac.path.is_ident("format") => {
                let template = mac.parse_body_with(|input: syn::parse::ParseStream<'_>| {
                    let template: LitStr = input.parse()?;
                    let _: Option<Token![,]> = input.parse()?;
                    let _: proc_macro2::TokenStream = input.parse()?;
                    Ok(template)
                });
                Some(self.filled(&template.ok()?.value()))
            }
            _ => None,
        }
    }

    /// Fills the placeholders of a template whose names are bound to texts. The others become `…`.
    fn filled(&self, template: &str) -> Vec<String> {
        let mut parts = template.split('{');
        let mut filled = vec![parts.next().unwrap_or_default().to_owned()];
        for part in parts {
            let (placeholder, rest) = part.split_once('}').unwrap_or(("", part));
            let name = placeholder.split(':').next().unwrap_or_default();
            let texts = match self.get(name) {
                Some(Binding::Texts(texts)) => texts.clone(),
                _ => vec!["…".to_owned()],
            };
            let extend = |start: &String| texts.iter().map(|text| format!("{start}{text}{rest}")).collect();
            filled = filled.iter().flat_map::<Vec<_>, _>(extend).collect();
        }
        filled
    }

    /// Binds the names of a loop's pattern. In a pattern of several parts, each part stands for the texts at its place in
    /// the tuples that the loop goes through.
    pub(super) fn bind_each(&mut self, pattern: &Pat, each: &Expr) {
        let mut tuples = Tuples { scopes: self, found: Vec::new(), names: Vec::new() };
        tuples.visit_expr(each);
        let tuples = tuples.found;
        let Pat::Tuple(parts) = pattern else { return self.bind_all(pattern, &Binding::Unknown) };
        for (at, part) in parts.elems.iter().enumerate() {
            let elements = tuples.iter().filter(|tuple| tuple.elems.len() == parts.elems.len());
            let texts = elements.filter_map(|tuple| self.texts(&tuple.elems[at]));
            let texts: Vec<_> = texts.flatten().collect();
            let binding = if texts.is_empty() { Binding::Unknown } else { Binding::Texts(texts) };
            self.bind_all(part, &binding);
        }
    }
}

/// Finds the tuples in an expression and in what its names stand for.
struct Tuples<'s> {
    scopes: &'s Scopes,
    found: Vec<ExprTuple>,
    /// The names that were followed: `let urls = urls.iter()` names itself.
    names: Vec<String>,
}

impl Visit<'_> for Tuples<'_> {
    fn visit_expr_tuple(&mut self, tuple: &ExprTuple) {
        self.found.push(tuple.clone());
    }

    fn visit_expr_path(&mut self, path: &ExprPath) {
        let name = last_segment(path).unwrap_or_default();
        if let Some(Binding::Other(value)) = self.scopes.get(&name)
            && !self.names.contains(&name)
        {
            self.names.push(name);
            self.visit_expr(value);
        }
    }
}

#[derive(Default)]
struct Names(Vec<String>);

impl Visit<'_> for Names {
    fn visit_pat_ident(&mut self, pattern: &syn::PatIdent) {
        self.0.push(pattern.ident.to_string());
        visit::visit_pat_ident(self, pattern);
    }
}

fn last_segment(path: &ExprPath) -> Option<String> {
    path.path.segments.last().map(|segment| segment.ident.to_string())
}

/// Puts `…` in the place of each placeholder of a template.
pub(super) fn without_placeholders(template: &str) -> String {
    Scopes::default().filled(template).remove(0)
}
