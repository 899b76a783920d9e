//! Pages that were made for one user, and must not act for another one who signed in since.

use std::fmt;

use super::{OscToken, OscUser};

impl OscToken {
    /// The name of the hidden form field that carries the [`page_key`](Self::page_key): `osc_user`.
    pub const PAGE_FIELD: &str = "osc_user";

    /// The name of the header in which scripts send the [`page_key`](Self::page_key): `osc-user`.
    pub const PAGE_HEADER: &str = "osc-user";

    /// Returns the text that the forms of a page carry, so that they act for this user only.
    ///
    /// In another tab of the browser, somebody else may sign in. The forms of older pages would then act for that user, without
    /// anybody noticing. Put this text into each form, and let [`check_page`](Self::check_page) compare it. With the feature `axum`,
    /// `OscForm` and `OscPage` do so.
    ///
    /// It is [`OscUser::key`], or else the session's public id. It is no secret, and it does not protect from forms of other sites;
    /// for that, see the guide's page about forms. It is ASCII text, without quotes or other characters that are special in HTML.
    ///
    /// ```
    /// use osc_auth_layer::OscToken;
    ///
    /// fn form(token: &OscToken) -> String {
    ///     let (name, key) = (OscToken::PAGE_FIELD, token.page_key());
    ///     format!(r#"<form method="post"><input type="hidden" name="{name}" value="{key}"><button>Buy</button></form>"#)
    /// }
    /// ```
    #[must_use]
    pub fn page_key(&self) -> String {
        self.user().and_then(|user| user.key()).unwrap_or_else(|| self.session().id())
    }

    /// Checks that a page with this [`page_key`](Self::page_key) was made for the user who is signed in now.
    ///
    /// It accepts the user's key and this session's public id, because a session may learn its user at a refresh.
    ///
    /// ```
    /// use osc_auth_layer::{OscToken, OtherUser};
    ///
    /// fn buy(token: &OscToken, page_key: &str) -> Result<(), OtherUser> {
    ///     token.check_page(page_key)?; // answer 409
    ///     Ok(()) // buy
    /// }
    /// ```
    ///
    /// # Errors
    /// [`OtherUser`] for any other text, also for an empty one.
    pub fn check_page(&self, page_key: &str) -> Result<(), OtherUser> {
        let user = self.user();
        let is_own = user.as_ref().and_then(OscUser::key).is_some_and(|key| key == page_key)
            || self.session().id() == page_key;
        is_own.then_some(()).ok_or(OtherUser { user })
    }
}

/// Says that a page was made for another user than the one who is signed in now. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherUser {
    user: Option<OscUser>,
}

impl OtherUser {
    /// Returns the user who is signed in now. `None` if the session's token names no workspace.
    #[must_use]
    pub fn user(&self) -> Option<&OscUser> {
        self.user.as_ref()
    }

    /// Returns the user's name and workspace, for people.
    pub(crate) fn name(&self) -> Option<String> {
        let user = self.user.as_ref()?;
        Some(match user.user_id() {
            Some(id) => format!("{id} ({})", user.workspace()),
            None => user.workspace().to_owned(),
        })
    }
}

impl fmt::Display for OtherUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => {
                write!(f, "you are signed in as {name} now, but this page was made for another account")?;
            }
            None => f.write_str("this page was made for another sign-in")?,
        }
        f.write_str(", so nothing was done; reload the page, or sign in with the other account")
    }
}

impl std::error::Error for OtherUser {}
