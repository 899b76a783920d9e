use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::{Layer, ServiceExt, service_fn};

use super::{CLIENT_ID, ISSUER, PUBLIC_URL, layer, runtime};
use crate::sessions::{Sealed, SessionId};
use crate::store::{
    Ending, Expiry, Found, Leased, Record, RecordKey, Replaced, SessionStore, StoreError, StoreFuture,
};
use crate::{OscAuthLayer, OscToken};

const NAMESPACE: &str = "app";
const ID: [u8; 32] = [7; 32];
/// A lifetime that makes the layer give out the token while it is young.
const HOUR_MILLIS: u64 = 3_600_000;

/// Input: a store's answer to the question for a session. It has a kind, a mark of refusal, the numbers of a [`Record`] in
/// eight bytes each, and the sealed part or, for some kinds, bytes in its place.
///
/// A request gets a token only if the record was sealed for this session, version, provider and client. The token is the
/// sealed one.
pub fn record(data: &[u8]) {
    let Some(([kind, refused], data)) = data.split_first_chunk::<2>() else { return };
    let Some((numbers, plain)) = data.split_first_chunk::<32>() else { return };
    let [version, age, idle, ends_in] =
        [0, 8, 16, 24].map(|at| u64::from_be_bytes(std::array::from_fn(|byte| numbers[at + byte])));
    let sealed: Option<Sealed> = serde_json::from_slice(plain).ok();
    if let Some(sealed) = &sealed {
        is_the_same_again(sealed);
    }
    let key = RecordKey::of(&ID);
    let other = RecordKey::of(&[8; 32]);
    let bytes = match (kind % 8, &sealed) {
        (0..=3, Some(sealed)) => key.seal(NAMESPACE, version, &sealed.to_bytes()),
        (4, Some(sealed)) => key.seal(NAMESPACE, version ^ 1, &sealed.to_bytes()),
        (5, Some(sealed)) => other.seal(NAMESPACE, version, &sealed.to_bytes()),
        (6, Some(sealed)) => key.seal("another", version, &sealed.to_bytes()),
        _ => plain.to_vec(),
    };
    let is_ours = kind % 8 <= 3;
    let record = Record {
        version,
        sealed: bytes,
        refused: refused % 2 == 1,
        age: Duration::from_millis(age),
        idle: Duration::from_millis(idle),
        ends_in: Duration::from_millis(ends_in),
    };
    let found = match kind / 64 {
        0 | 1 => Some(Found::Live(record)),
        2 => Some(
            [Found::Ended(Ending::SignedOut), Found::Ended(Ending::Replaced), Found::Absent]
                [usize::from(kind % 3)]
            .clone(),
        ),
        _ => None,
    };
    let is_live = matches!(found, Some(Found::Live(_)));

    let (status, token) = ask(found);
    assert_eq!(status == StatusCode::OK, token.is_some());
    let plain: Value = serde_json::from_str(&String::from_utf8_lossy(plain)).unwrap_or_default();
    let bearer = plain["t"].as_str().and_then(|bearer| bearer.strip_prefix("Bearer "));
    if let Some(token) = &token {
        assert!(is_live && is_ours && refused % 2 == 0);
        assert_eq!((&plain["i"], &plain["c"]["i"]), (&ISSUER.into(), &CLIENT_ID.into()));
        assert_eq!(Some(token.access_token()), bearer);
        assert_eq!(token.bearer(), format!("Bearer {}", token.access_token()));
        assert!(!token.access_token().is_empty() && !token.session().id().is_empty());
        let _ = token.expires_at();
    }
    let is_good = is_live
        && is_ours
        && refused % 2 == 0
        && sealed.is_some_and(|sealed| sealed.issuer() == ISSUER && sealed.client_id() == CLIENT_ID)
        && bearer.is_some_and(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
        && version > 0
        && plain["l"].as_u64() == Some(HOUR_MILLIS)
        && plain["a"].as_u64().unwrap_or_default().saturating_add(age) < HOUR_MILLIS / 2
        && idle < HOUR_MILLIS
        && ends_in > 0;
    assert!(!is_good || token.is_some(), "{status}");
}

fn is_the_same_again(sealed: &Sealed) {
    let text = serde_json::to_string(sealed).expect("strings and numbers are valid JSON");
    let again: Sealed = serde_json::from_str(&text).expect("just written");
    assert_eq!(serde_json::to_string(&again).ok(), Some(text));
    let client = again.registered_client();
    assert_eq!(client.id, sealed.client_id());
    if let Some(tokens) = again.tokens() {
        assert!(tokens.bearer.is_sensitive());
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
    let id = SessionId::new(ID);
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

/// A store that gives one answer to reads, or fails. Writes find no record.
struct OneAnswer(Arc<Mutex<Option<Found>>>);

fn ready<'s, T: Send + 's>(answer: T) -> StoreFuture<'s, T> {
    Box::pin(std::future::ready(Ok(answer)))
}

impl SessionStore for OneAnswer {
    fn namespace(&self) -> &str {
        NAMESPACE
    }

    fn create<'s>(&'s self, _: &'s str, _: &'s [u8], _: Expiry) -> StoreFuture<'s, bool> {
        ready(false)
    }

    fn read<'s>(&'s self, _: &'s str) -> StoreFuture<'s, Found> {
        let found = self.0.lock().clone();
        Box::pin(std::future::ready(found.ok_or_else(|| StoreError::new("it fails"))))
    }

    fn replace<'s>(&'s self, _: &'s str, _: u64, _: u64, _: &'s [u8]) -> StoreFuture<'s, Replaced> {
        ready(Replaced::Absent)
    }

    fn refuse<'s>(&'s self, _: &'s str, _: u64) -> StoreFuture<'s, ()> {
        ready(())
    }

    fn touch<'s>(&'s self, _: &'s str) -> StoreFuture<'s, ()> {
        ready(())
    }

    fn end<'s>(&'s self, _: &'s str, _: Ending) -> StoreFuture<'s, Option<Record>> {
        ready(None)
    }

    fn lease<'s>(&'s self, _: &'s str, _: &'s str, _: Duration) -> StoreFuture<'s, Leased> {
        ready(Leased::Absent)
    }

    fn release<'s>(&'s self, _: &'s str, _: &'s str) -> StoreFuture<'s, ()> {
        ready(())
    }

    fn create_once<'s>(&'s self, _: &'s str, _: &'s [u8], _: Duration) -> StoreFuture<'s, bool> {
        ready(false)
    }

    fn read_once<'s>(&'s self, _: &'s str) -> StoreFuture<'s, Option<Vec<u8>>> {
        ready(None)
    }

    fn remove_once<'s>(&'s self, _: &'s str) -> StoreFuture<'s, ()> {
        ready(())
    }
}
