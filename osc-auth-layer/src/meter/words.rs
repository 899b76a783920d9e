//! The values of labels and of span fields. They are types, so that no text of a request can become one.

/// Makes a set of words, and the function that returns them.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) enum $name {
            $($(#[$of])* $variant,)*
        }

        impl $name {
            #[cfg(feature = "metrics")]
            #[allow(dead_code, reason = "the words of histograms are not listed")]
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the word in metrics and spans.
            pub(crate) const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    )*};
}

words! {
    /// How a sign-in ended.
    SignIn {
        Completed = "completed",
        /// The user declined.
        AccessDenied = "access_denied",
        /// The callback brought another error of the provider.
        ProviderError = "provider_error",
        /// The provider refused the code.
        ExchangeRefused = "exchange_refused",
        /// The app does not admit the user.
        NotAllowed = "not_allowed",
        /// The callback named another issuer (RFC 9207).
        OtherIssuer = "other_issuer",
        /// The callback had neither a code nor an error.
        EmptyCallback = "empty_callback",
        Misconfigured = "misconfigured",
        ProviderUnavailable = "provider_unavailable",
        StoreUnavailable = "store_unavailable",
        StateExpired = "state_expired",
        StateUsed = "state_used",
        StateEvicted = "state_evicted",
        StateWithoutCookie = "state_without_cookie",
        StateForeign = "state_foreign",
    }

    /// The answer to a callback.
    Callback {
        SignedIn = "signed_in",
        /// The user is signed in already, and returns to the app.
        Returned = "returned",
        /// The sign-in begins anew, because other tabs displaced it.
        Restarted = "restarted",
        Refused = "refused",
    }

    /// Why a token is to be refreshed.
    Cause {
        /// It has expired, or is about to, and a request waits.
        Expiry = "expiry",
        /// It expires soon, and no request waits.
        Ahead = "ahead",
        /// An API refused it before its time.
        Rejection = "rejection",
    }

    /// How a run of a refresh ended.
    Refresh {
        Refreshed = "refreshed",
        /// Another node or an earlier run brought a newer token.
        NotNeeded = "not_needed",
        /// The provider gave no refresh token.
        NoRefreshToken = "no_refresh_token",
        /// The provider refused the refresh token.
        Refused = "refused",
        /// The new token is not the same user's, or the app does not admit the user any more.
        NotAdmitted = "not_admitted",
        /// The session ended meanwhile.
        SessionEnded = "session_ended",
        ProviderUnavailable = "provider_unavailable",
        StoreUnavailable = "store_unavailable",
        Misconfigured = "misconfigured",
        /// Nothing was sent, because the provider or the store failed a moment ago.
        BackingOff = "backing_off",
        ShuttingDown = "shutting_down",
    }

    /// The reason why a session ended.
    End {
        SignedOut = "signed_out",
        ByUser = "by_user",
        ByApp = "by_app",
        Replaced = "replaced",
        RefreshRefused = "refresh_refused",
        UserChanged = "user_changed",
        NotAllowed = "not_allowed",
        Undelivered = "undelivered",
        Expired = "expired",
        Evicted = "evicted",
    }

    /// An operation of a session store.
    StoreOperation {
        Get = "get",
        Swap = "swap",
        Touch = "touch",
        Delete = "delete",
        Members = "members",
    }

    /// The result of an operation of a session store.
    StoreResult {
        Ok = "ok",
        /// A swap met another version than it expected.
        Conflict = "conflict",
        Failed = "failed",
        TimedOut = "timed_out",
    }

    /// An endpoint of the provider.
    ProviderEndpoint {
        Metadata = "metadata",
        Token = "token",
        Revocation = "revocation",
        Registration = "registration",
        Par = "par",
    }

    /// The provider's answer to a request, by its status.
    ProviderAnswer {
        Success = "2xx",
        Redirect = "3xx",
        ClientError = "4xx",
        ServerError = "5xx",
        /// The provider did not get the request.
        NotSent = "not_sent",
        /// The answer broke off, or is too long.
        Lost = "lost",
        TimedOut = "timed_out",
    }
}
