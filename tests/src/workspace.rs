//! Helpers for scenarios in the workspace of a signed-in user.

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::time::Duration;

use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::workspace::OscInstance;
use osc_auth_layer::{ContextError, OscContext};
use serde_json::json;

use crate::{Stage, soon};

/// A service that is subscribed to from the start, with an instance `demo`.
pub const ADSERVER: &str = "eyevinn-test-adserver";
/// A service that is not subscribed to.
pub const MINIO: &str = "minio-minio";
/// A service that is not subscribed to.
pub const VALKEY: &str = "valkey-io-valkey";
/// A service that is not subscribed to and runs jobs.
pub const FFMPEG: &str = "eyevinn-ffmpeg-s3";

impl Stage {
    /// Returns a context for the user's workspace.
    pub async fn context(&self) -> OscContext {
        self.token().await.context()
    }

    /// Returns how many requests the platform received.
    pub fn asked(&self) -> Asked {
        Asked::of(&self.osc)
    }

    /// Ends every pause between two looks as soon as it begins, until the wait is over.
    pub async fn through_looks<T>(&self, waiting: impl Future<Output = T>) -> T {
        self.through_looks_with(waiting, |_| {}).await
    }

    /// Ends every pause between two looks as soon as it begins. Before the nth pause ends, `meanwhile` is
    /// called with n.
    pub async fn through_looks_with<T>(
        &self,
        waiting: impl Future<Output = T>,
        mut meanwhile: impl FnMut(usize),
    ) -> T {
        let mut waiting = std::pin::pin!(waiting);
        let (began, mut passed) = (self.clock.sleeps(LOOK), 0);
        loop {
            tokio::select! {
                biased;
                over = soon(&mut waiting) => return over,
                pause = self.clock.slept(LOOK, began + passed + 1) => {
                    passed += 1;
                    meanwhile(passed);
                    self.pass(pause);
                }
            }
        }
    }
}

/// The pause between two looks of a waiting context.
pub const LOOK: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(1);

/// How many requests of each kind arrived at the platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Lists of subscriptions.
    pub lists: usize,
    /// Activations of a service.
    pub activations: usize,
    /// Service access tokens.
    pub tokens: usize,
    /// Requests with a service access token.
    pub instances: usize,
    /// The balance, apps and secrets.
    pub others: usize,
}

impl Asked {
    /// Counts the requests since the start or since the mock last forgot its requests.
    pub fn of(osc: &MockOsc) -> Self {
        let catalog = osc.requests(Endpoint::Catalog);
        let lists = catalog.iter().filter(|request| request.method == "GET").count();
        Self {
            lists,
            activations: catalog.len() - lists,
            tokens: osc.count(Endpoint::ServiceToken),
            instances: osc.count(Endpoint::Instances),
            others: osc.count(Endpoint::Money) + osc.count(Endpoint::Deploy),
        }
    }

    /// Returns zero requests.
    pub fn nothing() -> Self {
        Self::default()
    }
}

/// A running call.
pub type Calling<'a> = Pin<Box<dyn Future<Output = Result<(), ContextError>> + Send + 'a>>;

/// A call of the client, with any return type.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The action that the error names.
    pub doing: &'static str,
    /// The endpoint of the call's last request.
    pub endpoint: Endpoint,
    /// True if the call reads the body of a successful answer.
    pub reads: bool,
    call: for<'a> fn(&'a OscContext) -> Calling<'a>,
}

impl Call {
    /// Makes the call.
    pub fn make<'a>(&self, osc: &'a OscContext) -> Calling<'a> {
        (self.call)(osc)
    }
}

/// Returns all methods except those that wait. Calls for an existing instance use `demo` of [`ADSERVER`].
pub fn calls() -> Vec<Call> {
    use Endpoint::{Catalog, Deploy, Instances, Money, ServiceToken};
    let call = |doing, endpoint, call| Call { doing, endpoint, reads: true, call };
    let blind = |doing, endpoint, call| Call { doing, endpoint, reads: false, call };
    vec![
        call("read the subscriptions", Catalog, |osc| {
            Box::pin(async { osc.subscriptions().await.map(drop) })
        }),
        call("activate the service (minio-minio)", Catalog, |osc| {
            Box::pin(async { osc.service(MINIO).subscribe().await.map(drop) })
        }),
        call("get access to the service (eyevinn-test-adserver)", ServiceToken, |osc| {
            Box::pin(async { osc.service(ADSERVER).access_token().await.map(drop) })
        }),
        call("read the token balance", Money, |osc| Box::pin(async { osc.token_balance().await.map(drop) })),
        call("list the apps", Deploy, |osc| Box::pin(async { osc.my_apps().await.map(drop) })),
        blind("save the secret key (minio-minio)", Deploy, |osc| {
            Box::pin(async { osc.service(MINIO).secret("key").save("value").await })
        }),
        call("list the instances (eyevinn-test-adserver)", Instances, |osc| {
            Box::pin(async { osc.service(ADSERVER).list_instances().await.map(drop) })
        }),
        call("look up demo (eyevinn-test-adserver)", Instances, |osc| {
            Box::pin(async { osc.service(ADSERVER).instance("demo").get().await.map(drop) })
        }),
        call("create fresh (eyevinn-test-adserver)", Instances, |osc| {
            Box::pin(async { osc.service(ADSERVER).instance("fresh").create(json!({})).await.map(drop) })
        }),
        call("update demo (eyevinn-test-adserver)", Instances, |osc| {
            Box::pin(async {
                osc.service(ADSERVER).instance("demo").update(json!({ "level": 2 })).await.map(drop)
            })
        }),
        call("restart demo (eyevinn-test-adserver)", Instances, |osc| {
            Box::pin(async { osc.service(ADSERVER).instance("demo").restart().await })
        }),
        call("read the health of demo (eyevinn-test-adserver)", Instances, |osc| {
            Box::pin(async { osc.service(ADSERVER).instance("demo").health().await.map(drop) })
        }),
        call("read the logs of demo (eyevinn-test-adserver)", Instances, |osc| {
            Box::pin(async { osc.service(ADSERVER).instance("demo").logs().await.map(drop) })
        }),
        call("read the ports of demo (eyevinn-test-adserver)", Instances, |osc| {
            Box::pin(async { osc.service(ADSERVER).instance("demo").ports().await.map(drop) })
        }),
        call("read the scaling of demo (eyevinn-test-adserver)", Instances, |osc| {
            Box::pin(async { osc.service(ADSERVER).instance("demo").scaling().await.map(drop) })
        }),
        call("scale demo (eyevinn-test-adserver)", Instances, |osc| {
            Box::pin(async { osc.service(ADSERVER).instance("demo").scale(2).await })
        }),
        blind("remove demo (eyevinn-test-adserver)", Instances, |osc| {
            Box::pin(async { osc.service(ADSERVER).instance("demo").remove().await })
        }),
    ]
}

/// Makes every call for this instance.
///
/// # Errors
/// The first error.
pub async fn use_instance(instance: &OscInstance) -> Result<(), ContextError> {
    instance.update(json!({ "level": 3 })).await?;
    instance.health().await?;
    instance.logs().await?;
    instance.ports().await?;
    instance.scaling().await?;
    instance.scale(2).await?;
    instance.restart().await
}
