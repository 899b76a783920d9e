//! The layer's spans, as a subscriber gets them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::logs::ANOTHER;

/// A span of the layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanRecord {
    /// The name.
    pub name: &'static str,
    /// The level.
    pub level: String,
    /// The names of all fields.
    pub fields: Vec<&'static str>,
    /// The fields that have a value.
    pub values: BTreeMap<&'static str, String>,
}

/// Collects the layer's spans of the current thread until it is dropped. For single-threaded tests, as
/// [`Logs`](crate::Logs).
#[derive(Debug)]
pub struct Spans {
    collected: Collected,
    _guard: DefaultGuard,
}

#[derive(Clone, Debug, Default)]
struct Collected(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    records: Vec<SpanRecord>,
    /// The place of each span that may get more values. The registry uses the ids of closed spans again.
    places: HashMap<u64, usize>,
}

impl Spans {
    /// Starts to collect.
    pub fn collect() -> Self {
        LazyLock::force(&ANOTHER);
        let collected = Collected::default();
        let subscriber = Registry::default().with(collected.clone());
        Self { collected, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Returns the spans so far.
    pub fn all(&self) -> Vec<SpanRecord> {
        self.collected.0.lock().unwrap_or_else(PoisonError::into_inner).records.clone()
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("osc_auth_layer")
}

impl<S: Subscriber> Layer<S> for Collected {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_ours(metadata)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let metadata = attributes.metadata();
        let mut record = SpanRecord {
            name: metadata.name(),
            level: metadata.level().to_string().to_lowercase(),
            fields: metadata.fields().iter().map(|field| field.name()).collect(),
            values: BTreeMap::new(),
        };
        attributes.record(&mut record);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.records.len();
        kept.places.insert(id.into_u64(), place);
        kept.records.push(record);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = kept.places.get(&id.into_u64()).copied() {
            values.record(&mut kept.records[place]);
        }
    }
}

impl Visit for SpanRecord {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.values.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.values.insert(field.name(), format!("{value:?}"));
    }
}
