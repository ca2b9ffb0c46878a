//! TLS over any stream, with whoever can prove a name by the machine's own roots.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Speaks TLS over `stream` with whoever can prove to be `name`.
pub async fn secure<S: AsyncRead + AsyncWrite + Unpin>(stream: S, name: &str) -> io::Result<TlsStream<S>> {
    static CONFIG: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();
    let config = CONFIG
        .get_or_try_init(|| async {
            let found =
                tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await.map_err(io::Error::other)?;
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(found.certs);
            let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?;
            Ok::<_, io::Error>(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
        })
        .await?;
    let server = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::clone(config)).connect(server, stream).await
}
