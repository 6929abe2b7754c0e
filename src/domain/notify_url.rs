//! The address of a receiver of notices. It is a secret: whoever knows it can speak in our name (**Suspicious**).

use std::fmt;

use url::{Host, Url};

use super::origin::write_origin;

/// `https://host…`, or `http://` on loopback. Only scheme, host and port are ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct NotifyUrl(Url);

impl NotifyUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// Says in words what is wrong, and never shows the text: no address, another scheme, `http://` to a host that
    /// is not this machine, or a fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        const LIKE: &str = "give one like https://hc.example/ID";
        let url = Url::parse(text).map_err(|error| format!("not an address ({error}); {LIKE}"))?;
        let host = url
            .host()
            .ok_or_else(|| format!("it names no host; {LIKE}"))?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => return Err("http:// is accepted for loopback only; use https://".to_owned()),
            // Of `user:password@host` the user may pass for a scheme.
            _ => return Err(format!("only https:// is supported; {LIKE}")),
        }
        if url.fragment().is_some() {
            return Err(format!("a part after # is never sent; {LIKE}"));
        }
        Ok(Self(url))
    }

    /// The address itself, for the request alone.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// The address with one more part of a path, before its query.
    #[must_use]
    pub(crate) fn below(&self, part: &str) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().push(part);
        }
        url
    }

    /// Whether the host is this machine.
    #[must_use]
    pub(crate) fn is_loopback(&self) -> bool {
        self.0.host().is_some_and(|host| is_loopback(&host))
    }
}

fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl fmt::Display for NotifyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_origin(&self.0, f)
    }
}

impl fmt::Debug for NotifyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotifyUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Suspicious
    #[test]
    fn an_address_is_shown_by_its_host_alone_and_an_error_shows_nothing_of_it() {
        for (text, shown) in [
            ("https://hc.example/CANARY", "https://hc.example"),
            (
                "https://CANARY:CANARY@hc.example:8443/x?CANARY=1",
                "https://hc.example:8443",
            ),
            ("http://127.0.0.1:8000/CANARY", "http://127.0.0.1:8000"),
            ("http://[::1]:1/CANARY", "http://[::1]:1"),
        ] {
            let url = NotifyUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("CANARY"));
        }
        for wrong in [
            "http://hc.example/CANARY",
            "http://localhost.example/CANARY",
            "ftp://hc.example/CANARY",
            "hc.example/CANARY",
            "CANARY:x@hc.example",
            "https://hc.example/x#CANARY",
            "https://",
            "CANARY",
            "",
        ] {
            let error = NotifyUrl::parse(wrong).unwrap_err();
            assert!(!error.contains("CANARY"), "{error}");
        }
    }

    #[test]
    fn a_part_goes_to_the_end_of_the_path_and_before_the_query() {
        for (text, below) in [
            ("https://hc.example/id", "https://hc.example/id/fail"),
            ("https://hc.example/id/", "https://hc.example/id/fail"),
            ("https://hc.example", "https://hc.example/fail"),
            (
                "https://hc.example/a/b?create=1",
                "https://hc.example/a/b/fail?create=1",
            ),
        ] {
            let url = NotifyUrl::parse(text).unwrap();
            assert_eq!(url.below("fail").as_str(), below);
        }
    }
}
