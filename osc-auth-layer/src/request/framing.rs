//! Tells from a request's head whether a body follows on the connection.

use http::{Request, Version, header};

/// Returns true if the request is HTTP/1 and a body that is not empty may follow (RFC 9112 §6.3).
///
/// HTTP/2 and HTTP/3 can end a request without closing the connection.
pub(crate) fn may_send_body<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH);
    request.version() <= Version::HTTP_11
        && (headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0"))
}
