//! The signed-in user, read from the access token.

use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::claims::Claims;

/// Names the user in whose name an access token acts. The names come from the token's claims.
///
/// OSC's access tokens name the workspace they act in (`tenantId`) and usually the user (`userId`). The user picks the
/// workspace at sign-in. Both stay the same after a sign-out or restart, and in other browsers and nodes. An
/// [`OscSession::id`](crate::OscSession::id) does not.
///
/// Keep the app's own data under one of two keys:
///
/// - [`key`](Self::key) names this user in this workspace;
/// - [`workspace_key`](Self::workspace_key) names the workspace, which colleagues share.
///
/// The layer does not verify the token's signature. It trusts the claims because it got the token from the provider over TLS.
///
/// ```
/// use osc_auth_layer::OscToken;
///
/// fn greeting(token: &OscToken) -> String {
///     match token.user() {
///         Some(user) => format!("Hello {}!", user.user_id().unwrap_or(user.workspace())),
///         None => "Hello!".to_owned(),
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OscUser {
    issuer: Arc<str>,
    claims: Claims,
}

/// RFC 3986's unreserved characters stay. The separator of a key's parts is not among them.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl OscUser {
    pub(crate) fn new(claims: Claims, issuer: &Arc<str>) -> Self {
        Self { issuer: issuer.clone(), claims }
    }

    /// Returns the user that a key of this issuer names. `None` for any other text.
    pub(super) fn of_key(key: &str, issuer: &Arc<str>) -> Option<Self> {
        let decoded = |part: &str| Some(percent_decode_str(part).decode_utf8().ok()?.into_owned());
        let (workspace_key, user_id) = key.rsplit_once('/')?;
        let tenant_id = decoded(workspace_key.split_once('/')?.1)?;
        let user = Self::new(Claims { tenant_id, user_id: Some(decoded(user_id)?) }, issuer);
        (user.key().as_deref() == Some(key)).then_some(user)
    }

    /// Returns the workspace (OSC's tenant) that the token acts in: the claim `tenantId`, at most 255 bytes, without control
    /// characters.
    #[must_use]
    pub fn workspace(&self) -> &str {
        &self.claims.tenant_id
    }

    /// Returns the user's name at the provider: the claim `userId`. `None` if the token has no such claim.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.claims.user_id.as_deref()
    }

    /// Returns a key for the app's own data about this user in this workspace. `None` without a [`user_id`](Self::user_id),
    /// because colleagues would otherwise share data by accident.
    ///
    /// The key is ASCII text that names the provider, the workspace and the user. No two users have the same key.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        Some(format!("{}/{}", self.workspace_key(), escaped(self.user_id()?)))
    }

    /// Returns a key for the app's own data about this workspace, which all its users share.
    ///
    /// The key is ASCII text that names the provider and the workspace. No two workspaces have the same key.
    #[must_use]
    pub fn workspace_key(&self) -> String {
        format!("{}/{}", escaped(&self.issuer), escaped(self.workspace()))
    }
}

fn escaped(part: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(part, ESCAPED)
}

impl fmt::Debug for OscUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OscUser")
            .field("workspace", &self.workspace())
            .field("user_id", &self.user_id())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn user(issuer: &str, workspace: &str, user_id: Option<&str>) -> OscUser {
        let claims = Claims { tenant_id: workspace.to_owned(), user_id: user_id.map(str::to_owned) };
        OscUser { issuer: issuer.into(), claims }
    }

    #[test]
    fn keys_name_provider_workspace_and_user() {
        let ada = user("https://app.osaas.io", "team", Some("ada"));
        assert_eq!(ada.workspace_key(), "https%3A%2F%2Fapp.osaas.io/team");
        assert_eq!(ada.key().unwrap(), "https%3A%2F%2Fapp.osaas.io/team/ada");
        assert_eq!(user("https://app.osaas.io", "team", None).key(), None);
    }

    #[test]
    fn a_text_that_is_no_key_of_the_issuer_names_nobody() {
        let issuer: Arc<str> = "https://a".into();
        for key in [
            "",
            "/",
            "//",
            "https%3A%2F%2Fa/team",
            "https%3A%2F%2Fb/team/ada",
            "https%3a%2F%2Fa/team/ada",
            "https%3A%2F%2Fa/te%FFam/ada",
        ] {
            assert_eq!(OscUser::of_key(key, &issuer), None, "{key}");
        }
    }

    #[test]
    fn no_two_users_or_workspaces_have_the_same_key() {
        let names = ["a", "b", "a/b", "a%2Fb", "/", "a/", "%", "A", "ä", "a b"];
        let mut keys = HashSet::new();
        let mut count = 0;
        for issuer in ["https://a", "https://a/b"] {
            for workspace in names {
                keys.insert(user(issuer, workspace, None).workspace_key());
                count += 1;
                for user_id in names {
                    let user = user(issuer, workspace, Some(user_id));
                    let key = user.key().unwrap();
                    assert_eq!(OscUser::of_key(&key, &user.issuer).as_ref(), Some(&user));
                    keys.insert(key);
                    count += 1;
                }
            }
        }
        assert_eq!(keys.len(), count);
    }
}
