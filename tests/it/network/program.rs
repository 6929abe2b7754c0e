//! The real binary against the simulator behind TLS, which is cut again and again. It is told whom
//! to trust as any program is: by `SSL_CERT_FILE`.

use std::fs;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::authority::{self, Shown};
use super::wire::{Cut, End, Wire};
use crate::harness::{Due, Job, Ran, World, until};

/// Puts TLS before `service`; the connections that `cuts` names are cut, the ones after them not.
/// Returns the port.
pub async fn tls_before(service: SocketAddr, cuts: Vec<Cut>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tls = TlsAcceptor::from(Shown::Right.in_small_records());
    let mut cuts = cuts.into_iter();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let wire = Wire::new(stream, cuts.next());
            let accepting = tls.accept(wire).into_fallible();
            tokio::spawn(async move {
                let mut stream = match accepting.await {
                    Ok(stream) => stream,
                    Err((_, wire)) => return wire.end_as_cut().await,
                };
                let mut behind = TcpStream::connect(service).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut behind).await;
                stream.into_inner().0.end_as_cut().await;
            });
        }
    });
    port
}

/// A world whose service is reached over TLS alone.
struct Secured {
    world: World,
    endpoint: String,
}

impl Secured {
    async fn of(world: World, cuts: Vec<Cut>) -> Self {
        let plain = world.service.endpoint();
        let service = plain.trim_start_matches("http://").parse().unwrap();
        let port = tls_before(service, cuts).await;
        fs::write(world.path("authority.pem"), authority::pem()).unwrap();
        Self {
            world,
            endpoint: format!("https://localhost:{port}"),
        }
    }

    fn configure(&self, jobs: &[Job]) {
        self.world.configure(jobs);
        let plain = self.world.service.endpoint();
        let config = self.world.config().replace(&plain, &self.endpoint);
        self.world.write_config(&config);
    }

    fn once(&self) -> Ran {
        let trusted = self.world.path("authority.pem");
        let variables = [("SSL_CERT_FILE", trusted.as_path())];
        self.world.spawn_with(&["once"], &variables).wait()
    }
}

/// Guarantee: Exactly once
#[tokio::test(flavor = "multi_thread")]
async fn however_often_tls_is_cut_the_archive_ends_up_exact() {
    let due = Due::hours(1);
    let names: Vec<String> = (0..12).map(|number| format!("job-{number}")).collect();
    let world = World::of(names.iter().map(|name| due.project(name))).await;
    // From within the handshake to beyond the end of the first answer.
    let cuts = (0..24).map(|number| Cut {
        after: number * 160,
        end: if number % 2 == 0 {
            End::Closed
        } else {
            End::Reset
        },
    });
    let secured = Secured::of(world, cuts.collect()).await;
    let jobs: Vec<Job> = names.iter().map(|name| Job::new(name, &due)).collect();
    secured.configure(&jobs);
    let mut torn = 0;
    until("everything is archived", || {
        let ran = secured.once();
        torn += ran.stderr.matches("attempt failed, trying again").count();
        ran.code == Some(0)
    });
    assert!(torn >= 12, "{torn}");
    for name in &names {
        secured.world.assert_archived(name, &due.windows);
    }
    assert!(secured.world.staged().is_empty());
    secured.world.run(&["verify"]).exits(0);
}
