//! Behind a company's wall: requests go through the proxy that is configured, a refusal of the proxy is never
//! taken for the service's, and its password is never shown.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use elsa_archiver::clock::Clock;
use elsa_archiver::domain::proxy::ProxyAddress;
use elsa_archiver::domain::retry::Failure;
use elsa_archiver::elsa::client::{Client, Deadlines};
use elsa_archiver::elsa::error_response::CallError;
use elsa_archiver::elsa::network::Network;
use elsa_archiver::elsa::request::Search;
use tokio::net::TcpSocket;

use super::asking::{account, assert_followed, client_over, download, job, keys, network};
use super::authority::{self, Shown};
use super::program::tls_before;
use super::proxy::{CompanyProxy, Manner};
use super::server::{Act, Script, Server};
use super::stillness::Stillness;
use super::trust::empty_zip;
use crate::harness::{Due, Job, Ran, World};

/// A user and a password that must be escaped in an address, as the operator writes them, and as Basic sends them
/// (`printf 'kim:p@ss:CANARY' | base64`).
const USER: &str = "kim:p%40ss%3ACANARY";
const BASIC: &str = "Basic a2ltOnBAc3M6Q0FOQVJZ";
/// What must never be shown.
const SECRETS: [&str; 4] = ["p%40ss", "p@ss", "CANARY", "a2ltOnBAc3M6Q0FOQVJZ"];

/// A page, as proxies write them.
fn page(status: &str, title: &str) -> String {
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>{title}</title><style>p {{ color: red }}</style></head>\
         <body><h1>Blocked</h1><p>Your request was not allowed.</p></body></html>"
    );
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn through(proxy: &str, port: u16) -> Client {
    let network = Network {
        proxy: Some(ProxyAddress::parse(proxy).unwrap()),
        ..network()
    };
    client_over(network, port)
}

#[track_caller]
fn assert_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

/// Asserts that the proxy is blamed, and nobody else.
#[track_caller]
fn assert_of_proxy(error: &CallError, failure: Failure, proxy: &CompanyProxy, says: &[&str]) {
    assert_eq!(error.failure, failure, "{error}");
    assert_followed(error.failure);
    let message = &error.message;
    let address = proxy.address();
    for part in says
        .iter()
        .chain(&[address.as_str(), "account.default.proxy"])
    {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    for blamed in ["access_key", "permission", "NTP", "the service answered"] {
        assert!(!message.contains(blamed), "{blamed:?} is in {message}");
    }
    assert_secret(message);
}

/// Guarantee: Suspicious
#[tokio::test]
async fn requests_go_through_the_proxy_that_is_configured_with_its_user_and_password() {
    let server = Server::always(Shown::Right.tls(), Script::of([Act::Send(empty_zip())])).await;
    let proxy = CompanyProxy::start(Manner::Asks(BASIC)).await;
    let client = through(&proxy.address_of(USER), server.port);
    download(&client).await.unwrap();
    assert_eq!(server.seen.requests(), 1);
    let heads = proxy.seen.heads();
    let connect = format!("CONNECT localhost:{} HTTP/1.1\r\n", server.port);
    assert!(
        heads.len() == 1 && heads[0].starts_with(&connect),
        "{heads:?}"
    );
    assert_secret(&format!("{client:?}"));
}

/// Guarantee: Suspicious
#[tokio::test]
async fn a_proxy_that_refuses_is_told_from_the_service_and_waited_for_like_a_network() {
    let server = Server::always(Shown::Right.tls(), Script::of([Act::Send(empty_zip())])).await;
    let says = |text: &str| Manner::Says(text.to_owned());
    let negotiate = "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\n\
                     Proxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n";
    let echo = format!("HTTP/1.1 403 {BASIC}\r\n\r\n<html><title>{BASIC} of kim:p@ss:CANARY");
    for (user, manner, expected) in [
        ("", Manner::Asks(BASIC), &["407", "USER:PASSWORD@"][..]),
        (
            USER,
            Manner::Asks("Basic other"),
            &["407", "does not accept"],
        ),
        (
            USER,
            says(negotiate),
            &["407", "Negotiate", "NTLM", "Basic"],
        ),
        (
            "",
            Manner::Says(page("403 Forbidden", "Category: storage")),
            &["403", "Category: storage"],
        ),
        (
            "",
            says("HTTP/1.1 403 Forbidden\r\n\r\n"),
            &["403", "localhost"],
        ),
        (
            "",
            says("HTTP/1.1 502 Bad Gateway\r\n\r\n"),
            &["502", "localhost"],
        ),
        (
            "",
            Manner::Says(page("200 OK", "Log in")),
            &["page", "Log in"],
        ),
        (
            "",
            Manner::Says(page("302 Found", "Log in")),
            &["302", "Log in"],
        ),
        ("", says(""), &["closed the connection"]),
        ("", says("SSH-2.0-OpenSSH_9.2\r\n"), &["not an HTTP proxy"]),
        (USER, Manner::Says(echo), &["403"]),
    ] {
        let proxy = CompanyProxy::start(manner).await;
        let address = match user {
            "" => proxy.address(),
            user => proxy.address_of(user),
        };
        let error = download(&through(&address, server.port)).await.unwrap_err();
        assert_of_proxy(&error, Failure::Unreachable, &proxy, expected);
    }
    assert_eq!(server.seen.requests(), 0);
}

/// A wrong password may lock its user out: it is shown once an attempt.
///
/// Guarantee: Bounded
#[tokio::test]
async fn a_password_that_a_proxy_does_not_accept_is_sent_once_an_attempt() {
    let proxy = CompanyProxy::start(Manner::Asks("Basic other")).await;
    download(&through(&proxy.address_of(USER), 443))
        .await
        .unwrap_err();
    let heads = proxy.seen.heads();
    let with_password = heads.iter().filter(|head| head.contains(BASIC));
    assert_eq!(with_password.count(), 1, "{heads:?}");
}

/// Guarantee: Suspicious
#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    // Nobody can have its port, and nobody listens there.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = format!(
        "http://{USER}@127.0.0.1:{}",
        closed.local_addr().unwrap().port()
    );
    let error = download(&through(&address, 443)).await.unwrap_err();
    assert_eq!(error.failure, Failure::Unreachable, "{error}");
    for part in [
        "the proxy can't be reached",
        "refused",
        "account.default.proxy",
    ] {
        assert!(error.message.contains(part), "{error}");
    }
    assert_secret(&error.message);
}

