//! Sessions in an SQLite file, when the disk, the file or the processes fail.

mod contract;
mod fleet;
mod processes;
mod restored;
mod wrong;
