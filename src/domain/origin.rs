//! Where an address leads, without what of it may be a secret: user, password, path and query. Carries *Suspicious*.

use std::fmt;

use url::Url;

/// Writes scheme, host, and the port where it is not the scheme's own.
pub(super) fn write_origin(url: &Url, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let host = url.host_str().unwrap_or_default();
    write!(f, "{}://{host}", url.scheme())?;
    match url.port() {
        Some(port) => write!(f, ":{port}"),
        None => Ok(()),
    }
}
