//! A service that fails, for one request or for all.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use elsa_archiver::simulator::{Fault, FaultPlan};

use super::{Row, Scene, Stage};
use crate::harness::{Due, Job};

pub const SCENES: &[Scene] = &[
    one_failure,
    told_to_whoever_debugs,
    down,
    wrong_key,
    no_zip,
    compressed,
    proxy_wants_a_user,
];

fn status(http: u16, message: &str) -> Fault {
    Fault::Status {
        http,
        error_code: "500".into(),
        message: message.into(),
        retry_after: None,
    }
}

fn one_failure() -> Vec<Row> {
    let stage = Stage::due(2);
    stage
        .world
        .service
        .set_faults(FaultPlan::script([Fault::Reset]));
    let played = stage.when("A request fails", &["once"]);
    played
        .exits(0)
        .prints("attempt failed, trying again")
        .exact()
        .green()
        .row()
}

fn told_to_whoever_debugs() -> Vec<Row> {
    let stage = Stage::due(2);
    let debug = [("RUST_LOG", Path::new("debug"))];
    let played = stage.when_with("`RUST_LOG=debug` is set", &debug, &["once"]);
    played
        .exits(0)
        .prints("… answered … status=200 … bytes=… ms=…")
        .exact()
        .row()
}

/// Four jobs of one account, and a service that is down.
fn four() -> Stage {
    let due = Due::hours(20);
    let names = ["shop", "b", "c", "d"];
    let projects = names.map(|name| due.project(name)).to_vec();
    let mut stage = Stage::with(due, projects);
    stage.projects = names
        .map(|name| (name.to_owned(), vec![name.to_owned()]))
        .to_vec();
    let jobs = names.map(|name| Job::new(name, &stage.due));
    stage.world.configure(&jobs);
    stage
        .world
        .service
        .set_faults(FaultPlan::always(status(503, "Endpoint Error")));
    stage
}

fn down() -> Vec<Row> {
    let stage = four();
    let played = stage.when("The service is down for all jobs of an account", &["once"]);
    let asked = stage.world.service.journal().len();
    assert!(asked <= 3 * 5 + 4 * 5, "{asked} requests");
    let mut rows = played
        .exits(1)
        .prints("… is asked by one request …")
        .leaves("nothing lost; what is due is due")
        .row();
    let played = stage.when("Then", &["status"]);
    let shown = played
        .exits(1)
        .prints("account default: the service is down")
        .unwritten()
        .after("it answers again", |stage| {
            stage.world.service.set_faults(FaultPlan::none())
        })
        .after_running(&["once"])
        .exact()
        .green();
    rows.extend(shown.row());
    rows
}

fn wrong_key() -> Vec<Row> {
    let stage = Stage::due(3);
    stage
        .world
        .set_secret_key("CANARYSECRETKEYTHATISNOTTHERIGHTONE00002");
    let played = stage.when("The key is wrong", &["once"]);
    played
        .exits(1)
        .prints("… access_key and secret_key …")
        .asking(1)
        .after("correcting it", |stage| {
            stage.world.set_secret_key(crate::harness::SECRET_KEY)
        })
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

fn no_zip() -> Vec<Row> {
    let stage = Stage::due(1);
    stage
        .world
        .service
        .set_faults(FaultPlan::always(Fault::Html200));
    let played = stage.when("A page of HTML comes in place of the zip", &["once"]);
    let played = played.exits(1).prints("… what is no zip …");
    assert!(stage.folders().is_empty());
    played
        .leaves("no folder")
        .after("it answers again", |stage| {
            stage.world.service.set_faults(FaultPlan::none())
        })
        .after_running(&["once"])
        .exact()
        .green()
        .row()
}

/// Whoever answers everything so.
fn answering(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 16_384];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer);
        }
    });
    endpoint
}

fn compressed() -> Vec<Row> {
    let stage = Stage::due(1);
    let right = stage.world.config();
    let proxy = answering(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Encoding: gzip\r\n\
          Content-Length: 4\r\nConnection: close\r\n\r\n\x1f\x8b\x08\x00",
    );
    stage
        .world
        .write_config(&right.replace(&stage.world.service.endpoint(), &proxy));
    let played = stage.when("A proxy compresses the answers", &["once"]);
    let played = played.exits(1).prints("… Content-Encoding … gzip …");
    assert!(stage.folders().is_empty());
    played
        .leaves("no folder")
        .after("it passes them as they are", |stage| {
            stage.world.write_config(&right)
        })
        .after_running(&["once"])
        .exact()
        .row()
}

fn proxy_wants_a_user() -> Vec<Row> {
    let stage = Stage::due(1);
    let right = stage.world.config();
    let proxy = answering(
        b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\
          Content-Length: 0\r\nConnection: close\r\n\r\n",
    );
    let account = format!("[account.default]\nproxy = {proxy:?}\n");
    stage
        .world
        .write_config(&right.replace("[account.default]\n", &account));
    let played = stage.when("The company's proxy wants a password", &["once"]);
    let played = played.exits(1).prints(
        "… through the proxy … (account.default.proxy): the proxy answered 407: it wants a user and a password …",
    );
    assert!(stage.folders().is_empty());
    played
        .leaves("no folder")
        .after("it lets pass", |stage| stage.world.write_config(&right))
        .after_running(&["once"])
        .exact()
        .row()
}
