//! The parameters that all sign-ins have in common.

use super::Config;

impl Config {
    /// Returns the redirect URIs of the configured public URLs.
    pub(crate) fn redirect_uris(&self) -> Vec<String> {
        self.public_urls.iter().map(|url| url.url(&self.callback_path)).collect()
    }

    /// Returns the scopes as one parameter. Empty if there are none.
    pub(crate) fn scope(&self) -> String {
        self.scopes.join(" ")
    }

    /// Returns the parameters of an authorization request, without those that each sign-in makes anew (RFC 6749 §4.1.1, RFC 7636
    /// §4.3).
    pub(crate) fn authorization_parameters<'p>(
        &'p self,
        client_id: &'p str,
        redirect_uri: &'p str,
        scope: &'p str,
    ) -> Vec<(&'p str, &'p str)> {
        let mut parameters = vec![
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("code_challenge_method", "S256"),
        ];
        if !scope.is_empty() {
            parameters.push(("scope", scope));
        }
        parameters.extend(self.authorization_params.iter().map(|(name, value)| (&**name, &**value)));
        parameters
    }
}
