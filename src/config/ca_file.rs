//! Reads `ca_file`: certificates of authorities, in PEM, that are trusted beside the system's (**Suspicious**).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, SectionKind};

use super::problem::printable;

/// How many bytes are read: a system's whole bundle has some 250 KiB.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// A file with certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaFile(PathBuf);

/// Why a file's certificates can't be trusted.
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    /// It can't be read.
    #[error("can't read {}: {error}; check that it is there and readable to this user", shown(.path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It holds what must not be in it, or lacks what must be.
    #[error("{} {wrong}", shown(.path))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        wrong: String,
    },
}

impl CaFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Reads its certificates, at least one, each in DER.
    ///
    /// # Errors
    /// When it can't be read, is larger than 4 MiB, or is no PEM; when a certificate in it is damaged, when there
    /// is none, or when there is a private key.
    pub fn read(&self) -> Result<Vec<CertificateDer<'static>>, CaFileError> {
        let mut bytes = Vec::new();
        File::open(&self.0)
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| CaFileError::Unreadable {
                path: self.0.clone(),
                error,
            })?;
        certificates(&bytes).map_err(|wrong| CaFileError::Wrong {
            path: self.0.clone(),
            wrong,
        })
    }
}

fn certificates(mut bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(
            "has more than 4 MiB; name a file with the company's certificates alone".into(),
        );
    }
    let mut found = Vec::new();
    loop {
        let section = pem::from_buf(&mut bytes).map_err(|_| {
            let after = found.len();
            format!(
                "is no whole PEM file after {after} certificates; save it anew, from -----BEGIN CERTIFICATE----- \
                 to -----END CERTIFICATE-----"
            )
        })?;
        match section {
            None => break,
            Some((SectionKind::Certificate, der)) => {
                let der = CertificateDer::from(der);
                RootCertStore::empty().add(der.clone()).map_err(|_| {
                    let number = found.len() + 1;
                    format!("is damaged: certificate {number} in it can't be read; save it anew")
                })?;
                found.push(der);
            }
            Some((
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey,
                _,
            )) => {
                return Err(
                    "holds a private key, which is nobody's business here: name a file with the authority's \
                     certificates alone, and keep the key where only its owner can read it"
                        .into(),
                );
            }
            // Revocation lists, requests: nothing that is trusted.
            Some(_) => {}
        }
    }
    match found.is_empty() {
        true => Err(
            "holds no certificate; give the authority's in PEM, which begins with -----BEGIN CERTIFICATE----- \
             (from DER: `openssl x509 -inform der -in FILE`)"
                .into(),
        ),
        false => Ok(found),
    }
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}