/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_proxy_that_hangs_is_given_up_after_25_seconds() {
    let stillness = Stillness::begin();
    let proxy = CompanyProxy::start(Manner::Hangs).await;
    let client = through(&proxy.address(), 443);
    let (got, took) = stillness.pass(download(&client), &proxy.seen.hangs).await;
    let error = got.unwrap_err();
    assert_of_proxy(&error, Failure::Unreachable, &proxy, &["25 s"]);
    assert!((25..36).contains(&took.as_secs()), "{took:?}");
}

/// The proxy refuses, and its page hangs or drips: what is told of it does not take long.
///
/// Guarantee: Bounded
#[tokio::test(start_paused = true)]
async fn a_page_that_never_ends_is_not_waited_for() {
    let stillness = Stillness::begin();
    let head = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n<title>Blocked</title>";
    let proxy = CompanyProxy::start(Manner::SaysAndHangs(head)).await;
    let client = through(&proxy.address(), 443);
    let (got, took) = stillness.pass(download(&client), &proxy.seen.hangs).await;
    assert_of_proxy(
        &got.unwrap_err(),
        Failure::Unreachable,
        &proxy,
        &["403", "Blocked"],
    );
    assert!(took.as_secs() < 36, "{took:?}");
}

/// A proxy that reads what is said answers in the service's name.
///
/// Guarantee: Suspicious
#[tokio::test]
async fn a_page_within_tls_is_the_proxy_s_and_json_is_the_service_s() {
    for (status, says) in [
        ("200 OK", "a page"),
        ("302 Found", "302"),
        ("401 Unauthorized", "401"),
        ("403 Forbidden", "403"),
        ("407 Proxy Authentication Required", "407"),
        ("429 Too Many Requests", "429"),
        ("451 Unavailable For Legal Reasons", "451"),
        ("511 Network Authentication Required", "511"),
    ] {
        let answer = Script::of([Act::Send(page(status, "Company").into())]);
        let inspecting = Server::always(Shown::Right.tls(), answer).await;
        let proxy = CompanyProxy::start(Manner::LeadsTo(inspecting.port)).await;
        let error = download(&through(&proxy.address(), 443)).await.unwrap_err();
        assert_of_proxy(&error, Failure::Passing, &proxy, &[says, "Company"]);
    }
    let empty = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let inspecting =
        Server::always(Shown::Right.tls(), Script::of([Act::Send(empty.into())])).await;
    let proxy = CompanyProxy::start(Manner::LeadsTo(inspecting.port)).await;
    let error = download(&through(&proxy.address(), 443)).await.unwrap_err();
    assert_of_proxy(&error, Failure::Passing, &proxy, &["403"]);

    for (status, code, failure) in [
        ("401 Unauthorized", "200", Failure::WrongKey),
        ("401 Unauthorized", "210", Failure::Refused),
        ("404 Not Found", "300", Failure::Rejected),
    ] {
        let body = format!(r#"{{"error":{{"errorCode":"{code}","message":"no"}}}}"#);
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let service =
            Server::always(Shown::Right.tls(), Script::of([Act::Send(answer.into())])).await;
        let proxy = CompanyProxy::start(Manner::Passes).await;
        let error = download(&through(&proxy.address(), service.port))
            .await
            .unwrap_err();
        assert_eq!(error.failure, failure, "{error}");
        assert!(error.message.starts_with("the service answered"), "{error}");
    }
}

/// An endpoint on this machine without TLS: the proxy is given the request itself.
///
/// Guarantee: Suspicious
#[tokio::test]
async fn a_request_that_a_proxy_is_given_whole_is_refused_in_its_own_name() {
    let wants =
        "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
    for (manner, says) in [
        (Manner::Says(wants.to_owned()), "does not accept the user"),
        (Manner::Says(page("403 Forbidden", BASIC)), "403"),
    ] {
        let proxy = CompanyProxy::start(manner).await;
        let network = Network {
            proxy: Some(ProxyAddress::parse(&proxy.address_of(USER)).unwrap()),
            ..network()
        };
        let account = account("http://127.0.0.1:9");
        let deadlines = Deadlines::default();
        let client = Client::over(network, &account, keys(), Clock::system(), deadlines).unwrap();
        let error = download(&client).await.unwrap_err();
        assert_of_proxy(&error, Failure::Passing, &proxy, &[says]);
        let heads = proxy.seen.heads();
        assert!(heads.len() == 1 && heads[0].contains(BASIC), "{heads:?}");
        let searched = client.search(&Search::of_nothing(&job("shop"))).await;
        assert_of_proxy(&searched.unwrap_err(), Failure::Passing, &proxy, &[says]);
    }
}

/// Guarantee: Suspicious
#[tokio::test]
async fn a_proxy_may_be_spoken_to_over_tls_and_must_show_who_it_is() {
    let server = Server::always(Shown::Right.tls(), Script::of([Act::Send(empty_zip())])).await;
    let proxy = CompanyProxy::start(Manner::Asks(BASIC)).await;
    let port = tls_before(([127, 0, 0, 1], proxy.port).into(), Vec::new()).await;
    let address = format!("https://{USER}@localhost:{port}");
    download(&through(&address, server.port)).await.unwrap();
    assert_eq!(proxy.seen.heads().len(), 1);

    let strangers = Network {
        also_trusted: Vec::new(),
        proxy: Some(ProxyAddress::parse(&address).unwrap()),
        ..network()
    };
    let error = download(&client_over(strangers, server.port))
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Unreachable, "{error}");
    for part in ["the proxy can't be reached", "UnknownIssuer", "set ca_file"] {
        assert!(error.message.contains(part), "{error}");
    }
    assert_eq!(proxy.seen.heads().len(), 1);

    proxy.set(Manner::Says(page("403 Forbidden", "no")));
    let error = download(&through(&address, server.port)).await.unwrap_err();
    assert_eq!(error.failure, Failure::Unreachable, "{error}");
    assert!(
        error.message.contains("the proxy did not let it pass"),
        "{error}"
    );
    assert_secret(&error.message);
}

