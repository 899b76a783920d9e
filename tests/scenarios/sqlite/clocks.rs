//! SQLite's clock is hours off, and jumps.

use std::fs;

use http::StatusCode;
use mock_osc::MockOsc;
use osc_tests::{Sample, SqliteFile, callback, error_of, soon};

use super::library;
use crate::processes::{Cluster, LONG, Place};

/// Shifts SQLite's clock by the seconds in the file `SHIFT`. Rust reads the time with another function.
const SHIFT: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int (*real)(struct timeval *, void *) = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(now, zone);
    FILE *file = fopen(getenv("SHIFT"), "r");
    long seconds = 0;
    if (file && fscanf(file, "%ld", &seconds) == 1) now->tv_sec += seconds;
    if (file) fclose(file);
    return result;
}
"#;

#[tokio::test]
async fn s59_a_clock_that_jumps_by_hours_signs_nobody_out() {
    let file = SqliteFile::new();
    let (library, shift) = (library(file.directory(), SHIFT), file.directory().join("shift"));
    let mut cluster =
        Cluster::at(Place::Sqlite(file), Sample::Axum, 0, MockOsc::builder().token_ttl(LONG)).await;
    let setup =
        cluster.setup.clone().with("LD_PRELOAD", &library).with("SHIFT", &shift.display().to_string());
    cluster.setup = setup;
    for _ in 0..2 {
        cluster.nodes.push(cluster.setup.start().await);
    }
    let (mut visitors, mut lifetime) = (Vec::new(), None);
    for (jump, newest) in [(0, "max"), (3600, "max"), (-3600, "min")] {
        fs::write(&shift, jump.to_string()).expect("a file");
        visitors.push(cluster.visitor().await);
        let Place::Sqlite(file) = &cluster.place else { unreachable!("it was made above") };
        // The test's own SQLite has the right clock.
        let newest = format!(
            "SELECT {newest}(expires_at) / 1000 - unixepoch() FROM osc_auth_sessions WHERE user_group IS NOT NULL"
        );
        let left = file.sql(&newest).await[0].parse::<i64>().expect("seconds") - jump;
        let lifetime = *lifetime.get_or_insert(left);
        assert!(left.abs_diff(lifetime) < 60, "{left} and {lifetime}: the library shifts the clock");
        cluster.assert_alive(&visitors).await;

        // A sign-in that begins at one process ends at another, and a sign-out holds.
        let mut leaving = cluster.browser(0);
        let path = soon(callback(&mut leaving, &cluster.osc)).await;
        leaving.switch_app(cluster.nodes[1].app());
        assert_eq!(soon(leaving.navigate(&path)).await.status(), StatusCode::SEE_OTHER, "{jump}");
        soon(leaving.clone().post_from("same-origin", "/auth/signout")).await;
        cluster.nodes[0].restart().await;
        assert_eq!(error_of(&cluster.fetch(&leaving, 0, "/api/session").await), "unauthenticated", "{jump}");
        cluster.assert_alive(&visitors).await;
    }
}
