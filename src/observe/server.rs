//! Connections: few at once, each for one request and a short time. Carries *Bounded*.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::spawn;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::answer::{Reply, answer, page};
use super::desk::Desk;
use super::watch::Watch;
use crate::durable::off_the_runtime;

/// Connections at once. Others wait until one has ended.
const MOST_CONNECTIONS: usize = 8;
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection may last.
const WHOLE: Duration = Duration::from_secs(20);
/// Bytes of a head; no monitoring sends as many.
const MOST_HEAD_BYTES: usize = 16 * 1024;
/// How long after an error of the listener: mostly there are too many open files.
const PAUSE: Duration = Duration::from_millis(500);

/// Answers whoever comes, for ever.
pub(super) async fn serve(listener: TcpListener, watch: Arc<Watch>, desk: Arc<Desk>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // Nobody closes it.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!("a connection can't be taken: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        let (watch, desk) = (Arc::clone(&watch), Arc::clone(&desk));
        spawn(async move {
            let _place = place;
            if timeout(WHOLE, talk(stream, &watch, &desk)).await.is_err() {
                tracing::debug!("a connection took too long");
            }
        });
    }
}

async fn talk(stream: TcpStream, watch: &Watch, desk: &Arc<Desk>) {
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let local = stream.local_addr().map_or(nowhere, |local| local.ip());
    let service = service_fn(|request| async move {
        // A backlog of years takes a while to be cut into windows.
        let answered = off_the_runtime(|| answer(&request, local, || watch.facts()));
        Ok::<_, Infallible>(match answered {
            Reply::Ready(response) => response,
            Reply::Page(asked, lang) => page(desk.page(asked, lang).await, lang),
        })
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MOST_HEAD_BYTES)
        .keep_alive(false);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!("a connection has broken off: {error}");
    }
}
