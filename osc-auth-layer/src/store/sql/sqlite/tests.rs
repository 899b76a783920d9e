use std::path::PathBuf;

use super::*;

/// A directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("osc-auth-{}", crate::secret::random_token::<9>()));
        std::fs::create_dir(&directory).expect("a directory");
        Self(directory)
    }

    fn url(&self, file: &str) -> String {
        format!("sqlite://{}", self.0.join(file).display())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn error(url: &str) -> String {
    SqliteStore::from_url(url).expect_err(url).to_string()
}

#[test]
fn urls_that_name_no_file_are_refused() {
    for url in
        ["", "sessions.db", "file:sessions.db", "sqlite:", "sqlite::memory:", "sqlite://a.db?mode=memory"]
    {
        assert!(error(url).contains("Write it as sqlite:sessions.db"), "{url}: {}", error(url));
    }
    for url in ["sqlite:sessions.db", "sqlite://sessions.db", "sqlite:sessions.db?cache=private"] {
        assert!(SqliteStore::from_url(url).is_ok(), "{url}");
    }
}

#[test]
fn a_place_without_an_sqlite_file_is_refused() {
    let directory = Directory::new();
    assert!(error(&directory.url("none/a.db")).contains("a directory that does not exist"));
    assert!(error(&directory.url("")).contains("names a directory"));
    for contents in [&b"name,email\nAda,ada@example.com"[..], b"short", b"SQLite format 4\0"] {
        std::fs::write(directory.0.join("a.csv"), contents).expect("a file");
        assert!(error(&directory.url("a.csv")).contains("belongs to another program"));
    }
    std::fs::write(directory.0.join("empty.db"), "").expect("a file");
    assert!(SqliteStore::from_url(&directory.url("empty.db")).is_ok(), "SQLite makes an empty file itself");
}
