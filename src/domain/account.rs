//! An account: where the service is, and how many requests it may get.

use std::fmt;

use url::{Host, Url};

use super::job::AccountName;

/// Where an account's requests go and how many there may be. Its keys are not here: they are
/// read from their sources when they are needed.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Name of the table in the config.
    pub name: AccountName,
    /// The gateway.
    pub endpoint: Endpoint,
    /// How many requests may be in flight at once, at least 1.
    pub max_in_flight: u32,
    /// How many requests may begin in one second, above 0.
    pub requests_per_second: f64,
}

/// The base address of a gateway: `https://host[:port]`, or `http://` on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
}

impl Endpoint {
    /// Reads an address.
    ///
    /// # Errors
    /// Says in words what is wrong: no address, another scheme, `http://` to a host that is not
    /// this machine (keys would cross the network readable), or a path, query, user or fragment
    /// (only the host is configuration).
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_like(text, "https://elsa.apigw.ntruss.com")
    }

    /// The same of another service, which has an address `like` this.
    ///
    /// # Errors
    /// As [`Endpoint::parse`].
    pub(crate) fn parse_like(text: &str, like: &str) -> Result<Self, String> {
        let url = Url::parse(text)
            .map_err(|error| format!("not an address ({error}); give one like {like}"))?;
        let host = url.host().ok_or("it names no host")?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => return Err("http:// is accepted for loopback only; use https://".into()),
            other => return Err(format!("{other}:// is not supported; use https://")),
        }
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err(format!("give scheme, host and port only, like {like}"));
        }
        Ok(Self { url })
    }

    /// The address of `path` (which begins with `/`) at this gateway.
    #[must_use]
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url
    }

    /// Whether the host is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.url.host().is_some_and(|host| is_loopback(&host))
    }
}

fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Suspicious
    #[test]
    fn keys_never_leave_the_machine_unencrypted() {
        for fine in [
            "https://elsa.apigw.ntruss.com",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost:9",
            "https://elsa.apigw.gov-ntruss.com/",
        ] {
            assert!(Endpoint::parse(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "http://elsa.apigw.ntruss.com",
            "http://10.0.0.1",
            "ftp://localhost",
            "elsa.apigw.ntruss.com",
            "https://user:pw@host",
            "https://host/path",
            "https://host?q",
            "http://localhost.example.com",
            "",
        ] {
            assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_prints_without_a_trailing_slash() {
        let endpoint = Endpoint::parse("https://elsa.apigw.ntruss.com").unwrap();
        assert_eq!(endpoint.to_string(), "https://elsa.apigw.ntruss.com");
        assert_eq!(
            endpoint.join("/api/v1").as_str(),
            "https://elsa.apigw.ntruss.com/api/v1"
        );
    }
}
