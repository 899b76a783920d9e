//! A client for Open Source Cloud that acts on a user's behalf (feature `client`).
//!
//! [`OscContext`] has all calls. A handler gets it from a token or a session. Command-line tools and jobs
//! [build](OscContext::builder) it with a personal access token. The other types in this module are its results and errors.
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
//! | [`list_instances`](OscContext::list_instances) | `listInstances` | `GET {apiUrl}` | yes | yes |
//! | [`get_instance`](OscContext::get_instance) | `getInstance` | `GET {apiUrl}/{name}` | yes | yes |
//! | [`create_instance`](OscContext::create_instance) | `createInstance` | `POST {apiUrl}` | yes; a duplicate returns [`NameTaken`](ContextErrorKind::NameTaken) | no: [`MaybeCreated`](ContextErrorKind::MaybeCreated) |
//! | [`create_or_adopt_instance`](OscContext::create_or_adopt_instance) | | the two above | yes | no: it looks for the instance |
//! | [`update_instance`](OscContext::update_instance) | `updateInstance` | `PATCH` `_links.self` | yes, unless somebody else changes the same options | no |
//! | [`remove_instance`](OscContext::remove_instance) | `removeInstance` | `DELETE {apiUrl}/{name}` | yes; a duplicate returns [`NotFound`](ContextErrorKind::NotFound) | yes |
//! | [`restart_instance`](OscContext::restart_instance) | `restartInstance` | `POST` `_links.restart` | yes; it restarts again | no |
//! | [`wait_until_ready`](OscContext::wait_until_ready) | `waitForInstanceReady` | as `instance_health`, every second | yes | yes |
//! | [`instance_health`](OscContext::instance_health) | `getInstanceHealth` | `GET` `_links.health` | yes | yes |
//! | [`instance_logs`](OscContext::instance_logs), [`instance_logs_since`](OscContext::instance_logs_since) | `getLogsForInstance` | `GET` `_links.logs` | yes | yes |
//! | [`instance_ports`](OscContext::instance_ports) | `getPortsForInstance` | `GET` `_links.ports` | yes | yes |
//! | [`instance_scaling`](OscContext::instance_scaling) | `getInstanceScaling` | `GET` `_links.scale` | yes | yes |
//! | [`scale_instance`](OscContext::scale_instance) | `scaleInstanceReplicas` | `PUT` `_links.scale` | yes; it sets the number | yes |
//! | [`internal_endpoint`](OscContext::internal_endpoint) | `getInternalEndpoint` | `GET` `_links.internalEndpoint` | yes | yes |
//! | [`create_job`](OscContext::create_job) | `createJob` | as `create_instance` | as `create_instance` | no |
//! | [`list_jobs`](OscContext::list_jobs), [`get_job`](OscContext::get_job) | `listJobs`, `getJob` | as for instances | yes | yes |
//! | [`remove_job`](OscContext::remove_job) | `removeJob` | as `remove_instance` | as `remove_instance` | yes |
//! | [`wait_for_job`](OscContext::wait_for_job) | `waitForJobToComplete` | as `get_job`, every second | yes | yes |
//! | [`subscriptions`](OscContext::subscriptions) | `listSubscriptions` | `GET` catalog `/mysubscriptions` | yes | yes |
//! | [`activate_service`](OscContext::activate_service) | `Context.activateService` | `POST` catalog `/mysubscriptions` | yes | no |
//! | [`remove_subscription`](OscContext::remove_subscription) | `removeSubscription` | `DELETE` catalog `/mysubscriptions/{serviceId}` | yes; a duplicate returns [`NotFound`](ContextErrorKind::NotFound) | yes |
//! | [`service_access_token`](OscContext::service_access_token) | `Context.getServiceAccessToken` | `POST` token `/servicetoken` | yes; OSC limits how many it issues | no |
//! | [`refresh_service_access_token`](OscContext::refresh_service_access_token) | `Context.refreshServiceAccessToken` | `POST` token `/servicetoken` | yes; OSC limits how many it issues | no |
//! | [`plan`](OscContext::plan) | | `GET` money `/mytenantplan` | yes | yes |
//! | [`token_balance`](OscContext::token_balance) | | `GET` money `/mytokencount` | yes | yes |
//! | [`my_apps`](OscContext::my_apps) | | `GET` deploy `/myapps` | yes | yes |
//! | [`list_secrets`](OscContext::list_secrets) | `osc secrets list` | `GET` deploy `/mysecrets/{serviceId}` | yes | yes |
//! | [`save_secret`](OscContext::save_secret) | `saveSecret`, `osc secrets create` | `POST` deploy `/mysecrets/{serviceId}` | yes; it replaces the secret | no |
//! | [`update_secret`](OscContext::update_secret) | `osc secrets update` | `PUT` deploy `/mysecrets/{serviceId}/{name}` | yes | yes |
//! | [`remove_secret`](OscContext::remove_secret) | `osc secrets remove` | `DELETE` deploy `/mysecrets/{serviceId}/{name}` | yes; a duplicate returns [`NotFound`](ContextErrorKind::NotFound) | yes |
//! | [`suspended_instances`](OscContext::suspended_instances) | | `GET` deploy `/mysuspended` | yes | yes |
//! | [`resume_instance`](OscContext::resume_instance) | | `POST` deploy `/mysuspended/{serviceId}/{name}/resume` | yes; a duplicate returns [`NotFound`](ContextErrorKind::NotFound) | no |
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
mod error;
mod hosts;
mod inspect;
mod instance;
mod instances;
mod platform;
mod reply;
mod request;
mod secrets;
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
use self::error::Outcome;
pub use self::error::{ContextError, ContextErrorKind};
pub use self::instance::{
    Instance, InstanceHealth, InstanceRef, InternalEndpoint, InternalPort, Port, Scaling,
};
pub(crate) use self::platform::Platform;
pub use self::service_token::ServiceAccessToken;
pub use self::status::{InstanceStatus, JobStatus, Plan};
pub use self::suspended::SuspendedInstance;
