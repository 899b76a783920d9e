//! What a stranger can send: as much as the server in front of the layer lets through.

mod cookies;
mod headers;
mod table;
mod work;
