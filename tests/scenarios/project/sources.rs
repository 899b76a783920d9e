//! Source files, parsed and without their tests.

use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, File, Item};

/// A parsed source file. Its `path` is relative to the repository.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) file: File,
}

/// Returns the layer's source files, without unit tests and property tests.
pub(crate) fn layer() -> Vec<Source> {
    let paths = below("osc-auth-layer/src");
    paths.iter().filter(|path| !is_of_tests(path)).map(|path| read(path)).collect()
}

/// Returns one source file.
pub(crate) fn one(path: &str) -> Source {
    read(&repository().join(path))
}

pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the text of all source files in a folder, tests included.
pub(crate) fn text_below(folder: &str) -> String {
    below(folder).iter().map(|path| fs::read_to_string(path).expect("a source is text")).collect()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the paths of all source files in a folder of the repository.
fn below(folder: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    collect(&repository().join(folder), &mut paths);
    paths
}

/// Returns true for a file or a folder of unit tests.
fn is_of_tests(path: &Path) -> bool {
    let path = path.strip_prefix(repository()).unwrap_or(path);
    path.iter().any(|part| Path::new(part).file_stem().is_some_and(|stem| stem == "tests"))
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("a folder can be read").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn read(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.items.retain(|item| !matches!(item, Item::Mod(module) if is_test(&module.attrs)));
    let path = path.strip_prefix(repository()).unwrap_or(path).display().to_string();
    Source { path, file }
}

fn is_test(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| {
        let condition = attribute.path().is_ident("cfg").then(|| attribute.parse_args::<syn::Path>());
        condition.is_some_and(|condition| condition.is_ok_and(|name| name.is_ident("test")))
    };
    attributes.iter().any(is_test)
}
