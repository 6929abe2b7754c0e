//! The address of a company's proxy, whose password is never shown (**Suspicious**).

use std::fmt;

use url::Url;

use super::origin::write_origin;

/// `http://host[:port]` or `https://host[:port]`, with an optional `user:password@`. Nothing shows these two:
/// neither `Display` nor `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyAddress(Url);

impl ProxyAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// Says in words what is wrong, and never shows the text: no address, another scheme, or a path, query or
    /// fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        const LIKE: &str = "give one like http://proxy.example:3128";
        let url = Url::parse(text).map_err(|error| {
            format!(
                "not an address ({error}); {LIKE}, and write what is no letter or digit of a user or a \
                 password as %XX"
            )
        })?;
        match url.scheme() {
            "http" | "https" => {}
            // Of `user:password@host` the user may pass for a scheme.
            _ => return Err(format!("only http:// and https:// are supported; {LIKE}")),
        }
        if url.host().is_none() {
            return Err(format!("it names no host; {LIKE}"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(format!(
                "only scheme, host and port may be given, and user:password@ before the host; {LIKE}, and \
                 write what is no letter or digit of a user or a password as %XX"
            ));
        }
        Ok(Self(url))
    }

    /// The whole address, with user and password, for the one header that carries them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it holds a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.0.password().is_some()
    }
}

impl fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_origin(&self.0, f)
    }
}

impl fmt::Debug for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Suspicious
    #[test]
    fn an_address_is_shown_without_its_user_and_password_and_an_error_shows_nothing_of_it() {
        for (text, shown) in [
            ("http://proxy.example:3128", "http://proxy.example:3128"),
            ("http://proxy.example/", "http://proxy.example"),
            ("https://kim:CANARY@[::1]:8443", "https://[::1]:8443"),
            ("http://kim:p@CANARY@10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("http://CANARY@proxy.example", "http://proxy.example"),
        ] {
            let address = ProxyAddress::parse(text).unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("CANARY"));
        }
        for wrong in [
            "proxy.example:3128",
            "kim:CANARY@proxy.example:3128",
            "socks5://kim:CANARY@proxy.example:1080",
            "http://kim:CANARY#1@proxy.example",
            "http://kim:1/CANARY@proxy.example",
            "http://kim:1?CANARY@proxy.example",
            "http://proxy.example/CANARY",
            "http://proxy.example/proxy.pac?CANARY",
            "http://",
            "",
        ] {
            let error = ProxyAddress::parse(wrong).unwrap_err();
            assert!(!error.contains("CANARY"), "{error}");
        }
    }
}
