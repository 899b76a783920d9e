//! Looks for what will go wrong: a file system that cannot lock, and settings that lose changes in a power cut.

use std::fs;
use std::path::Path;

use super::database::Database;
use crate::finding::{Finding, Severity, Subject};
use crate::store::StoreError;

/// `PRAGMA synchronous`: each commit waits for the disk.
const FULL: i64 = 2;

impl Database {
    /// Fails if the file cannot be opened. Everything else is a finding.
    pub(super) async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        let mut held = self.hold().await?;
        let settings = async {
            let connection = held.connection();
            let journal: String =
                sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
            let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(connection).await?;
            Ok::<_, sqlx::Error>((journal, synchronous))
        };
        let settings = settings.await;
        let (journal, synchronous) = held.settle(settings)?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let kind = file_system(&self.file(), &mounts);
        let found = [of_journal(&journal), of_syncing(synchronous), kind.and_then(of_file_system)];
        Ok(found.into_iter().flatten().collect())
    }
}

fn warning(problem: String, remedy: &str) -> Finding {
    Finding::new(Subject::Store, Severity::Warning, problem, remedy)
}

fn of_journal(mode: &str) -> Option<Finding> {
    (mode != "wal").then(|| {
        let problem = format!(
            "The SQLite file has no write-ahead log (journal_mode is {mode}), so a write makes all readers wait."
        );
        warning(problem, "Put the file on a local disk. With a pool of your own, set journal_mode to WAL.")
    })
}

fn of_syncing(synchronous: i64) -> Option<Finding> {
    (synchronous < FULL).then(|| {
        let problem =
            "SQLite does not wait for the disk (synchronous is not FULL), so a power cut signs users out."
                .to_owned();
        warning(problem, "Set synchronous to FULL in the options of your pool.")
    })
}

fn of_file_system(kind: &str) -> Option<Finding> {
    const OF_A_NETWORK: [&str; 16] = [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "lustre",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    ];
    OF_A_NETWORK.contains(&kind).then(|| {
        let problem = format!(
            "The SQLite file is on a network file system ({kind}), which does not lock files reliably."
        );
        warning(problem, "Put it on a local disk, or use PostgreSQL or Redis.")
    })
}

/// Returns the kind of the file system that a file is on, by the mounts of Linux. `None` elsewhere.
fn file_system<'m>(file: &Path, mounts: &'m str) -> Option<&'m str> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::canonicalize(parent),
        _ => std::env::current_dir(),
    };
    kind_of(&directory.ok()?, mounts)
}

/// A line is `36 35 98:0 /root /mount/point options [tags …] - kind source options` (proc_pid_mountinfo(5)).
fn kind_of<'m>(directory: &Path, mounts: &'m str) -> Option<&'m str> {
    let mounts = mounts.lines().filter_map(|line| {
        let point = line.split(' ').nth(4)?.replace("\\040", " ");
        let (_, rest) = line.split_once(" - ")?;
        directory.starts_with(&point).then(|| (point.len(), rest.split(' ').next()))
    });
    // Of two mounts at one place, the later one covers the other, and `max_by_key` returns the last.
    mounts.max_by_key(|(length, _)| *length)?.1
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /mnt rw - tmpfs tmpfs rw
31 30 0:40 / /mnt/my\\040share rw,relatime shared:7 master:1 - nfs4 server:/export rw
32 22 0:41 / /over rw - nfs server:/a rw
33 22 0:42 / /over rw - xfs /dev/sdb1 rw
broken line";

    #[test]
    fn a_network_file_system_is_told_from_a_local_one() {
        for (directory, kind, is_told) in [
            ("/var/lib/app", "ext4", false),
            ("/mnt/data", "tmpfs", false),
            ("/mnt/my share/app", "nfs4", true),
            ("/mnt/my shared", "tmpfs", false),
            ("/over", "xfs", false),
        ] {
            let found = kind_of(Path::new(directory), MOUNTS);
            assert_eq!(found, Some(kind), "{directory}");
            assert_eq!(found.and_then(of_file_system).is_some(), is_told, "{directory}");
        }
        assert_eq!(kind_of(Path::new("/var"), ""), None);
    }

    #[test]
    fn only_settings_that_lose_or_block_are_told() {
        assert!(of_journal("wal").is_none() && of_journal("delete").is_some());
        assert_eq!([0, 1, 2, 3].map(|level| of_syncing(level).is_some()), [true, true, false, false]);
    }
}