/// Guarantee: Suspicious
#[tokio::test]
async fn a_proxy_that_inspects_tls_is_told_nothing_and_ca_file_is_named() {
    let inspecting = Server::always(Shown::FromElsewhere.tls(), Script::of([])).await;
    let proxy = CompanyProxy::start(Manner::LeadsTo(inspecting.port)).await;
    let error = download(&through(&proxy.address(), 443)).await.unwrap_err();
    assert_of_proxy(
        &error,
        Failure::Unreachable,
        &proxy,
        &["UnknownIssuer", "ca_file"],
    );
    assert_eq!(inspecting.seen.requests(), 0);
    // A wall that inspects without being asked for as a proxy.
    let error = download(&client_over(network(), inspecting.port))
        .await
        .unwrap_err();
    assert!(error.message.contains("ca_file"), "{error}");
}

/// The real binary, and a service that is reached over TLS alone.
struct Walled {
    world: World,
    port: u16,
}

impl Walled {
    async fn of(due: &Due) -> Self {
        let world = World::of([due.project("shop")]).await;
        let plain = world.service.endpoint();
        let service = plain.trim_start_matches("http://").parse().unwrap();
        let port = tls_before(service, Vec::new()).await;
        fs::write(world.path("authority.pem"), authority::pem()).unwrap();
        Self { world, port }
    }

