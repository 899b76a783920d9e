//! An SQLite file in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Row, TypeInfo, ValueRef};

/// The path of an SQLite file that the store makes. Dropping it removes the directory.
#[derive(Debug)]
pub struct SqliteFile {
    directory: PathBuf,
}

impl SqliteFile {
    /// Makes a new directory for the file.
    ///
    /// # Panics
    /// If the directory cannot be made.
    pub fn new() -> Self {
        let name = format!("osc-sqlite-{}-{:016x}", std::process::id(), rand::random::<u64>());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).expect("a new directory");
        Self { directory }
    }

    /// Returns the directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        self.directory.join("sessions.db")
    }

    /// Returns the URL of the file.
    pub fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    /// Runs statements over a connection of its own. Returns the last one's rows, with `|` between the columns.
    ///
    /// # Panics
    /// If a statement fails.
    pub async fn sql(&self, statements: &str) -> Vec<String> {
        let mut connection = self.connect().await;
        let rows = sqlx::raw_sql(AssertSqlSafe(statements)).fetch_all(&mut connection).await;
        let rows = rows.unwrap_or_else(|error| panic!("{statements}: {error}"));
        rows.iter().map(|row| (0..row.len()).map(|at| text(row, at)).collect::<Vec<_>>().join("|")).collect()
    }

    /// Opens a connection.
    ///
    /// # Panics
    /// If the file cannot be opened.
    pub async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path()).create_if_missing(true);
        options.connect().await.expect("the file can be opened")
    }
}

impl Default for SqliteFile {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for SqliteFile {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn text(row: &SqliteRow, at: usize) -> String {
    let value = row.try_get_raw(at).expect("a column");
    match value.type_info().name() {
        _ if value.is_null() => String::new(),
        "INTEGER" => row.get::<i64, _>(at).to_string(),
        "TEXT" => row.get(at),
        other => panic!("{} is of the type {other}", row.column(at).name()),
    }
}
