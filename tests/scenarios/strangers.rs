//! Requests from strangers, as large as the server in front of the layer lets through.

mod cookies;
mod headers;
mod table;
mod work;