    /// Writes the config with this endpoint and these lines of the account.
    fn configure(&self, due: &Due, endpoint: &str, lines: &str) {
        self.world.configure(&[Job::new("shop", due)]);
        let plain = format!("endpoint = {:?}\n", self.world.service.endpoint());
        let new = format!("endpoint = {endpoint:?}\n{lines}");
        let config = self.world.config();
        assert!(config.contains(&plain));
        self.world.write_config(&config.replace(&plain, &new));
        // It holds a password, and everybody may look into the world's folder.
        let mode = fs::Permissions::from_mode(0o640);
        fs::set_permissions(self.world.path("config.toml"), mode).unwrap();
    }

    fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn trusted(&self) -> String {
        let path = self.world.path("authority.pem");
        format!("ca_file = {:?}\n", path.to_str().unwrap())
    }

    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, Path::new(value)))
            .collect();
        let ran = self.world.spawn_with(args, &variables).wait();
        assert_secret(&format!("{}{}", ran.stdout, ran.stderr));
        ran
    }
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn check_live_names_the_proxy_and_where_it_comes_from_and_ca_file_is_trusted() {
    let due = Due::hours(1);
    let walled = Walled::of(&due).await;
    let proxy = CompanyProxy::start(Manner::Asks(BASIC)).await;
    let address = format!("proxy = {:?}\n", proxy.address_of(USER));
    walled.configure(
        &due,
        &walled.endpoint(),
        &(address.clone() + &walled.trusted()),
    );
    // NO_PROXY is for the environment's proxy.
    let elsewhere = [
        ("HTTPS_PROXY", "http://127.0.0.1:9"),
        ("NO_PROXY", "*"),
        ("RUST_LOG", "trace"),
    ];
    let ran = walled.run(&["check", "--live"], &elsewhere).exits(0);
    let line = format!(
        "goes through the proxy {} (account.default.proxy)",
        proxy.address()
    );
    let ran = ran.shows(&line).shows("the service answers");
    assert!(!ran.stdout.contains("kim"), "{ran:#?}");

    // Without the file nobody vouches for it.
    walled.configure(&due, &walled.endpoint(), &address);
    walled
        .run(&["check", "--live"], &[])
        .exits(1)
        .shows("set ca_file");
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn the_environment_s_proxy_is_used_where_the_config_names_none_and_is_named() {
    let due = Due::hours(1);
    let walled = Walled::of(&due).await;
    // A name that no resolver is asked for: the proxy finds it.
    let service =
        Server::always(Shown::WrongName.tls(), Script::of([Act::Send(empty_zip())])).await;
    let proxy = CompanyProxy::start(Manner::LeadsTo(service.port)).await;
    walled.configure(&due, "https://elsewhere.example", &walled.trusted());
    let address = proxy.address_of(USER);
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let asked = service.seen.requests();
        let ran = walled.run(&["check", "--live"], &[(variable, &address)]);
        let line = format!("goes through the proxy {} ({variable})", proxy.address());
        ran.exits(0).shows(&line);
        assert!(service.seen.requests() > asked);
    }
    assert!(proxy.seen.heads().iter().all(|head| head.contains(BASIC)));

    let passed = proxy.seen.heads().len();
    proxy.set(Manner::Says(page("403 Forbidden", "Not on our list")));
    let ran = walled.run(&["check", "--live"], &[("HTTPS_PROXY", &address)]);
    ran.exits(1).shows("Not on our list").shows("(HTTPS_PROXY)");
    assert!(proxy.seen.heads().len() > passed);

    // This machine is never reached through it.
    let passed = proxy.seen.heads().len();
    walled.configure(&due, &walled.world.service.endpoint(), "");
    let ran = walled.run(
        &["check", "--live"],
        &[("HTTPS_PROXY", &address), ("HTTP_PROXY", &address)],
    );
    assert!(!ran.exits(0).stdout.contains("proxy"));
    // Nor is what NO_PROXY names.
    walled.configure(&due, "https://elsewhere.example", &walled.trusted());
    let variables = [("HTTPS_PROXY", address.as_str()), ("NO_PROXY", ".example")];
    let ran = walled.run(&["check", "--live"], &variables).exits(1);
    assert!(!ran.stdout.contains("proxy"), "{ran:#?}");
    assert_eq!(proxy.seen.heads().len(), passed);
}

