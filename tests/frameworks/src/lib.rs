//! Runs the layer in every framework of the guide's table, and prints the table.
//!
//! Each module starts one small app whose handler reads the user's workspace. The line that adds the layer
//! ends with `// table`.

#![cfg(test)]

mod frameworks;
mod server;
mod table;
mod tour;
