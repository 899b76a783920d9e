//! The contents of a session's record in the store. Its bytes are laid out in `layout`.
//!
//! Header and body are JSON objects. Members that this version does not know are kept, so that nodes of two versions can share a
//! session during a deployment.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claims::Claims;
use super::device::Device;
use super::layout::{self, Layout, Parts, Unreadable};
use super::record::{Ending, Lease, Record, Standing};
use crate::clock::Timestamp;
use crate::oauth::{Credentials, Tokens, bearer};
use crate::secret::Secret;
use crate::store::{RecordKey, Version};

/// The tokens of a session, and their client.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    pub(super) tokens: Tokens,
    pub(super) credentials: Arc<Credentials>,
    /// By the store's clock.
    pub(super) issued_at: Timestamp,
    /// The session's user, as far as earlier tokens named one.
    pub(super) user: Option<Claims>,
}

/// A record, and the facts that do not change with it.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) record: Record<Granted>,
    pub(super) facts: Facts,
    /// The tokens of a session that was ended by a mark. Whoever reads them revokes the grant.
    pub(super) to_revoke: Option<Granted>,
}

impl Content {
    pub(super) fn new(record: Record<Granted>, facts: Facts) -> Self {
        Self { record, facts, to_revoke: None }
    }

    /// Returns the tokens that the end of the session leaves to revoke.
    pub(super) fn revocable(&self) -> Option<&Granted> {
        match &self.record.standing {
            Standing::Live(granted) => Some(granted),
            Standing::Refused | Standing::Ended(_) => self.to_revoke.as_ref(),
        }
    }
}

/// The facts of a session that its record keeps.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) issuer: Arc<str>,
    /// The time of the sign-in, by the store's clock.
    pub(super) began: Timestamp,
    pub(super) device: Device,
    /// The absolute timeout, by the store's clock.
    pub(super) ends_at: Timestamp,
    /// The time after the last use at which the store drops the record.
    pub(super) kept_for: Duration,
    /// `None` if this version knows every member.
    pub(super) unknown: Option<Box<Unknown>>,
}

/// Members that this version does not know, of each object in a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Unknown {
    header: Map<String, Value>,
    body: Map<String, Value>,
    grant: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    rotation: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<Lease>,
    ends_at: Timestamp,
    kept_for: Duration,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    issuer: Arc<str>,
    #[serde(default)]
    began: Timestamp,
    #[serde(default)]
    device: Device,
    /// `None` if the provider refused the refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant: Option<BodyGrant>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct BodyGrant {
    /// With its secret if the client was registered, so that every node can refresh the session.
    #[serde(flatten)]
    client: Credentials,
    access_token: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Secret>,
    issued_at: Timestamp,
    lifetime: Duration,
    #[serde(flatten)]
    user: Option<Claims>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// Writes a record. `is_registered` is true for a client that other nodes do not have in their configuration.
pub(super) fn seal(
    content: &Content,
    key: &RecordKey,
    namespace: &str,
    version: Version,
    is_registered: bool,
    summary: &[u8],
) -> Vec<u8> {
    let Content { record, facts, .. } = content;
    let unknown = facts.unknown.as_deref().cloned().unwrap_or_default();
    let grant = match &record.standing {
        Standing::Live(Granted { tokens, credentials, issued_at, user }) => Some(BodyGrant {
            client: Credentials {
                id: credentials.id.clone(),
                secret: credentials.secret.clone().filter(|_| is_registered),
                auth_method: credentials.auth_method,
            },
            access_token: Secret::new(tokens.access_token()),
            refresh_token: tokens.refresh_token.clone(),
            issued_at: *issued_at,
            lifetime: tokens.lifetime,
            user: user.clone(),
            unknown: unknown.grant,
        }),
        Standing::Refused => None,
        Standing::Ended(ending) => return layout::ended(*ending).to_vec(),
    };
    let header = Header {
        rotation: record.rotation,
        refused: grant.is_none(),
        lease: record.lease.clone(),
        ends_at: facts.ends_at,
        kept_for: facts.kept_for,
        unknown: unknown.header,
    };
    let Facts { issuer, began, device, .. } = facts.clone();
    let body = Body { issuer, began, device, grant, unknown: unknown.body };
    let header = serde_json::to_vec(&header).expect("strings and numbers are valid JSON");
    let body = serde_json::to_vec(&body).expect("strings and numbers are valid JSON");
    layout::live(&header, summary, &key.seal(namespace, version, &header, &body))
}

