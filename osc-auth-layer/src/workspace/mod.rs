//! A client for Open Source Cloud that acts on a user's behalf (feature `client`).
//!
//! A handler gets an [`OscContext`] from a token or a session. Command-line tools and jobs [build](OscContext::builder) it with a
//! personal access token. The context leads to handles. A handle sends nothing when it is made, and has the calls:
//!
//! ```
//! # async fn call(osc: osc_auth_layer::OscContext) -> Result<(), osc_auth_layer::ContextError> {
//! let minio = osc.service("minio-minio"); // OscService
//! let instances = minio.list_instances().await?; // data: Vec<Instance>
//! let store = minio.instance("store"); // OscInstance
//! store.restart().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | handle | made by |
//! |---|---|
//! | [`OscService`] | [`OscContext::service`] |
//! | [`OscInstance`] | [`OscService::instance`], [`OscService::known_instance`], [`SuspendedInstance::instance`] |
//! | [`OscJob`] | [`OscService::job`] |
//! | [`OscSecret`] | [`OscService::secret`] |
//!
//! The other types in this module are results and errors. Some of them contain JSON values of `serde_json` 1, as
//! [`Instance::fields`] does, and so [that crate's types are part of this crate's API](crate#types-of-other-crates).
//!
//! # Calls and retries
//!
//! The requests are those of OSC's own TypeScript client, `@osaas/client-core` 0.24, if that has the call. `osc` stands for
//! its command-line tool `@osaas/cli`.
//!
//! - *Safe to repeat* says whether your code may call again after an error.
//! - *Retried* says whether the client itself sends the request again, once, if the connection breaks before the answer
//!   arrives. It does so for idempotent requests only (RFC 9110 §9.2.2). For the others the error says that the request may
//!   have been carried out.
//! - A request that is answered with 401 was not carried out. Every call tries once more if it can get a newer token.
//! - Timeouts, 429 and 5xx are left to your code.
//!
//! | call | TypeScript client | request | safe to repeat | retried |
//! |---|---|---|---|---|
//! | [`OscService::list_instances`] | `listInstances` | `GET {apiUrl}` | yes | yes |
//! | [`OscInstance::get`] | `getInstance` | `GET {apiUrl}/{name}` | yes | yes |
//! | [`OscInstance::create`] | `createInstance` | `POST {apiUrl}` | yes; a duplicate returns [`NameTaken`](ContextErrorKind::NameTaken) | no: [`MaybeCreated`](ContextErrorKind::MaybeCreated) |
//! | [`OscInstance::create_or_adopt`] | | the two above | yes | no: it looks for the instance |
//! | [`OscInstance::update`] | `updateInstance` | `PATCH` `_links.self` | yes, unless somebody else changes the same options | no |
//! | [`OscInstance::remove`] | `removeInstance` | `DELETE {apiUrl}/{name}` | yes; a duplicate returns [`NotFound`](ContextErrorKind::NotFound) | yes |
//! | [`OscInstance::restart`] | `restartInstance` | `POST` `_links.restart` | yes; it restarts again | no |
//! | [`OscInstance::wait_until_ready`] | `waitForInstanceReady` | as `health`, every second | yes | yes |
//! | [`OscInstance::health`] | `getInstanceHealth` | `GET` `_links.health` | yes | yes |
//! | [`OscInstance::logs`], [`OscInstance::logs_since`] | `getLogsForInstance` | `GET` `_links.logs` | yes | yes |
//! | [`OscInstance::ports`] | `getPortsForInstance` | `GET` `_links.ports` | yes | yes |
//! | [`OscInstance::scaling`] | `getInstanceScaling` | `GET` `_links.scale` | yes | yes |
//! | [`OscInstance::scale`] | `scaleInstanceReplicas` | `PUT` `_links.scale` | yes; it sets the number | yes |
//! | [`OscInstance::internal_endpoint`] | `getInternalEndpoint` | `GET` `_links.internalEndpoint` | yes | yes |
//! | [`OscInstance::resume`] | | `POST` deploy `/mysuspended/{serviceId}/{name}/resume` | yes; a duplicate returns [`NotFound`](ContextErrorKind::NotFound) | no |
//! | [`OscContext::suspended_instances`] | | `GET` deploy `/mysuspended` | yes | yes |
//! | [`OscService::list_jobs`], [`OscJob::get`] | `listJobs`, `getJob` | as for instances | yes | yes |
//! | [`OscJob::create`] | `createJob` | as `OscInstance::create` | as `OscInstance::create` | no |
//! | [`OscJob::remove`] | `removeJob` | as `OscInstance::remove` | as `OscInstance::remove` | yes |
//! | [`OscJob::wait_until_complete`] | `waitForJobToComplete` | as `OscJob::get`, every second | yes | yes |
//! | [`OscService::list_secrets`] | `osc secrets list` | `GET` deploy `/mysecrets/{serviceId}` | yes | yes |
//! | [`OscSecret::save`] | `saveSecret`, `osc secrets create` | `POST` deploy `/mysecrets/{serviceId}` | yes; it replaces the secret | no |
//! | [`OscSecret::update`] | `osc secrets update` | `PUT` deploy `/mysecrets/{serviceId}/{name}` | yes | yes |
//! | [`OscSecret::remove`] | `osc secrets remove` | `DELETE` deploy `/mysecrets/{serviceId}/{name}` | yes; a duplicate returns [`NotFound`](ContextErrorKind::NotFound) | yes |
//! | [`OscContext::subscriptions`] | `listSubscriptions` | `GET` catalog `/mysubscriptions` | yes | yes |
//! | [`OscService::subscribe`] | `Context.activateService` | `POST` catalog `/mysubscriptions` | yes | no |
//! | [`OscService::unsubscribe`] | `removeSubscription` | `DELETE` catalog `/mysubscriptions/{serviceId}` | yes; a duplicate returns [`NotFound`](ContextErrorKind::NotFound) | yes |
//! | [`OscService::access_token`] | `Context.getServiceAccessToken` | `POST` token `/servicetoken` | yes; OSC limits how many it issues | no |
//! | [`OscService::refresh_access_token`] | `Context.refreshServiceAccessToken` | `POST` token `/servicetoken` | yes; OSC limits how many it issues | no |
//! | [`OscContext::plan`] | | `GET` money `/mytenantplan` | yes | yes |
//! | [`OscContext::token_balance`] | | `GET` money `/mytokencount` | yes | yes |
//! | [`OscContext::my_apps`] | | `GET` deploy `/myapps` | yes | yes |
//!
//! # Where tokens go
//!
//! | token | goes to |
//! |---|---|
//! | personal access token | the platform of the environment that issued it |
//! | service access token | the API of its service, `https://api-<serviceId>.auto.<environment>[-<site>].osaas.io`, or the old `https://api-ce.<environment>.osaas.io` |
//!
//! Tokens go nowhere else, whatever the catalog or an instance's links say. Redirects are not followed.

mod access;
mod adopt;
mod adopt_step;
mod answer;
mod builder;
mod cache;
mod catalog;
mod context;
mod create;
mod data;
mod error;
mod hosts;
mod inspect;
mod instance;
mod job;
mod platform;
mod reply;
mod request;
mod secret;
mod service;
mod service_token;
mod starts;
mod status;
mod subscribe;
mod suspended;
mod taken;
mod wait;

pub(crate) use self::access::LIMITS;
pub use self::adopt::Creation;
pub use self::builder::ContextBuilder;
pub use self::catalog::{App, ServiceType, Subscription, TokenBalance};
pub use self::context::OscContext;
pub use self::data::{Instance, InstanceHealth, InternalEndpoint, InternalPort, Port, Scaling};
use self::error::Outcome;
pub use self::error::{ContextError, ContextErrorKind};
pub use self::job::OscJob;
pub(crate) use self::platform::Platform;
pub use self::secret::OscSecret;
pub use self::service::{OscInstance, OscService};
pub use self::service_token::ServiceAccessToken;
pub use self::status::{InstanceStatus, JobStatus, Plan};
pub use self::suspended::SuspendedInstance;
