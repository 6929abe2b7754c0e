//! The network below the client: name look-up with a deadline, and the authorities that TLS trusts.
//! Carries *Bounded* in time. A test replaces it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::tls::Certificate;
use tokio::time::timeout;

/// The network that a client uses. The default is the system's, which is what the program uses.
#[derive(Clone)]
pub struct Network {
    /// Finds the addresses of a host.
    pub resolver: Arc<dyn Resolve>,
    /// Authorities that are trusted besides those of the system; none by default. Nothing that TLS
    /// checks is checked less for them.
    pub also_trusted: Vec<Certificate>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            resolver: Arc::new(System),
            also_trusted: Vec::new(),
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network(also trusts {})", self.also_trusted.len())
    }
}

impl Network {
    /// Configures a client with it; a look-up may take as long as `look_up`.
    pub(super) fn beneath(self, client: ClientBuilder, look_up: Duration) -> ClientBuilder {
        client
            .tls_certs_merge(self.also_trusted)
            .dns_resolver(Arc::new(Bounded {
                resolver: self.resolver,
                limit: look_up,
            }))
    }
}

/// The system's resolver, on a separate thread. An abandoned look-up goes on
/// there, and does not keep the process from ending.
struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<SocketAddr>>().into_iter()) as Addrs)
        })
    }
}

/// Looks names up with a deadline: the system's resolver may hang far longer than a connection may
/// take.
struct Bounded {
    resolver: Arc<dyn Resolve>,
    limit: Duration,
}

impl Resolve for Bounded {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let looking = timeout(self.limit, self.resolver.resolve(name));
        let seconds = self.limit.as_secs();
        Box::pin(async move {
            match looking.await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(error)) => Err(format!("can't look up {host}: {error}").into()),
                Err(_) => Err(format!("looking up {host} took longer than {seconds} s").into()),
            }
        })
    }
}
