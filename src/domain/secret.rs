//! Values that are never printed or written (**Suspicious**).

use std::fmt;

/// Text that can't be shown by accident: it has no `Display`, and its `Debug` hides it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for signing and for the one header that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The keys of an account. The access key counts as a secret too.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Says who signs.
    pub access_key: Secret,
    /// Signs.
    pub secret_key: Secret,
}

impl Keys {
    /// Whether both are the same.
    #[must_use]
    pub(crate) fn are_those(&self, other: &Self) -> bool {
        let texts =
            |keys: &Self| [&keys.access_key, &keys.secret_key].map(|key| key.expose().to_owned());
        texts(self) == texts(other)
    }
}
