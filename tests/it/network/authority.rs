//! A private authority and the certificates of servers, right and wrong, made afresh in each
//! process: no key lies in the repository.

use std::sync::{Arc, LazyLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ED25519, date_time_ymd,
};
use reqwest::tls::Certificate;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, crypto};

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// The authority that clients here trust.
static OURS: LazyLock<Issuer> = LazyLock::new(|| authority("ours"));
/// One that they don't.
static OTHER: LazyLock<Issuer> = LazyLock::new(|| authority("other"));
/// One that says it were ours.
static IMPOSTOR: LazyLock<Issuer> = LazyLock::new(|| authority("ours"));

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// The authority's certificate as a file holds it, for `SSL_CERT_FILE`.
pub fn pem() -> String {
    OURS.pem()
}

/// The authority's certificate, for a client.
pub fn certificate() -> Certificate {
    Certificate::from_der(OURS.der()).unwrap()
}

/// What a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A certificate for `localhost` that is in order.
    Right,
    /// The same, for a server that speaks TLS 1.2 alone.
    RightByTls12,
    /// One whose time is over.
    Expired,
    /// One whose time has not come.
    NotYetValid,
    /// One for another host.
    WrongName,
    /// One from an authority that nobody here trusts.
    FromElsewhere,
    /// One from an authority that goes by the name of ours.
    FromImpostor,
    /// One that it has signed itself.
    SelfSigned,
}

impl Shown {
    /// TLS for such a server: records of at most 64 bytes, so that a cut falls between two of them
    /// often, and nothing to resume a session by, so that every handshake is a whole one.
    pub fn in_small_records(self) -> Arc<ServerConfig> {
        let mut config = self.config();
        config.max_fragment_size = Some(64);
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Arc::new(config)
    }

    /// TLS for such a server.
    pub fn tls(self) -> Arc<ServerConfig> {
        Arc::new(self.config())
    }

    fn config(self) -> ServerConfig {
        // Its signatures are all of one length, so that every handshake is.
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let name = if self == Self::WrongName {
            "elsewhere.example"
        } else {
            "localhost"
        };
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        let (from, to) = match self {
            Self::Expired => (2020, 2021),
            Self::NotYetValid => (3000, 3001),
            _ => (2020, 3000),
        };
        (params.not_before, params.not_after) =
            (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let certificate = match self {
            Self::SelfSigned => params.self_signed(&key),
            Self::FromElsewhere => params.signed_by(&key, &OTHER),
            Self::FromImpostor => params.signed_by(&key, &IMPOSTOR),
            _ => params.signed_by(&key, &OURS),
        };
        let versions = match self {
            Self::RightByTls12 => [&TLS12],
            _ => [&TLS13],
        };
        ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_protocol_versions(&versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(certificate.unwrap())],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap()
    }
}
