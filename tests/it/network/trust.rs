//! Who is believed to be the service: nobody but a host with a certificate for its name, in time,
//! from an authority that is trusted. Anybody else is not told a single byte of a request.

use std::fs;

use elsa_archiver::domain::retry::Failure;
use elsa_archiver::elsa::network::Network;

use super::asking::{assert_followed, client, client_over, download, network};
use super::authority::{self, Shown};
use super::server::{Act, Script, Server};
use crate::harness::{Due, Job, World};

/// A whole answer with an empty zip, and more to come on the same connection.
pub fn empty_zip() -> Vec<u8> {
    let zip = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", zip.len());
    [head.as_bytes(), &zip].concat()
}

fn answering() -> Script {
    Script::of([Act::Send(empty_zip())])
}

const WRONG: [(Shown, &str); 6] = [
    (Shown::Expired, "expired"),
    (Shown::NotYetValid, "not valid yet"),
    (Shown::WrongName, "not valid for name"),
    (Shown::FromElsewhere, "UnknownIssuer"),
    (Shown::FromImpostor, "BadSignature"),
    (Shown::SelfSigned, "UnknownIssuer"),
];

/// Guarantee: Suspicious
#[tokio::test]
async fn whoever_shows_a_wrong_certificate_is_asked_nothing_and_the_reason_is_told() {
    for (shown, reason) in WRONG {
        let server = Server::always(shown.tls(), answering()).await;
        let error = download(&client(server.port)).await.unwrap_err();
        assert_eq!(error.failure, Failure::Unreachable, "{shown:?}: {error}");
        assert_followed(error.failure);
        assert!(error.message.contains(reason), "{shown:?}: {error}");
        assert_eq!(server.seen.requests(), 0, "{shown:?}");
        assert_eq!(
            server.seen.connections(),
            1,
            "{shown:?}: asked again within one attempt"
        );
    }
}

/// Guarantee: Suspicious
#[tokio::test]
async fn an_authority_that_nobody_told_us_to_trust_is_not_trusted() {
    let server = Server::always(Shown::Right.tls(), answering()).await;
    assert!(download(&client(server.port)).await.is_ok());
    let strangers = Network {
        also_trusted: Vec::new(),
        ..network()
    };
    let asked = server.seen.requests();
    let error = download(&client_over(strangers, server.port))
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Unreachable, "{error}");
    assert_eq!(server.seen.requests(), asked);
}

/// The real binary, which is told whom to trust as any program is: by `SSL_CERT_FILE`.
///
/// Guarantee: Suspicious
#[tokio::test(flavor = "multi_thread")]
async fn the_program_trusts_whom_the_system_trusts_and_nobody_else() {
    let due = Due::hours(1);
    let world = World::of([]).await;
    let trusted = world.path("authority.pem");
    fs::write(&trusted, authority::pem()).unwrap();
    let mut cases = vec![(Shown::Right, None, 0)];
    cases.extend(WRONG.map(|(shown, reason)| (shown, Some(reason), 1)));
    for (shown, reason, code) in cases {
        let server = Server::always(shown.tls(), answering()).await;
        world.configure(&[Job::new("shop", &due)]);
        let over_tls = format!("https://localhost:{}", server.port);
        let config = world.config().replace(&world.service.endpoint(), &over_tls);
        world.write_config(&config);
        let ran = world
            .spawn_with(&["check", "--live"], &[("SSL_CERT_FILE", &trusted)])
            .wait()
            .exits(code);
        match reason {
            Some(reason) => {
                let told = format!("{}{}", ran.stdout, ran.stderr);
                assert!(told.contains(reason), "{ran:#?}");
                assert_eq!(server.seen.requests(), 0, "{shown:?}");
            }
            None => assert!(server.seen.requests() > 0, "{ran:#?}"),
        }
    }
}
