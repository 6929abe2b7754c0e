//! Signatures of heads, as OpenSSH makes and proves them: PROTOCOL.sshsig, and `ssh-keygen -Y verify`. Ed25519 alone.
//!
//! **Suspicious**: a private key is shown by nothing here.

use std::fmt;
use std::str::FromStr;

use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, Signature, SshSig};
use thiserror::Error;

use super::secret::Secret;

/// What a signature is for: one that was made for something else proves no head.
pub(crate) const NAMESPACE: &str = "elsa-archiver-head";

/// Who signs, in `allowed_signers` (ssh-keygen(1)).
pub(crate) const PRINCIPAL: &str = "elsa-archiver";

/// What begins the line of a public key.
const KIND: &str = "ssh-ed25519";

/// Why a text is no key that signs.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum KeyIs {
    /// No private key of OpenSSH.
    #[error("it is no private key of OpenSSH; `elsa-archiver keygen` makes one")]
    Another,
    /// A passphrase is needed, and nobody is there to type it.
    #[error(
        "it has a passphrase, which nobody types; take it away with `ssh-keygen -p`, or let systemd keep it encrypted"
    )]
    Encrypted,
    /// Of another kind.
    #[error("it is no Ed25519 key; `elsa-archiver keygen` makes one")]
    NotEd25519,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NotRandom,
}

/// Why there is no signature.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Unsigned(String);

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// How people compare it: `SHA256:…`, as `ssh-keygen -l` shows it.
    pub(crate) fn fingerprint(&self) -> String {
        self.data().fingerprint(HashAlg::Sha256).to_string()
    }

    /// Its line of an `allowed_signers` file, without a newline.
    pub(crate) fn allowed_signer(&self) -> String {
        format!("{PRINCIPAL} namespaces=\"{NAMESPACE}\" {self}")
    }

    /// Why a signature is not its own of these bytes; `None` where it is.
    pub(crate) fn refuses(&self, signature: &str, signed: &[u8]) -> Option<&'static str> {
        const NONE: &str = "it is no signature of OpenSSH";
        let Ok(read) = SshSig::from_pem(signature) else {
            return Some(NONE);
        };
        // What is read with indulgence, `ssh-keygen` may refuse. Lines may be of any length.
        let letters = |text: &str| text.split_whitespace().collect::<String>();
        let as_written = read.to_pem(LineEnding::LF).unwrap_or_default();
        if letters(&as_written) != letters(signature) {
            return Some(NONE);
        }
        let signature = read;
        if signature.namespace() != NAMESPACE {
            return Some("it was made for something else than a head");
        }
        if *signature.public_key() != self.data() {
            return Some("it is of another key than the head names");
        }
        let data = SshSig::signed_data(NAMESPACE, signature.hash_alg(), signed);
        let is_signed = data.is_ok_and(|data| {
            let key = UnparsedPublicKey::new(&ED25519, &self.0);
            key.verify(&data, signature.signature_bytes()).is_ok()
        });
        (!is_signed).then_some("it does not sign this head")
    }

    fn data(&self) -> KeyData {
        KeyData::Ed25519(Ed25519PublicKey(self.0))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only memory can lack for so short a line.
        let line = ssh_key::PublicKey::from(self.data()).to_openssh();
        f.write_str(&line.map_err(|_| fmt::Error)?)
    }
}

impl FromStr for PublicKey {
    type Err = &'static str;

    /// Reads what `Display` writes. A comment may follow.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const LIKE: &str = "it is no line like \"ssh-ed25519 AAAA…\"";
        let key = ssh_key::PublicKey::from_openssh(text).map_err(|_| LIKE)?;
        match key.key_data() {
            KeyData::Ed25519(key) if text.starts_with(KIND) => Ok(Self(key.0)),
            _ => Err(LIKE),
        }
    }
}

/// A private key.
pub(crate) struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// Shows its public half.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public)
    }
}

