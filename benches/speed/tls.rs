//! TLS of the bench's server: a certificate for `localhost`, made afresh.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How a server speaks TLS, and who is to be trusted then.
#[derive(Clone, Debug)]
pub struct Tls {
    /// For the server.
    pub config: Arc<ServerConfig>,
    /// The file that clients are to trust.
    pub trusted: PathBuf,
}

impl Tls {
    /// With the file in `folder`.
    pub fn new(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let trusted = folder.join("trusted.pem");
        fs::write(&trusted, cert.pem())?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(cert)],
                PrivateKeyDer::try_from(signing_key.serialize_der())?,
            )?;
        Ok(Self {
            config: Arc::new(config),
            trusted,
        })
    }
}
