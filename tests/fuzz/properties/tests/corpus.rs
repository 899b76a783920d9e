//! Replays the corpora of the fuzz targets.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use super::PROPERTIES;

const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz");

#[test]
fn the_corpora_of_the_fuzz_targets_hold() {
    let fuzz = Path::new(FUZZ);
    for (name, property) in PROPERTIES {
        let inputs = std::fs::read_dir(fuzz.join("corpus").join(name));
        let inputs = inputs.unwrap_or_else(|error| panic!("the corpus of {name}: {error}"));
        let mut replayed = 0;
        for input in inputs {
            let path = input.unwrap().path();
            println!("{}", path.display());
            property(&std::fs::read(path).unwrap());
            replayed += 1;
        }
        assert!(replayed > 0, "the corpus of {name} is empty");
    }
}

#[test]
fn every_property_has_its_fuzz_target() {
    let fuzz = Path::new(FUZZ);
    let stems = |folder: &str| -> BTreeSet<_> {
        let entries = std::fs::read_dir(fuzz.join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned()).collect()
    };
    assert_eq!(stems("targets"), stems("corpus"));
    for (name, _) in PROPERTIES {
        assert!(stems("targets").contains(OsStr::new(name)), "{name}");
    }
}