impl SigningKey {
    /// Reads a private key as OpenSSH keeps it.
    ///
    /// # Errors
    /// When it is none, encrypted, or of another kind.
    pub(crate) fn parse(text: &Secret) -> Result<Self, KeyIs> {
        // What a file's last line lacks is not the key's fault.
        let key = PrivateKey::from_openssh(format!("{}\n", text.expose().trim()));
        let key = key.map_err(|_| KeyIs::Another)?;
        if key.is_encrypted() {
            return Err(KeyIs::Encrypted);
        }
        let pair = key.key_data().ed25519().ok_or(KeyIs::NotEd25519)?;
        let (seed, public) = (pair.private.to_bytes(), pair.public.0);
        let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &public);
        Ok(Self {
            pair: pair.map_err(|_| KeyIs::Another)?,
            public: PublicKey(public),
        })
    }

    /// Makes one, and its text as OpenSSH keeps it.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(crate) fn generate() -> Result<(Secret, PublicKey), KeyIs> {
        let mut seed = [0; 32];
        let filled = SystemRandom::new().fill(&mut seed);
        filled.map_err(|_| KeyIs::NotRandom)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyIs::NotRandom)?;
        let public: [u8; 32] = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| KeyIs::NotRandom)?;
        let keys = Ed25519Keypair {
            public: Ed25519PublicKey(public),
            private: Ed25519PrivateKey::from_bytes(&seed),
        };
        let key = PrivateKey::new(KeypairData::Ed25519(keys), PRINCIPAL);
        let text = key.and_then(|key| key.to_openssh(LineEnding::LF));
        let text = text.map_err(|_| KeyIs::Another)?;
        Ok((Secret::new(text.as_str().to_owned()), PublicKey(public)))
    }

    /// Its public half.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a head: what `.head.sig` is.
    ///
    /// # Errors
    /// When memory lacks.
    pub(crate) fn sign(&self, head: &[u8]) -> Result<String, Unsigned> {
        let sign = || {
            let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, head)?;
            let signature = Signature::new(Algorithm::Ed25519, self.pair.sign(&data).as_ref())?;
            let signed = SshSig::new(self.public.data(), NAMESPACE, HashAlg::Sha512, signature)?;
            signed.to_pem(LineEnding::LF)
        };
        let text: Result<String, ssh_key::Error> = sign();
        text.map_err(|error| Unsigned(error.to_string()))
    }
}

/// What signs heads.
#[derive(Debug, Default)]
pub struct Signer {
    /// The key; without one nothing is signed.
    pub(crate) key: Option<SigningKey>,
    /// The key that is to sign later.
    pub(crate) next: Option<PublicKey>,
}

impl Signer {
    /// What proves who has signed; `None` where nothing signs.
    pub(crate) fn public(&self) -> Option<&PublicKey> {
        self.key.as_ref().map(SigningKey::public)
    }

    /// The key that is to sign later, where another signs now.
    pub(crate) fn next_key(&self) -> Option<&PublicKey> {
        let key = self.key.as_ref()?.public();
        self.next.as_ref().filter(|next| *next != key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::parse(&SigningKey::generate().unwrap().0).unwrap()
    }

    /// Guarantee: Evident
    #[test]
    fn what_is_signed_is_proven_by_its_key_and_by_no_other() {
        let (key, other) = (key(), key());
        let signature = key.sign(b"head").unwrap();
        let public = key.public();
        assert_eq!(public.refuses(&signature, b"head"), None);
        let refused =
            |by: &PublicKey, signature: &str, signed: &[u8]| by.refuses(signature, signed).unwrap();
        assert_eq!(
            refused(public, &signature, b"heal"),
            "it does not sign this head"
        );
        assert!(refused(other.public(), &signature, b"head").contains("another key"));
        assert!(refused(public, "", b"head").contains("no signature"));
        // As `ssh-keygen -Y sign -n file` would make it.
        let data = SshSig::signed_data("file", HashAlg::Sha512, b"head").unwrap();
        let signed = Signature::new(Algorithm::Ed25519, key.pair.sign(&data).as_ref()).unwrap();
        let foreign = SshSig::new(public.data(), "file", HashAlg::Sha512, signed).unwrap();
        let foreign = foreign.to_pem(LineEnding::LF).unwrap();
        assert!(refused(public, &foreign, b"head").contains("something else"));
        // No bit of it can be another.
        for at in 0..signature.len() {
            let mut bytes = signature.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            let is_break = signature.as_bytes()[at].is_ascii_whitespace();
            let refused = public.refuses(&changed, b"head");
            assert!(refused.is_some() || is_break, "{at}: {changed}");
        }
    }

    #[test]
    fn a_public_key_is_read_as_it_is_written() {
        let public = key().public().clone();
        assert_eq!(public.to_string().parse(), Ok(public.clone()));
        assert_eq!(format!("{public} me@host").parse(), Ok(public.clone()));
        assert!(public.fingerprint().starts_with("SHA256:"));
        for wrong in ["", "ssh-ed25519", "ssh-rsa AAAA", "ssh-ed25519 AAAA"] {
            assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
        }
    }

    /// Guarantee: Suspicious
    #[test]
    fn a_private_key_is_shown_by_nothing() {
        let (text, public) = SigningKey::generate().unwrap();
        let key = SigningKey::parse(&text).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey({public})"));
        let cut = Secret::new(text.expose()[..200].to_owned());
        assert_eq!(SigningKey::parse(&cut).unwrap_err(), KeyIs::Another);
    }
}
