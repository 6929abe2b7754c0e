//! A gate before the service: whoever asks waits there until it is opened, so that a disk can be
//! filled at a moment of the test's choice.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::harness::until;

pub struct Gate {
    pub endpoint: String,
    waiting: Arc<AtomicUsize>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// A closed one.
    pub async fn before(service: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let waiting = Arc::<AtomicUsize>::default();
        let (open, opened) = watch::channel(false);
        tokio::spawn({
            let waiting = Arc::clone(&waiting);
            async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    waiting.fetch_add(1, Ordering::SeqCst);
                    let mut opened = opened.clone();
                    tokio::spawn(async move {
                        if opened.wait_for(|open| *open).await.is_ok() {
                            let mut behind = TcpStream::connect(service).await.unwrap();
                            let _ = copy_bidirectional(&mut stream, &mut behind).await;
                        }
                    });
                }
            }
        });
        Self {
            endpoint,
            waiting,
            open,
        }
    }

    /// Waits until so many have come.
    pub fn until_wait(&self, count: usize) {
        until("it asks the service", || {
            self.waiting.load(Ordering::SeqCst) >= count
        });
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }
}
