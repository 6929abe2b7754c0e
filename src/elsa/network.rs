//! The network below the client: name look-up with a deadline, and the authorities that TLS trusts.
//! Carries *Bounded* in time. A test replaces it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::tls::Certificate;
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio::time::timeout;

use super::client::SetUpError;
use crate::domain::proxy::ProxyAddress;

/// The network that a client uses. The default is the system's, which is what the program uses.
#[derive(Clone)]
pub struct Network {
    /// Finds the addresses of a host.
    pub resolver: Arc<dyn Resolve>,
    /// Authorities that are trusted besides those of the system; none by default. Nothing that TLS
    /// checks is checked less for them.
    pub also_trusted: Vec<Certificate>,
    /// The proxy that all requests go through; by default the environment's (`HTTPS_PROXY`, `NO_PROXY`).
    pub proxy: Option<ProxyAddress>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            resolver: Arc::new(System),
            also_trusted: Vec::new(),
            proxy: None,
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network(also trusts {})", self.also_trusted.len())
    }
}

impl Network {
    /// The same, where these authorities (each in DER) are trusted too.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn trusting<D: AsRef<[u8]>>(
        mut self,
        authorities: impl IntoIterator<Item = D>,
    ) -> Result<Self, SetUpError> {
        for der in authorities {
            let certificate = Certificate::from_der(der.as_ref());
            self.also_trusted
                .push(certificate.map_err(|error| SetUpError(error.to_string()))?);
        }
        Ok(self)
    }

    /// Finds the addresses of a host; that may take as long as `look_up`.
    pub(super) fn resolver(&self, look_up: Duration) -> Arc<dyn Resolve> {
        Arc::new(Bounded {
            resolver: Arc::clone(&self.resolver),
            limit: look_up,
        })
    }

    /// Configures a client with it, except for the proxy.
    pub(super) fn beneath(
        self,
        client: ClientBuilder,
        resolver: Arc<dyn Resolve>,
    ) -> ClientBuilder {
        client
            .tls_certs_merge(self.also_trusted)
            .dns_resolver(resolver)
    }
}

/// Look-ups of the whole process at once. Each takes a thread, also one that nobody waits for any more, and
/// there are only so many: the disk needs them too.
static LOOK_UPS: Semaphore = Semaphore::const_new(8);

/// The system's resolver, on a separate thread. An abandoned look-up goes on
/// there, and does not keep the process from ending.
struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let look_up = async move {
                let found = tokio::net::lookup_host((name.as_str(), 0)).await;
                found.map(Iterator::collect::<Vec<SocketAddr>>)
            };
            let found = in_turn(&LOOK_UPS, look_up).await??;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Waits for a turn, then for the work. Abandoned, the work goes on, and keeps its turn until it ends.
async fn in_turn<T: Send + 'static>(
    turns: &'static Semaphore,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, JoinError> {
    // It is never closed.
    let turn = turns.acquire().await.ok();
    let working = async move {
        let done = work.await;
        drop(turn);
        done
    };
    tokio::spawn(working).await
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

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// Guarantee: Bounded
    #[tokio::test(start_paused = true)]
    async fn a_look_up_that_nobody_waits_for_any_more_keeps_its_turn_until_it_ends() {
        static TURNS: Semaphore = Semaphore::const_new(1);
        let second = Duration::from_secs(1);
        let hangs = in_turn(&TURNS, sleep(60 * second));
        assert!(timeout(second, hangs).await.is_err());
        let waits = in_turn(&TURNS, std::future::ready(()));
        assert!(timeout(50 * second, waits).await.is_err());
        let waits = in_turn(&TURNS, std::future::ready(()));
        timeout(20 * second, waits).await.unwrap().unwrap();
    }
}
