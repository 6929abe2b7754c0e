//! What the gateway answers instead of what was asked for (`ELSA-API.md`, *Errors*).

/// Why a request is not answered with what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GatewayError {
    pub(super) http: u16,
    pub(super) code: String,
    pub(super) message: String,
}

impl GatewayError {
    fn new(http: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            http,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    pub(super) fn bad_request(detail: &str) -> Self {
        Self::new(400, "100", format!("Bad Request: {detail}"))
    }

    pub(super) fn too_large() -> Self {
        Self::new(413, "430", "Request Entity Too Large")
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "300", "Not Found")
    }

    pub(super) fn unexpected(error: &std::io::Error) -> Self {
        Self::new(500, "900", format!("Unexpected Error: {error}"))
    }

    /// The same words for every reason: the gateway does not say which part was wrong.
    pub(super) fn unauthenticated() -> Self {
        Self::new(401, "200", "Authentication Failed")
    }

    pub(super) fn denied() -> Self {
        Self::new(401, "210", "Permission Denied")
    }

    pub(super) fn forbidden() -> Self {
        Self::new(403, "210", "Permission Denied")
    }
}
