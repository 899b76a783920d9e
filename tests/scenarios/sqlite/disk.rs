//! A disk that is full, or may not be written to. The process has a mount of its own in a new namespace.

use std::fs;
use std::path::Path;

use http::StatusCode;
use mock_osc::MockOsc;
use osc_tests::{Browser, NodeSetup, Sample, SqliteFile, callback, error_of, free_port, soon};

use crate::fleet::until;

/// Returns the settings of a sample whose file's directory is mounted by the command, with `$1` for the directory.
async fn mounted(osc: &MockOsc, file: &SqliteFile, command: &str) -> (NodeSetup, String) {
    let (_listener, addr) = free_port().await;
    let setup = NodeSetup::new(Sample::Axum, osc, addr.port(), &file.url());
    let command = command.replace("DIRECTORY", &file.directory().display().to_string());
    (setup.after(&command), format!("localhost:{}", addr.port()))
}

/// Fills the disk, and returns the file that does.
fn fill(directory: &Path) -> std::path::PathBuf {
    let filler = directory.join("filler");
    let mut size = 1 << 16;
    let mut contents = Vec::new();
    while size > 256 {
        contents.resize(contents.len() + size, b'x');
        if fs::write(&filler, &contents).is_err() {
            contents.truncate(contents.len() - size);
            size /= 2;
        }
    }
    let _ = fs::write(&filler, &contents);
    filler
}

#[tokio::test]
async fn a_full_disk_refuses_sign_ins_and_signs_nobody_out() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    let file = SqliteFile::new();
    let (setup, host) = mounted(&osc, &file, "mount -t tmpfs -o size=1m tmpfs DIRECTORY").await;
    let node = setup.start().await;
    let mut visitor = Browser::new(node.app()).at(&host);
    let path = soon(callback(&mut visitor, &osc)).await;
    assert_eq!(soon(visitor.navigate(&path)).await.status(), StatusCode::SEE_OTHER);

    let filler = fill(&node.inside(file.directory()));
    let mut refused = 0;
    // SQLite has a few pages of its own before it needs new ones.
    until("the disk is full for SQLite", async || {
        let mut stranger = Browser::new(node.app()).at(&host);
        let path = soon(callback(&mut stranger, &osc)).await;
        let status = soon(stranger.navigate(&path)).await.status();
        refused += usize::from(status == StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused > 0 || status == StatusCode::SEE_OTHER, "{status}");
        refused >= 3
    })
    .await;
    node.wrote("the disk is full; make room").await;
    let answer = soon(visitor.fetch("/api/session")).await;
    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");

    fs::remove_file(filler).expect("the filler");
    let mut stranger = Browser::new(node.app()).at(&host);
    let path = soon(callback(&mut stranger, &osc)).await;
    assert_eq!(
        soon(stranger.navigate(&path)).await.status(),
        StatusCode::SEE_OTHER,
        "it works without a restart"
    );
    assert_eq!(soon(visitor.fetch("/api/session")).await.status(), StatusCode::OK);
    assert_eq!(soon(stranger.fetch("/api/session")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_read_only_file_or_directory_is_told() {
    let osc = MockOsc::builder().start().await.expect("the mock starts");
    for (command, what) in [
        ("mount --bind DIRECTORY DIRECTORY; mount -o remount,bind,ro DIRECTORY", "let the app write"),
        // An existing file of which only the file is read-only.
        (
            "mount --bind DIRECTORY/sessions.db DIRECTORY/sessions.db; mount -o remount,bind,ro DIRECTORY/sessions.db",
            "read-only",
        ),
    ] {
        let file = SqliteFile::new();
        if what == "read-only" {
            file.sql("PRAGMA user_version = 1").await;
        }
        let (setup, host) = mounted(&osc, &file, command).await;
        let node = setup.start().await;
        let mut visitor = Browser::new(node.app()).at(&host);
        let begun = soon(visitor.navigate("/auth/signin")).await;
        assert_eq!(begun.status(), StatusCode::SERVICE_UNAVAILABLE, "{begun:?}");
        node.wrote(what).await;
        visitor.set_cookie(
            &format!("osc_session_{}", host.rsplit(':').next().expect("a port")),
            &format!("{:042}A", 0),
        );
        assert_eq!(error_of(&soon(visitor.fetch("/api/session")).await), "temporarily_unavailable");
        assert_eq!(soon(visitor.navigate("/")).await.status(), StatusCode::OK, "public paths work");
    }
}
