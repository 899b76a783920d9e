//! The services in the catalog.

/// A service that a workspace can subscribe to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) id: &'static str,
    /// The last segment of the `apiUrl`.
    pub(crate) resource: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) publisher: &'static str,
}

impl Service {
    const fn new(id: &'static str, resource: &'static str, kind: &'static str) -> Self {
        Self { id, resource, kind, publisher: "eyevinn" }
    }
}

pub(crate) static SERVICES: [Service; 4] = [
    Service::new("eyevinn-test-adserver", "test-adserverinstance", "instance"),
    Service::new("minio-minio", "minioinstance", "instance"),
    Service::new("valkey-io-valkey", "valkeyinstance", "instance"),
    Service::new("eyevinn-ffmpeg-s3", "ffmpeg-s3instance", "job"),
];

pub(crate) fn find(id: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.id == id)
}