/// Guarantee: Self-healing
#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_a_proxy_refused_says_so_and_is_archived_once_it_lets_pass() {
    let due = Due::hours(2);
    let walled = Walled::of(&due).await;
    let proxy = CompanyProxy::start(Manner::Asks("Basic other")).await;
    let lines = format!("proxy = {:?}\n{}", proxy.address_of(USER), walled.trusted());
    walled.configure(&due, &walled.endpoint(), &lines);
    let ran = walled.run(&["once"], &[]).exits(1);
    let attempts = ran.stderr.matches("trying again").count();
    assert_eq!(attempts, 4, "{ran:#?}");
    let world = &walled.world;
    let status = world.status("shop");
    let error = status["last_error"]["message"].as_str().unwrap();
    assert!(
        error.contains("407") && error.contains(&proxy.address()),
        "{error}"
    );
    assert!(!error.contains("access_key"), "{error}");
    assert_secret(&format!("{status} {:?}", world.ledger_lines("shop")));
    assert!(world.requests("shop").is_empty());

    proxy.set(Manner::Asks(BASIC));
    walled.run(&["once"], &[]).exits(0);
    world.assert_archived("shop", &due.windows);
    assert_secret(&format!("{:?}", world.ledger_lines("shop")));
}

/// Guarantee: Candid
#[tokio::test(flavor = "multi_thread")]
async fn a_ca_file_that_is_none_is_told_with_its_line_and_what_to_do() {
    let due = Due::hours(1);
    let walled = Walled::of(&due).await;
    let write = |name: &str, text: &str| {
        let path = walled.world.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let certificate = authority::pem();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let torn = certificate.replace("-----END CERTIFICATE-----", "");
    for (path, expected) in [
        ("/nonexistent/company.pem".to_owned(), "No such file"),
        (
            walled.world.path("keys").to_str().unwrap().to_owned(),
            "Is a directory",
        ),
        (write("empty.pem", ""), "holds no certificate"),
        (write("der.pem", "\u{30}\u{82}"), "holds no certificate"),
        (
            write("both.pem", &(certificate.clone() + &key)),
            "holds a private key",
        ),
        (write("key.pem", &key), "holds a private key"),
        (
            write("broken.pem", &(certificate.clone() + broken)),
            "certificate 2",
        ),
        (write("torn.pem", &torn), "PEM"),
    ] {
        walled.configure(&due, &walled.endpoint(), &format!("ca_file = {path:?}\n"));
        let ran = walled.run(&["check"], &[]).exits(2);
        let line = "config.toml:3: account.default.ca_file: ";
        let ran = ran.says(line).says(expected).says(&path);
        assert!(!ran.stderr.contains("PRIVATE"), "{ran:#?}");
        // Nothing is archived by that account.
        walled.run(&["once"], &[]).exits(2).says(expected);
    }
    walled.configure(&due, &walled.endpoint(), &walled.trusted());
    walled.run(&["check"], &[]).exits(0);
    // One account's mistake holds up no other.
    let other = Job::new("other", &due).with("account", "\"other\"");
    let config = walled.world.config();
    walled.world.configure(&[other]);
    let job = walled.world.config();
    let job = job.split("[[job]]").nth(1).unwrap();
    let account = "[account.other]\nca_file = \"/nonexistent/company.pem\"";
    let keys = config.lines().filter(|line| line.contains("_key = {"));
    let keys = keys.collect::<Vec<_>>().join("\n");
    let both = format!("{config}\n{account}\n{keys}\n\n[[job]]{job}");
    walled.world.write_config(&both);
    let ran = walled.run(&["once"], &[]).exits(1);
    ran.says("account.other: ca_file: can't read /nonexistent/company.pem");
    walled.world.assert_archived("shop", &due.windows);
}
