//! The services in the catalog.

/// A service that a workspace can subscribe to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) id: &'static str,
    /// The last segment of its `apiUrl`.
    pub(crate) resource: &'static str,
    pub(crate) kind: &'static str,
}

pub(crate) static SERVICES: [Service; 4] = [
    Service { id: "eyevinn-test-adserver", resource: "test-adserverinstance", kind: "instance" },
    Service { id: "minio-minio", resource: "minioinstance", kind: "instance" },
    Service { id: "valkey-io-valkey", resource: "valkeyinstance", kind: "instance" },
    Service { id: "eyevinn-ffmpeg-s3", resource: "ffmpeg-s3instance", kind: "job" },
];

pub(crate) fn find(id: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.id == id)
}