/// Reads a record.
pub(super) fn open(
    value: &[u8],
    key: &RecordKey,
    namespace: &str,
    version: Version,
) -> Result<Content, Unreadable> {
    let Parts { header, body, marked, .. } = match layout::split(value)? {
        Layout::Ended(ending) => return Ok(Content::new(Record::ended(ending), Facts::default())),
        Layout::Held(parts) => parts,
    };
    let opened = key.open(namespace, marked.unwrap_or(version), header, body).ok_or(Unreadable::Altered)?;
    // Sealed by a layer, but perhaps by a newer one.
    let content = content(header, &opened).ok_or(Unreadable::Newer)?;
    Ok(if marked.is_some() { ended_by_mark(content) } else { content })
}

fn ended_by_mark(Content { record, facts, .. }: Content) -> Content {
    let to_revoke = match record.standing {
        Standing::Live(granted) => Some(granted),
        Standing::Refused | Standing::Ended(_) => None,
    };
    Content { record: Record::ended(Ending::SignedOut), facts, to_revoke }
}

/// The facts that the header of a record tells a node that cannot open it.
pub(super) struct Outline {
    pub(super) ends_at: Timestamp,
    pub(super) kept_for: Duration,
    pub(super) is_refused: bool,
}

/// Reads a record's header without the key. An attacker who can write to the store can change this header.
pub(super) fn outline(header: &[u8]) -> Option<Outline> {
    let Header { ends_at, kept_for, refused, .. } = serde_json::from_slice(header).ok()?;
    Some(Outline { ends_at, kept_for, is_refused: refused })
}

fn content(header: &[u8], body: &[u8]) -> Option<Content> {
    let header: Header = serde_json::from_slice(header).ok()?;
    let Body { issuer, began, device, grant, unknown } = serde_json::from_slice(body).ok()?;
    let mut unknown = Unknown { header: header.unknown, body: unknown, ..Unknown::default() };
    let standing = match grant {
        Some(grant) if !header.refused => {
            unknown.grant = grant.unknown;
            // `None` if no provider's response could have contained this token.
            let bearer = bearer(grant.access_token.expose())?;
            let tokens = Tokens { bearer, refresh_token: grant.refresh_token, lifetime: grant.lifetime };
            let credentials = Arc::new(grant.client);
            Standing::Live(Granted { tokens, credentials, issued_at: grant.issued_at, user: grant.user })
        }
        _ => Standing::Refused,
    };
    let unknown = (unknown != Unknown::default()).then(|| Box::new(unknown));
    let record = Record { rotation: header.rotation, standing, lease: header.lease };
    let (ends_at, kept_for) = (header.ends_at, header.kept_for);
    Some(Content::new(record, Facts { issuer, began, device, ends_at, kept_for, unknown }))
}

/// Adds a member to every object of a record, as a newer version of the layer may.
#[cfg(feature = "test-util")]
pub(crate) fn with_newer_members(
    value: &[u8],
    key: &RecordKey,
    namespace: &str,
    [old, new]: [Version; 2],
) -> Option<Vec<u8>> {
    let mut content = open(value, key, namespace, old).ok()?;
    let member = || Map::from_iter([("newer".to_owned(), Value::from("kept"))]);
    let unknown = Unknown { header: member(), body: member(), grant: member() };
    content.facts.unknown = Some(Box::new(unknown));
    let Ok(Layout::Held(parts)) = layout::split(value) else { return None };
    Some(seal(&content, key, namespace, new, false, parts.summary))
}

/// Returns true if every object of a record still has what [`with_newer_members`] added.
#[cfg(feature = "test-util")]
pub(crate) fn has_newer_members(value: &[u8], key: &RecordKey, namespace: &str, version: Version) -> bool {
    let unknown = open(value, key, namespace, version).ok().and_then(|content| content.facts.unknown);
    unknown.is_some_and(|unknown| {
        [&unknown.header, &unknown.body, &unknown.grant].iter().all(|members| members.len() == 1)
    })
}

/// Seals the record of a session with these tokens, for a client named `cli`.
#[cfg(any(test, fuzzing))]
pub(crate) fn sealed_for_test(tokens: Tokens, key: &RecordKey, namespace: &str, version: Version) -> Vec<u8> {
    let credentials = Arc::new(Credentials { id: "cli".to_owned(), secret: None, auth_method: None });
    let granted = Granted { tokens, credentials, issued_at: Timestamp::default(), user: None };
    let facts = Facts { issuer: "https://id.example".into(), ..Facts::default() };
    seal(&Content::new(Record::new(granted), facts), key, namespace, version, false, b"")
}

/// Opens a record, and returns its tokens.
#[cfg(any(test, fuzzing))]
pub(crate) fn opened_for_test(
    value: &[u8],
    key: &RecordKey,
    namespace: &str,
    version: Version,
) -> Option<Tokens> {
    match open(value, key, namespace, version).ok()?.record.standing {
        Standing::Live(granted) => Some(granted.tokens),
        Standing::Refused | Standing::Ended(_) => None,
    }
}
