//! A power cut, simulated: each file has the contents that it had at its last `fsync`, and files that were never synced are gone.

use std::fs;
use std::path::Path;

use http::StatusCode;
use mock_osc::MockOsc;
use osc_tests::{Sample, SqliteFile, error_of, soon};

use super::library;
use crate::processes::load::BRISK;
use crate::processes::{Cluster, LONG, Place};

/// Copies each file to the folder `SYNCED` when it is synced.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void keep(int fd) {
    const char *folder = getenv("SYNCED");
    struct stat about;
    char link[64], path[PATH_MAX], copy[PATH_MAX], ready[PATH_MAX], part[65536];
    if (!folder || fstat(fd, &about) || !S_ISREG(about.st_mode)) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) abort();
    path[length] = 0;
    const char *name = strrchr(path, '/') + 1;
    snprintf(ready, sizeof ready, "%s/%s", folder, name);
    snprintf(copy, sizeof copy, "%s/%s.part", folder, name);
    pthread_mutex_lock(&lock);
    int to = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (to < 0) abort();
    for (off_t at = 0; (length = pread(fd, part, sizeof part, at)) > 0; at += length)
        if (write(to, part, length) != length) abort();
    close(to);
    if (rename(copy, ready)) abort();
    pthread_mutex_unlock(&lock);
}

static int call(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int result = real(fd);
    if (!result) keep(fd);
    return result;
}

int fsync(int fd) { return call("fsync", fd); }
int fdatasync(int fd) { return call("fdatasync", fd); }
"#;

/// Puts the files in place that a power cut leaves.
fn lose_power(file: &SqliteFile, synced: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let name = format!("sessions.db{ending}");
        let (here, there) = (file.directory().join(&name), synced.join(&name));
        let _ = fs::remove_file(&here);
        if there.exists() {
            fs::copy(there, here).expect("the file as it was synced");
        }
    }
}

#[tokio::test]
async fn a_power_cut_loses_no_acknowledged_sign_in_refresh_or_sign_out() {
    let file = SqliteFile::new();
    let (synced, library) = (file.directory().join("synced"), library(file.directory(), SHIM));
    fs::create_dir(&synced).expect("a new directory");
    let osc = MockOsc::builder().token_ttl(BRISK);
    let mut cluster = Cluster::at(Place::Sqlite(file), Sample::Axum, 0, osc).await;
    let Place::Sqlite(file) = &cluster.place else { unreachable!("it was made above") };
    let setup =
        cluster.setup.clone().with("LD_PRELOAD", &library).with("SYNCED", &synced.display().to_string());
    cluster.nodes.push(setup.start().await);

    let mut staying = Vec::new();
    let mut leaving = Vec::new();
    for round in 0..8 {
        let visitors = cluster.visitors(2).await;
        let refreshes = cluster.refreshes();
        soon(async {
            // Each request with a token that has expired waits for the write of the next one.
            while cluster.refreshes() < refreshes + 2 + round % 3 {
                for visitor in visitors.iter().chain(&staying) {
                    cluster.expires_at(visitor, 0).await;
                }
            }
        })
        .await;
        // No refresh is under way, so all that happened is acknowledged.
        cluster.calm_down(&visitors).await;
        cluster.calm_down(&staying).await;
        let [stays, leaves] = <[_; 2]>::try_from(visitors).expect("two");
        let answer = soon(leaves.clone().post_from("same-origin", "/auth/signout")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        staying.push(stays);
        leaving.push(leaves);
        cluster.nodes[0].kill().await;

        lose_power(file, &synced);

        cluster.nodes[0] = setup.start().await;
        // A record with an older refresh token would end the session now.
        cluster.osc.set_token_ttl(BRISK);
        for visitor in &mut staying {
            visitor.switch_app(cluster.nodes[0].app());
        }
        for visitor in &mut leaving {
            visitor.switch_app(cluster.nodes[0].app());
            let answer = soon(visitor.fetch("/api/session")).await;
            assert_eq!(error_of(&answer), "unauthenticated", "round {round}: a sign-out was lost");
        }
        for visitor in &staying {
            let answer = cluster.fetch(visitor, 0, "/api/session").await;
            assert_eq!(answer.status(), StatusCode::OK, "round {round}: {answer:?}");
        }
    }
    cluster.osc.set_token_ttl(LONG);
    cluster.calm_down(&staying).await;
    for visitor in &staying {
        // The provider accepts the token. A node that was killed may not have revoked the grants of those who left.
        assert_eq!(cluster.fetch(visitor, 0, "/api/balance").await.status(), StatusCode::OK);
    }
}
