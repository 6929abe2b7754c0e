//! The address of an authority that timestamps.

use std::fmt;

use url::{Host, Url};

use super::origin::write_origin;

/// `https://host…` or `http://host…`: many authorities have no other, and an answer of RFC 3161 is signed. Who is on the way can
/// keep it away, or give one that `openssl ts -verify` refuses. Only scheme, host and port are ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorityUrl(Url);

impl AuthorityUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// Says in words what is wrong, and never shows the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        const LIKE: &str = "give one like https://tsa.example/tsr";
        let url = Url::parse(text).map_err(|error| format!("not an address ({error}); {LIKE}"))?;
        match url.scheme() {
            _ if url.host().is_none() => Err(format!("it names no host; {LIKE}")),
            "http" if has_secret(&url) && !is_loopback(&url) => Err(
                "a password, or what follows ?, would go over the network in the clear; give an https:// address"
                    .to_owned(),
            ),
            "https" | "http" if url.fragment().is_none() => Ok(Self(url)),
            "https" | "http" => Err(format!("a part after # is never sent; {LIKE}")),
            // Of `user:password@host` the user may pass for a scheme.
            _ => Err(format!("only https:// and http:// are supported; {LIKE}")),
        }
    }

    /// The address itself, for the request alone.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// Whether the host is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn has_secret(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some() || url.query().is_some()
}

impl fmt::Display for AuthorityUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_origin(&self.0, f)
    }
}

impl fmt::Debug for AuthorityUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorityUrl({self})")
    }
}
