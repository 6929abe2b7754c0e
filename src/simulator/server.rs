//! Connections: accepts them, and answers one request after another on each.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::domain::span::UtcMs;

use super::fault::Fault;
use super::gateway;
use super::gateway_error::GatewayError;
use super::http::Reader;
use super::journal::{Entry, Ticket};
use super::reply::{Delivery, Ending, Reply, until_gone};
use super::request::Request;
use super::state::State;

/// How long accepting rests after it failed, which it does when the process is out of files.
const ACCEPT_REST: Duration = Duration::from_millis(20);

/// Accepts connections until the simulator ends.
pub(super) async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let state = Arc::clone(&state);
                state.tasks.clone().spawn(async move {
                    let stop = state.stop.clone();
                    stop.run_until_cancelled(connection(stream, &state)).await;
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_REST).await,
        }
    }
}

async fn connection(mut stream: TcpStream, state: &Arc<State>) {
    // Without it, a drip would arrive in larger pieces. That is no reason to fail.
    let _ = stream.set_nodelay(true);
    if let Ok(Ending::Reset) = serve(&mut stream, state).await {
        let _ = stream.set_zero_linger();
    }
}

/// Answers requests until one of them leaves the connection unusable, or the client closes it.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    state: &Arc<State>,
) -> io::Result<Ending> {
    let mut reader = Reader::default();
    while let Some(incoming) = reader.next(stream).await? {
        let now = state.now();
        let mut entry = Entry::arrived(now);
        let is_readable = incoming.is_ok();
        let keep_alive = incoming.as_ref().is_ok_and(|request| request.keep_alive);
        let admitted = incoming.and_then(|request| {
            let search = state.live().search.access;
            let (accounts, projects) = (&state.accounts, &state.projects);
            gateway::admit(&request, now, accounts, projects, search, &mut entry)
        });
        let ticket = Ticket {
            journal: &state.journal,
            number: state.journal.push(entry),
        };
        let ended = answer(stream, state, admitted, now, keep_alive, &ticket).await;
        ticket.finished();
        if !is_readable {
            // Closing with unread bytes would reset the connection, and the answer with it.
            stream.shutdown().await?;
            until_gone(stream).await;
        }
        match ended? {
            Ending::KeepAlive => {}
            ending => return Ok(ending),
        }
    }
    Ok(Ending::Close)
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    state: &Arc<State>,
    admitted: Result<(usize, Request), GatewayError>,
    now: UtcMs,
    keep_alive: bool,
    ticket: &Ticket<'_>,
) -> io::Result<Ending> {
    let (place, request) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => {
            let delivery = Delivery::new(Reply::refusal(&refusal), None);
            return delivery
                .send(stream, state.date(), keep_alive, ticket)
                .await;
        }
    };
    let fault = state.next_fault(request.call(), place);
    if let Some(fault) = &fault {
        ticket.spoilt(fault);
    }
    match fault {
        Some(Fault::Reset) => return Ok(Ending::Reset),
        Some(Fault::StallBeforeHeaders) => {
            until_gone(stream).await;
            return Ok(Ending::Close);
        }
        _ => {}
    }
    let latency = state.latency();
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let reply = match fault.as_ref().and_then(Reply::instead) {
        Some(reply) => reply,
        None => state.answer(place, request, fault.clone(), now).await,
    };
    Delivery::new(reply, fault.as_ref())
        .send(stream, state.date(), keep_alive, ticket)
        .await
}
