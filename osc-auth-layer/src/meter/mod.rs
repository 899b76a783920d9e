//! Metrics (feature `metrics`), and the words of metrics and spans. Without the feature, nothing is measured and no clock is read.
//!
//! The guide's page `observability` describes them, and a test compares it with what a layer exports. Nothing here is called for a
//! request whose session needs no work.

mod words;

#[cfg(feature = "metrics")]
use std::time::Instant;

use http::StatusCode;

pub(crate) use self::words::{
    Callback, Cause, End, ProviderAnswer, ProviderEndpoint, Refresh, SignIn, StoreOperation, StoreResult,
};

/// True if metrics are counted.
pub(crate) const IS_ON: bool = cfg!(feature = "metrics");

const SIGN_INS_STARTED: &str = "osc_auth_sign_ins_started_total";
const SIGN_INS: &str = "osc_auth_sign_ins_total";
const CALLBACKS: &str = "osc_auth_callbacks_total";
const SIGN_OUTS: &str = "osc_auth_sign_outs_total";
const SESSIONS: &str = "osc_auth_sessions";
const SESSIONS_ENDED: &str = "osc_auth_sessions_ended_total";
const REFRESHES: &str = "osc_auth_refreshes_total";
const REFRESH_DURATION: &str = "osc_auth_refresh_duration_seconds";
const LEASE_WAIT: &str = "osc_auth_lease_wait_seconds";
const STORE_OPERATION: &str = "osc_auth_store_operation_duration_seconds";
const STORE_UP: &str = "osc_auth_store_up";
const STORE_NOTIFIES: &str = "osc_auth_store_notifications_trusted";
const PROVIDER_REQUEST: &str = "osc_auth_provider_request_duration_seconds";
const ANSWERS: &str = "osc_auth_answers_total";

/// Describes the metrics to the app's recorder. Counters with few labels start at 0, because a query for an increase misses the
/// first one of a counter that appears with it.
pub(crate) fn describe() {
    #[cfg(feature = "metrics")]
    {
        use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

        describe_counter!(SIGN_INS_STARTED, Unit::Count, "Sign-ins that sent a browser to the provider.");
        describe_counter!(SIGN_INS, Unit::Count, "Sign-ins that ended, by outcome.");
        describe_counter!(CALLBACKS, Unit::Count, "Requests for the callback path, by outcome.");
        describe_counter!(
            SIGN_OUTS,
            Unit::Count,
            "Requests for the sign-out path that signed a browser out."
        );
        describe_gauge!(SESSIONS, Unit::Count, "Sessions in the memory of this process.");
        describe_counter!(SESSIONS_ENDED, Unit::Count, "Sessions that this process ended, by reason.");
        describe_counter!(REFRESHES, Unit::Count, "Refreshes of tokens, by cause and outcome.");
        describe_histogram!(REFRESH_DURATION, Unit::Seconds, "Duration of refreshes, waits included.");
        describe_histogram!(LEASE_WAIT, Unit::Seconds, "Waits of a refresh for that of another node.");
        describe_histogram!(STORE_OPERATION, Unit::Seconds, "Duration of operations of the session store.");
        describe_gauge!(STORE_UP, Unit::Count, "1 if the session store did its last operation, else 0.");
        describe_gauge!(
            STORE_NOTIFIES,
            Unit::Count,
            "1 if changes in the store are known to arrive, else 0."
        );
        describe_histogram!(PROVIDER_REQUEST, Unit::Seconds, "Duration of requests to the provider.");
        describe_counter!(ANSWERS, Unit::Count, "Refusals that the layer answered by itself, by error.");

        metrics::gauge!(SESSIONS).increment(0.0);
        begin(SIGN_INS_STARTED, &[]);
        begin(SIGN_OUTS, &[]);
        SignIn::ALL.iter().for_each(|outcome| begin(SIGN_INS, &[("outcome", outcome.word())]));
        Callback::ALL.iter().for_each(|outcome| begin(CALLBACKS, &[("outcome", outcome.word())]));
        End::ALL.iter().for_each(|reason| begin(SESSIONS_ENDED, &[("reason", reason.word())]));
        for cause in Cause::ALL {
            for outcome in Refresh::ALL {
                begin(REFRESHES, &[("cause", cause.word()), ("outcome", outcome.word())]);
            }
        }
    }
}

