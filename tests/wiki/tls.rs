//! Whoever answers must prove to be the wiki.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::proxy::{Proxy, ReadWrite, Secure};
use super::site::Site;
use super::{publish, small};

/// An authority, and a certificate by it for `name`, made with openssl.
fn certificate(dir: &Path, name: &str) -> Arc<Secure> {
    let script = format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2 \
             -addext basicConstraints=critical,CA:TRUE
         openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out req.pem -subj /CN=wiki
         printf 'subjectAltName={name}' > ext
         openssl x509 -req -in req.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem"
    );
    let output = Command::new("sh").args(["-ec", &script]).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let chain = vec![CertificateDer::from_pem_file(dir.join("cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(dir.join("key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    Arc::new(move |mut stream| {
        let mut connection = ServerConnection::new(config.clone()).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).ok()?;
        }
        let stream: Box<dyn ReadWrite> = Box::new(StreamOwned::new(connection, stream));
        Some(stream)
    })
}

#[test]
fn only_a_wiki_that_proves_its_name_is_told_the_password() {
    let site = Site::up();
    let program = small();
    let dir = program.dir().join("tls");
    std::fs::create_dir(&dir).unwrap();
    let proxy = Proxy::secured(site.address(), certificate(&dir, "IP:127.0.0.1"));
    let url = format!("https://127.0.0.1:{}/", proxy.port());
    // nobody knows its authority
    publish(&program, &url, &[]).exits(1).says("could not prove who it is").says("SSL_CERT_FILE");
    // it is known, and the name is right
    let roots = dir.join("ca.pem");
    let trusting = small().env("SSL_CERT_FILE", roots.to_str().unwrap());
    publish(&trusting, &url, &[])
        .exits(0)
        .says("3 created")
        .says(&format!("https://127.0.0.1:{}/index.php", proxy.port()));
    // it is known, and the name is another's
    let named = format!("https://localhost:{}/", proxy.port());
    publish(&trusting, &named, &[]).exits(1).says("could not prove who it is").says("localhost");
    // not one request came through a conversation that proved nothing
    let asked = proxy.seen().len();
    publish(&program, &url, &[]).exits(1);
    assert_eq!(proxy.seen().len(), asked);
    let mut plain = std::net::TcpStream::connect(("127.0.0.1", proxy.port().parse::<u16>().unwrap())).unwrap();
    let _ = plain.write_all(b"x").and_then(|()| plain.shutdown(std::net::Shutdown::Write));
    let _ = plain.read(&mut [0; 16]);
}
