//! The layer against identity providers that nobody here wrote. What it takes is installed by `tests/run.sh`; see the
//! README beside this file.

mod django;
mod oidc_provider;
mod page;
mod person;
mod provider;
mod scenarios;
mod stage;

/// The scenarios that hold with every provider, as tests of one.
macro_rules! hold_with {
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
