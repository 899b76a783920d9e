//! Makes connections. TLS is set up here, because redis-rs would install a rustls provider for the whole process.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::select_ok;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ProtocolVersion, RedisResult};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::ConfigError;

/// A Redis server, and what a connection to it begins with.
#[derive(Clone)]
pub(super) struct Server {
    info: ConnectionInfo,
    tls: Option<TlsConnector>,
}

/// An open connection. The last clone closes it.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) redis: MultiplexedConnection,
    /// The task that reads and writes a TLS stream, aborted when dropped. redis-rs keeps the task of the other streams itself.
    _driver: Option<Arc<JoinSet<()>>>,
}

impl Server {
    pub(super) fn new(info: ConnectionInfo) -> Result<Self, ConfigError> {
        let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        Ok(Self { info, tls: is_tls.then(tls_connector).transpose()? })
    }

    pub(super) fn place(&self) -> String {
        format!("Redis at {}", self.info.addr())
    }

    /// Connects with this version of the protocol, and authenticates. There is no timeout, so the caller has to set one.
    pub(super) async fn connect(
        &self,
        protocol: ProtocolVersion,
        config: AsyncConnectionConfig,
    ) -> RedisResult<Connection> {
        let config = config.set_connection_timeout(None);
        let settings = self.info.redis_settings().clone().set_protocol(protocol);
        let (redis, driver) = match (&self.tls, self.info.addr()) {
            (Some(tls), ConnectionAddr::TcpTls { host, port, .. }) => {
                let stream = connect_tls(tls, host, *port).await?;
                let (redis, driver) =
                    MultiplexedConnection::new_with_config(&settings, stream, config).await?;
                (redis, Some(Arc::new(JoinSet::from_iter([driver]))))
            }
            _ => {
                let client = Client::open(self.info.clone().set_redis_settings(settings))?;
                (client.get_multiplexed_async_connection_with_config(&config).await?, None)
            }
        };
        Ok(Connection { redis, _driver: driver })
    }
}

async fn connect_tls(tls: &TlsConnector, host: &str, port: u16) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connect = async |address| {
        let stream = TcpStream::connect::<SocketAddr>(address).await?;
        // An operation is one small packet. Without this option, TCP may hold it back to send it with others.
        stream.set_nodelay(true)?;
        tls.connect(name.clone(), stream).await
    };
    // The first address that answers wins, as with redis-rs: one that is dead must not use up the time.
    let addresses = lookup_host((host, port)).await?;
    let attempts: Vec<_> = addresses.map(|address| Box::pin(connect(address))).collect();
    if attempts.is_empty() {
        return Err(io::Error::other("the host has no address"));
    }
    Ok(select_ok(attempts).await?.0)
}

/// Trusts the certificates that the system trusts, or those of the file in `SSL_CERT_FILE`.
fn tls_connector() -> Result<TlsConnector, ConfigError> {
    let unusable = |problem: String| {
        let remedy = "Install the system's root certificates (Debian: ca-certificates), or name the file with the \
                      server's CA in SSL_CERT_FILE.";
        ConfigError::invalid(super::SETTING, problem, remedy)
    };
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let cause = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(unusable(format!("asks for TLS, but the system has no root certificates{cause}")));
    }
    // If the app has installed no provider, these connections get their own. Only the app may install one for the process.
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            unusable(format!("asks for TLS, which the installed rustls provider does not support ({error})"))
        })?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}
