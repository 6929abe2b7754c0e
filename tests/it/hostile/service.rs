//! A service that answers each project with a zip of its own, whatever is asked of it.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

/// Starts it and returns where it is. It ends with the test's process.
pub fn serve(zips: HashMap<String, Vec<u8>>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            // The client may hang up whenever it has seen enough.
            let _ = stream.and_then(|stream| answer(stream, &zips));
        }
    });
    endpoint
}

fn answer(mut stream: TcpStream, zips: &HashMap<String, Vec<u8>>) -> io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    let body = loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&piece[..read]);
        let head = request.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        // The body is whole once it is an object.
        let json = |end| serde_json::from_slice::<Value>(&request[end + 4..]).ok();
        if let Some(body) = head.and_then(json) {
            break body;
        }
    };
    let zip = &zips[body["projectKey"].as_str().unwrap()];
    let length = zip.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    )?;
    stream.write_all(zip)
}
