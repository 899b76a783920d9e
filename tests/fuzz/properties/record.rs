use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::{Layer, ServiceExt, service_fn};

use super::{CLIENT_ID, ISSUER, PUBLIC_URL, layer, runtime};
use crate::sessions::SessionId;
use crate::store::{Entry, Found, RecordKey, SessionStore, StoreError, StoreFuture, Swap, Swapped, Version};
use crate::{OscAuthLayer, OscToken};

const NAMESPACE: &str = "app";
const ID: [u8; 43] = [b'7'; 43];
const VERSION: Version = Version::from_bytes([1; 16]);
/// The store's time.
const NOW: Duration = Duration::from_secs(1_800_000_000);

/// Input: what a store holds of a session. It has a kind, the ending, and two texts that a zero byte separates: the header and the
/// body, which is sealed or, for some kinds, stands in place of the sealed bytes.
///
/// A request gets a token only if the record was sealed for this session, version, provider and client, and has not ended. The
/// token is the sealed one.
pub fn record(data: &[u8]) {
    let Some(([kind, ending], texts)) = data.split_first_chunk::<2>() else { return };
    let (header, body) = match texts.iter().position(|byte| *byte == 0) {
        Some(end) => (&texts[..end], &texts[end + 1..]),
        None => (texts, &[][..]),
    };
    let Ok(length) = u32::try_from(header.len()) else { return };
    let (key, other) = (RecordKey::of(&ID), RecordKey::of(&[b'8'; 43]));
    let sealed = match kind % 8 {
        0..=3 => key.seal(NAMESPACE, VERSION, header, body),
        4 => key.seal(NAMESPACE, Version::from_bytes([2; 16]), header, body),
        5 => other.seal(NAMESPACE, VERSION, header, body),
        6 => key.seal("another", VERSION, header, body),
        _ => body.to_vec(),
    };
    let is_ours = kind % 8 <= 3 && *ending == 0;
    // A summary, which a request does not read, and the end of a marked record: the version that its body is sealed to.
    let summary = if kind & 8 == 0 { &[0, 0, 0, 0][..] } else { &[0, 0, 0, 3, 1, 2, 3] };
    let sealed_to = if *ending == 3 { &VERSION.as_bytes()[..] } else { &[] };
    let value = [&[1, *ending], &length.to_be_bytes()[..], header, summary, &sealed, sealed_to].concat();
    let now = UNIX_EPOCH + NOW;
    let entry = Entry { version: VERSION, value, expires_at: now + Duration::from_secs(3600) };
    let found = match kind / 64 {
        0..=2 => Some(Found { entry: (kind / 64 < 2).then_some(entry), now }),
        _ => None,
    };
    let is_there = kind / 64 < 2;

    let (status, token) = ask(found);
    assert_eq!(status == StatusCode::OK, token.is_some());
    if let Some(token) = &token {
        assert!(is_there && is_ours);
        let header: Value = serde_json::from_slice(header).expect("the layer read it");
        let body: Value = serde_json::from_slice(body).expect("the layer read it");
        assert!(header["refused"] != true);
        assert_eq!((&body["issuer"], &body["grant"]["client_id"]), (&ISSUER.into(), &CLIENT_ID.into()));
        assert_eq!(Some(token.access_token()), body["grant"]["access_token"].as_str());
        assert_eq!(token.bearer(), format!("Bearer {}", token.access_token()));
        assert!(!token.access_token().is_empty() && !token.session().id().is_empty());
        let _ = token.expires_at();
    }
}

/// Sends a request with the session's cookie. Returns the answer and the token that the app got.
fn ask(found: Option<Found>) -> (StatusCode, Option<OscToken>) {
    let stage = STAGE.lock();
    *stage.found.lock() = found;
    let got = Mutex::new(None);
    let app = service_fn(|request: Request<()>| {
        *got.lock() = request.extensions().get::<OscToken>().cloned();
        async { Ok::<_, Infallible>(Response::new(Bytes::new())) }
    });
    let id = SessionId::parse(&ID).expect("the length of an id");
    let cookie = format!("__Host-osc_session={}", id.cookie_value());
    let request = Request::get("/").header(header::COOKIE, cookie).body(()).expect("a valid request");
    let Ok(answer) = stage.runtime.block_on(stage.layer.layer(app).oneshot(request));
    stage.layer.auth.sessions.table.remove(&id);
    (answer.status(), got.into_inner())
}

struct Stage {
    layer: OscAuthLayer,
    runtime: Runtime,
    found: Arc<Mutex<Option<Found>>>,
}

static STAGE: LazyLock<Mutex<Stage>> = LazyLock::new(|| {
    let found = Arc::<Mutex<Option<Found>>>::default();
    let layer = layer(|builder| builder.public_url(PUBLIC_URL).store(OneAnswer(found.clone())));
    Mutex::new(Stage { layer, runtime: runtime(), found })
});

/// A store that gives one answer to reads, or fails. Writes find no entry.
struct OneAnswer(Arc<Mutex<Option<Found>>>);

fn ready<'s, T: Send + 's>(answer: T) -> StoreFuture<'s, T> {
    Box::pin(std::future::ready(Ok(answer)))
}

impl SessionStore for OneAnswer {
    fn namespace(&self) -> &str {
        NAMESPACE
    }

    fn get<'s>(&'s self, _: &'s str) -> StoreFuture<'s, Found> {
        let found = self.0.lock().clone();
        Box::pin(std::future::ready(found.ok_or_else(|| StoreError::new("it fails"))))
    }

    fn swap<'s>(&'s self, _: &'s str, _: Swap<'s>) -> StoreFuture<'s, Swapped> {
        ready(Swapped::Conflict(Found { entry: None, now: UNIX_EPOCH + NOW }))
    }

    fn touch<'s>(&'s self, _: &'s str, _: Version, _: Duration) -> StoreFuture<'s, ()> {
        ready(())
    }

    fn delete<'s>(&'s self, _: &'s str, _: Version) -> StoreFuture<'s, ()> {
        ready(())
    }

    fn members<'s>(&'s self, _: &'s str) -> StoreFuture<'s, Vec<String>> {
        ready(Vec::new())
    }
}