/// Labels and their values.
type Labels<'l> = &'l [(&'static str, &'static str)];

#[cfg(feature = "metrics")]
fn begin(name: &'static str, labels: Labels<'_>) {
    metrics::counter!(name, labels).increment(0);
}

fn count(name: &'static str, labels: Labels<'_>) {
    #[cfg(feature = "metrics")]
    metrics::counter!(name, labels).increment(1);
    #[cfg(not(feature = "metrics"))]
    let _ = (name, labels);
}

fn observe(name: &'static str, labels: Labels<'_>, timer: Timer) {
    #[cfg(feature = "metrics")]
    metrics::histogram!(name, labels).record(timer.begun.elapsed().as_secs_f64());
    #[cfg(not(feature = "metrics"))]
    let _ = (name, labels, timer);
}

fn show(name: &'static str, is_so: bool) {
    #[cfg(feature = "metrics")]
    metrics::gauge!(name).set(f64::from(u8::from(is_so)));
    #[cfg(not(feature = "metrics"))]
    let _ = (name, is_so);
}

/// The beginning of something that takes time, by the process's own clock.
#[derive(Clone, Copy)]
pub(crate) struct Timer {
    #[cfg(feature = "metrics")]
    begun: Instant,
}

impl Timer {
    pub(crate) fn start() -> Self {
        Self {
            #[cfg(feature = "metrics")]
            begun: Instant::now(),
        }
    }
}

pub(crate) fn sign_in_started() {
    count(SIGN_INS_STARTED, &[]);
}

pub(crate) fn sign_in_ended(outcome: SignIn) {
    count(SIGN_INS, &[("outcome", outcome.word())]);
}

pub(crate) fn callback(outcome: Callback) {
    count(CALLBACKS, &[("outcome", outcome.word())]);
}

pub(crate) fn signed_out() {
    count(SIGN_OUTS, &[]);
}

/// Counts the sessions that entered the memory of this process. A negative number left it. Changes add up, because a process may
/// have several layers.
pub(crate) fn sessions_changed(by: isize) {
    #[cfg(feature = "metrics")]
    metrics::gauge!(SESSIONS).increment(by as f64);
    #[cfg(not(feature = "metrics"))]
    let _ = (SESSIONS, by);
}

pub(crate) fn session_ended(reason: End) {
    count(SESSIONS_ENDED, &[("reason", reason.word())]);
}

pub(crate) fn refreshed(cause: Cause, outcome: Refresh, timer: Timer) {
    count(REFRESHES, &[("cause", cause.word()), ("outcome", outcome.word())]);
    observe(REFRESH_DURATION, &[("outcome", outcome.word())], timer);
}

/// The wait of a refresh for that of another node. Counted when it ends or is dropped.
#[derive(Default)]
pub(crate) struct LeaseWait(Option<Timer>);

impl LeaseWait {
    /// Begins the wait, unless it has begun.
    pub(crate) fn begin(&mut self) {
        self.0.get_or_insert_with(Timer::start);
    }

    pub(crate) fn end(&mut self) {
        if let Some(timer) = self.0.take() {
            observe(LEASE_WAIT, &[], timer);
        }
    }
}

impl Drop for LeaseWait {
    fn drop(&mut self) {
        self.end();
    }
}

pub(crate) fn store_asked(operation: StoreOperation, result: StoreResult, timer: Timer) {
    observe(STORE_OPERATION, &[("operation", operation.word()), ("result", result.word())], timer);
    show(STORE_UP, matches!(result, StoreResult::Ok | StoreResult::Conflict));
}

pub(crate) fn store_notifies(is_trusted: bool) {
    show(STORE_NOTIFIES, is_trusted);
}

pub(crate) fn provider_asked(endpoint: ProviderEndpoint, answer: ProviderAnswer, timer: Timer) {
    observe(PROVIDER_REQUEST, &[("endpoint", endpoint.word()), ("outcome", answer.word())], timer);
}

pub(crate) fn answered(error: &'static str, status: StatusCode) {
    count(ANSWERS, &[("error", error), ("status", status_word(status))]);
}

/// Returns the status as a word. The app may choose another one for outages.
fn status_word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "200",
        303 => "303",
        400 => "400",
        401 => "401",
        403 => "403",
        405 => "405",
        409 => "409",
        500 => "500",
        502 => "502",
        503 => "503",
        _ => "other",
    }
}
