//! Requests from strangers, as large as the server before the layer allows.

mod cookies;
mod headers;
mod table;
mod work;
