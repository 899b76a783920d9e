//! Sessions in an SQLite file, when the disk, the file or the processes fail.

mod contract;
mod disk;
mod fleet;
mod power_loss;
mod processes;
mod restored;
mod wrong;
