//! A client for Open Source Cloud, acting on a user's behalf (feature `client`).
//!
//! [`OscContext`] has all calls. A handler gets it from a token or a session; command-line tools and jobs
//! [build](OscContext::builder) it with a personal access token. The other types here are its answers.
//!
//! # Calls
//!
//! Requests are those of OSC's own client for TypeScript, `@osaas/client-core` 0.24, where it has the call; `osc` names commands of
//! its command-line tool `@osaas/cli`. The last column says what becomes of a request that gets no answer because its connection
//! breaks: *once more* requests are idempotent (RFC 9110 §9.2.2) and are repeated once; *no* ones are not sent again, and the
//! error says so. A request that is refused with 401 was not carried out: each call repeats it once with a newer token. Timeouts,
//! 429 and 5xx are left to the caller.
//!
//! | call | TypeScript client | request | safe for the caller to repeat | repeated |
//! |---|---|---|---|---|
//! | [`list_instances`](OscContext::list_instances) | `listInstances` | `GET {apiUrl}` | yes | once more |
//! | [`get_instance`](OscContext::get_instance) | `getInstance` | `GET {apiUrl}/{name}` | yes | once more |
//! | [`create_instance`](OscContext::create_instance) | `createInstance` | `POST {apiUrl}` | a second one says that the name is taken | no: [`MaybeCreated`](ContextErrorKind::MaybeCreated) |
//! | [`create_or_adopt_instance`](OscContext::create_or_adopt_instance) | | the two above | yes | no: it looks for the instance |
//! | [`update_instance`](OscContext::update_instance) | `updateInstance` | `PATCH` `_links.self` | yes, unless somebody else changes the same options | no |
//! | [`remove_instance`](OscContext::remove_instance) | `removeInstance` | `DELETE {apiUrl}/{name}` | yes; a second one says that there is none | once more |
//! | [`restart_instance`](OscContext::restart_instance) | `restartInstance` | `POST` `_links.restart` | it restarts again | no |
//! | [`wait_until_ready`](OscContext::wait_until_ready) | `waitForInstanceReady` | the next one, every second | yes | once more |
//! | [`instance_health`](OscContext::instance_health) | `getInstanceHealth` | `GET` `_links.health` | yes | once more |
//! | [`instance_logs`](OscContext::instance_logs), [`instance_logs_since`](OscContext::instance_logs_since) | `getLogsForInstance` | `GET` `_links.logs` | yes | once more |
//! | [`instance_ports`](OscContext::instance_ports) | `getPortsForInstance` | `GET` `_links.ports` | yes | once more |
//! | [`instance_scaling`](OscContext::instance_scaling) | `getInstanceScaling` | `GET` `_links.scale` | yes | once more |
//! | [`scale_instance`](OscContext::scale_instance) | `scaleInstanceReplicas` | `PUT` `_links.scale` | yes: it sets the number | once more |
//! | [`internal_endpoint`](OscContext::internal_endpoint) | `getInternalEndpoint` | `GET` `_links.internalEndpoint` | yes | once more |
//! | [`create_job`](OscContext::create_job) | `createJob` | as `create_instance` | as `create_instance` | no |
//! | [`list_jobs`](OscContext::list_jobs), [`get_job`](OscContext::get_job) | `listJobs`, `getJob` | as for instances | yes | once more |
//! | [`remove_job`](OscContext::remove_job) | `removeJob` | as `remove_instance` | as `remove_instance` | once more |
//! | [`wait_for_job`](OscContext::wait_for_job) | `waitForJobToComplete` | `get_job`, every second | yes | once more |
//! | [`subscriptions`](OscContext::subscriptions) | `listSubscriptions` | `GET` catalog `/mysubscriptions` | yes | once more |
//! | [`activate_service`](OscContext::activate_service) | `Context.activateService` | `POST` catalog `/mysubscriptions` | yes | no |
//! | [`remove_subscription`](OscContext::remove_subscription) | `removeSubscription` | `DELETE` catalog `/mysubscriptions/{serviceId}` | yes; a second one says that there is none | once more |
//! | [`service_access_token`](OscContext::service_access_token) | `Context.getServiceAccessToken` | `POST` token `/servicetoken` | yes; their number is limited | no |
//! | [`refresh_service_access_token`](OscContext::refresh_service_access_token) | `Context.refreshServiceAccessToken` | the same | yes; their number is limited | no |
//! | [`plan`](OscContext::plan) | | `GET` money `/mytenantplan` | yes | once more |
//! | [`token_balance`](OscContext::token_balance) | | `GET` money `/mytokencount` | yes | once more |
//! | [`my_apps`](OscContext::my_apps) | | `GET` deploy `/myapps` | yes | once more |
//! | [`list_secrets`](OscContext::list_secrets) | `osc secrets list` | `GET` deploy `/mysecrets/{serviceId}` | yes | once more |
//! | [`save_secret`](OscContext::save_secret) | `saveSecret`, `osc secrets create` | `POST` the same | yes: it replaces | no |
//! | [`update_secret`](OscContext::update_secret) | `osc secrets update` | `PUT` the same `/{name}` | yes | once more |
//! | [`remove_secret`](OscContext::remove_secret) | `osc secrets remove` | `DELETE` the same `/{name}` | yes; a second one says that there is none | once more |
//! | [`suspended_instances`](OscContext::suspended_instances) | | `GET` deploy `/mysuspended` | yes | once more |
//! | [`resume_instance`](OscContext::resume_instance) | | `POST` the same `/{serviceId}/{name}/resume` | yes; a second one says that there is none | no |
//!
//! # Where tokens go
//!
//! A personal access token goes to the platform of its own environment. A service access token goes to
//! `https://api-<serviceId>.auto.<environment>[-<site>].osaas.io`, the API of its service, or to the old
//! `https://api-ce.<environment>.osaas.io`. Neither goes anywhere else, whatever the catalog or an instance's links say, and
//! redirects are not followed.

mod access;
mod account;
mod adopt;
mod adopt_step;
mod answer;
mod builder;
mod catalog;
mod context;
mod create;
mod error;
mod hosts;
mod inspect;
mod instance;
mod instances;
mod jobs;
mod platform;
mod reply;
mod request;
mod secrets;
mod service_token;
mod services;
mod source;
mod starts;
mod status;
mod subscribe;
mod suspended;
mod taken;
mod wait;
mod workspace;

pub(crate) use self::access::LIMITS;
pub use self::adopt::Creation;
pub use self::builder::ContextBuilder;
pub use self::catalog::{App, ServiceType, Subscription, TokenBalance};
pub use self::context::OscContext;
pub use self::error::{ContextError, ContextErrorKind};
pub use self::instance::{
    Instance, InstanceHealth, InstanceRef, InternalEndpoint, InternalPort, Port, Scaling,
};
pub(crate) use self::platform::Platform;
pub use self::service_token::ServiceAccessToken;
pub use self::status::{InstanceStatus, JobStatus, Plan};
pub use self::suspended::SuspendedInstance;
pub(crate) use self::workspace::Workspace;
