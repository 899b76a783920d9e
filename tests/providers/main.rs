//! The layer with identity providers by other authors. `tests/run.sh` installs what they need. See the README
//! in this folder.

mod django;
mod oidc_provider;
mod page;
mod person;
mod provider;
mod scenarios;
mod stage;

/// Defines the scenarios that hold for every provider as tests of one provider.
macro_rules! hold_with {
    ($kind:expr) => {
        crate::hold_with! {
            $kind;
            s06_a_foreign_or_missing_issuer_in_the_answer_is_refused
            s08_the_provider_requires_a_challenge
            s08_a_code_of_another_attempt_is_refused
            s18_a_client_with_its_secret_in_the_form
            s18_a_client_with_basic_and_special_characters
            s18_a_public_client
            s28_a_reused_refresh_token_ends_the_session
            s31_sign_out_leaves_a_dead_refresh_token
            s40_hundreds_of_requests_at_expiry_make_one_grant_request
            s40_short_lived_tokens_are_refreshed_before_they_expire
            s41_a_session_outlives_its_refresh_tokens
            a_preflight_tells_right_settings_from_wrong_ones
            an_app_that_registers_itself
            an_app_that_registers_itself_where_only_basic_is_known
            an_app_that_registers_itself_as_a_public_client
            an_issuer_with_a_path
        }
    };
    ($kind:expr; $($scenario:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                crate::scenarios::$scenario($kind).await;
            }
        )*
    };
}
pub(crate) use hold_with;
