use std::sync::LazyLock;

use http::header;
use url::Url;

use super::public_path::normalised;
use super::{PUBLIC_URL, layer, percent_decoded};
use crate::OscAuthLayer;
use crate::response::return_to::checked;
use crate::response::see_other;

/// Input: a kind of base path, then the target of a sign-in.
///
/// An accepted target stays on this origin, and leads to none of the layer's own paths. This holds for these readings:
///
/// - as it is;
/// - as a lenient browser reads it;
/// - after a server on the way has decoded it once or twice and normalised it.
pub fn return_to(data: &[u8]) {
    static LAYER: LazyLock<OscAuthLayer> = LazyLock::new(|| layer(|builder| builder.public_url(PUBLIC_URL)));
    let Some((kind, target)) = data.split_first() else { return };
    let Ok(target) = std::str::from_utf8(target) else { return };
    let config = &LAYER.auth.config;
    let base_path = ["", "/app"][usize::from(kind % 2)];
    let Some(accepted) = checked(target, config, base_path) else { return };
    assert_eq!(accepted, target);
    assert_eq!(see_other(accepted).headers()[header::LOCATION], *accepted, "one header, unchanged");

    let base = Url::parse(&format!("{PUBLIC_URL}{base_path}/auth/callback?code=c")).expect("a URL");
    let resolved = base.join(accepted).expect("a path resolves");
    assert_eq!(resolved.origin(), base.origin(), "{accepted:?}");
    for own in [&config.signin_path, &config.callback_path, &config.signout_path] {
        assert_ne!(resolved.path(), format!("{base_path}{own}"));
    }
    let once = percent_decoded(accepted.as_bytes());
    let path = &once[..once.iter().position(|byte| b"?#".contains(byte)).unwrap_or(once.len())];
    for read in [accepted.as_bytes(), &once, &percent_decoded(&once), &normalised(path)] {
        let read = String::from_utf8_lossy(read);
        let dropped = read.replace(['\t', '\n', '\r'], "");
        for read in [read.to_string(), dropped.replace('\\', "/"), dropped.trim().to_owned(), dropped] {
            let resolved = base.join(&read).unwrap_or_else(|error| panic!("{read:?} resolves: {error}"));
            assert_eq!(resolved.origin(), base.origin(), "{accepted:?} as {read:?}");
        }
    }
}
