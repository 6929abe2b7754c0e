//! The real binary and hosts that it can't reach: they are tried as often as their class says, are
//! reported, and hold nobody up: neither the other jobs nor whoever stops the program.

use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use tokio::net::TcpSocket;

use super::authority::{self, Shown};
use super::server::{Script, Server};
use crate::harness::{Due, Job, Ran, World, left_out};

/// The pauses between the attempts of a job, in milliseconds, as the log tells them.
fn pauses(ran: &Ran, job: &str) -> Vec<u64> {
    let lines = ran.stderr.lines();
    lines
        .filter(|line| line.contains("trying again") && line.contains(&format!(" job={job} ")))
        .map(|line| line.split("wait_ms=").nth(1).unwrap().parse().unwrap())
        .collect()
}

/// Guarantee: Isolated
#[tokio::test(flavor = "multi_thread")]
async fn who_can_t_be_reached_is_tried_five_times_and_the_other_account_is_archived() {
    let due = Due::hours(2);
    let world = World::of([due.project("shop")]).await;
    // Nobody can have its port, and nobody listens there.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let impostor = Server::always(Shown::FromElsewhere.tls(), Script::of([])).await;
    let unreachable = [
        ("closed", closed.local_addr().unwrap().port(), "refused"),
        ("impostor", impostor.port, "UnknownIssuer"),
    ];
    let job = |name: &str| Job::new(name, &due).with("account", &format!("{name:?}"));
    world.configure(&[Job::new("shop", &due), job("closed"), job("impostor")]);
    let mut config = world.config();
    for (name, port, _) in unreachable {
        config += &format!(
            "\n[account.{name}]\nendpoint = \"https://127.0.0.1:{port}\"\n\
             access_key = {{ file = {:?} }}\nsecret_key = {{ file = {:?} }}\n",
            world.path("keys/access"),
            world.path("keys/secret"),
        );
    }
    world.write_config(&config);
    let trusted = world.path("authority.pem");
    fs::write(&trusted, authority::pem()).unwrap();

    let ran = world.spawn_with(&["once"], &[("SSL_CERT_FILE", &trusted)]);
    let ran = ran.wait().exits(1);
    world.assert_archived("shop", &due.windows);
    for (name, _, reason) in unreachable {
        // Five attempts at the first window, and none at the second, which would fail alike.
        let pauses = pauses(&ran, name);
        let expected = [500..=1000, 1000..=2000, 2000..=4000, 4000..=8000];
        assert_eq!(pauses.len(), expected.len(), "{ran:#?}");
        for (pause, expected) in pauses.iter().zip(expected) {
            assert!(expected.contains(pause), "{pauses:?}");
        }
        let status = world.status(name);
        assert_eq!(status["due"], 2);
        let error = status["last_error"]["message"].as_str().unwrap();
        assert!(
            error.starts_with("can't connect to ") && error.contains(reason),
            "{error}"
        );
        assert_eq!(world.ledger_lines(name).len(), 1);
        world.assert_archived(name, &[]);
    }
    assert_eq!(impostor.seen.connections(), 5);
    assert_eq!(impostor.seen.requests(), 0);
    assert!(world.staged().is_empty(), "{:?}", world.staged());
}

/// An address of this machine that no name server has.
const NAME_SERVER: &str = "127.5.3.53";

/// Starts a program where `$1` and `$2` are the system's own, by a mount namespace.
const WITH_ANOTHER_RESOLVER: &str = "mount --bind \"$1\" /etc/resolv.conf && \
    mount --bind \"$2\" /etc/nsswitch.conf && shift 2 && exec \"$@\"";

/// Guarantee: Bounded
#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_hangs_in_the_system_is_told_and_does_not_hold_up_the_end() {
    let name_server = match UdpSocket::bind((NAME_SERVER, 53)) {
        Ok(bound) => bound,
        Err(error) => return left_out("a look-up that hangs", error),
    };
    let due = Due::hours(1);
    let world = World::of([]).await;
    let (resolv, nsswitch) = (world.path("resolv.conf"), world.path("nsswitch.conf"));
    // Far longer than any test waits.
    let options = "options timeout:30 attempts:5";
    fs::write(&resolv, format!("nameserver {NAME_SERVER}\n{options}\n")).unwrap();
    fs::write(&nsswitch, "hosts: dns\n").unwrap();
    let starter = [
        "unshare",
        "--mount",
        "--propagation=private",
        "sh",
        "-c",
        WITH_ANOTHER_RESOLVER,
        "sh",
        resolv.to_str().unwrap(),
        nsswitch.to_str().unwrap(),
    ];
    let probe = Command::new(starter[0])
        .args(&starter[1..])
        .arg("true")
        .output();
    match probe {
        Ok(probe) if probe.status.success() => {}
        why => return left_out("a look-up that hangs", format_args!("{why:?}")),
    }
    world.configure(&[Job::new("shop", &due)]);
    let config = world.config();
    world.write_config(&config.replace(&world.service.endpoint(), "https://elsa.test"));

    let mut daemon = world.spawn_by(&starter, &["run"]);
    daemon.wait_until_it_says("looking up elsa.test took longer than 10 s");
    name_server
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    // Both kinds of address, by the first attempt and by the second, which is in the middle of it.
    for _ in 0..4 {
        let mut question = [0; 512];
        let length = name_server.recv(&mut question).unwrap();
        let name = b"\x04elsa\x04test\x00";
        assert!(memchr::memmem::find(&question[..length], name).is_some());
    }
    daemon.terminate();
    // The harness does not wait as long as the look-up would take.
    let ran = daemon.wait().exits(0).says("stopping");
    assert!(!ran.stderr.contains("did not stop in time"), "{ran:#?}");
    assert!(world.staged().is_empty(), "{:?}", world.staged());
}
