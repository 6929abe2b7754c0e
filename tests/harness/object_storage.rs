//! An object store: `s3s-fs`, which keeps a folder's files as objects and checks signatures, behind a door that lets no more than so
//! much through.

mod store;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};

pub use self::store::Lie;
use self::store::Store;
use super::World;

/// Its keys. They lie where the harness looks that none is shown.
const KEYS: [&str; 2] = [
    "AKIDEXAMPLE00000001",
    "kEyOfTheObjectStore000000000000000000001",
];

/// An object store on loopback.
pub struct ObjectStorage {
    root: PathBuf,
    door: SocketAddr,
    faults: Arc<Faults>,
    lie: Arc<Mutex<Lie>>,
}

/// What the door does.
#[derive(Debug)]
struct Faults {
    /// Bytes of answers that a connection lets through.
    most: AtomicU64,
    /// How many connections are answered with 503 yet.
    refused: AtomicU64,
    /// Connections so far.
    connections: AtomicU64,
}

impl ObjectStorage {
    /// Starts one with the bucket `logs`, and has the config of `world` name it.
    pub async fn start(world: &World) -> Self {
        let root = world.path("objects");
        fs::create_dir_all(root.join("logs")).unwrap();
        let lie = Arc::new(Mutex::new(Lie::None));
        let files = FileSystem::new(&root).unwrap();
        let mut service = S3ServiceBuilder::new(Store::of(files, Arc::clone(&lie)));
        service.set_auth(SimpleAuth::from_single(KEYS[0], KEYS[1]));
        let inner = serve(service.build()).await;
        let faults = Arc::new(Faults {
            most: AtomicU64::new(u64::MAX),
            refused: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = listener.local_addr().unwrap();
        let at_the_door = Arc::clone(&faults);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, inner, Arc::clone(&at_the_door)));
            }
        });
        for (name, key) in ["s3-access", "s3-secret"].iter().zip(KEYS) {
            fs::write(world.path(format!("keys/{name}")), key).unwrap();
        }
        Self {
            root,
            door,
            faults,
            lie,
        }
    }

    /// The table `[archive.s3]` for it.
    pub fn table(&self, world: &World) -> String {
        let [access, secret] =
            ["s3-access", "s3-secret"].map(|name| world.path(format!("keys/{name}")));
        format!(
            "\n[archive.s3]\nendpoint = \"http://{}\"\nregion = \"kr-standard\"\naccess_key = {{ file = {access:?} }}\n\
             secret_key = {{ file = {secret:?} }}\n",
            self.door
        )
    }

    /// What other tools go by.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.door)),
            ("AWS_REGION", "kr-standard".to_owned()),
            ("AWS_ACCESS_KEY_ID", KEYS[0].to_owned()),
            ("AWS_SECRET_ACCESS_KEY", KEYS[1].to_owned()),
        ]
    }

    /// The folder whose files are the objects of the bucket `logs` with this prefix.
    pub fn folder(&self, prefix: &str) -> PathBuf {
        self.root.join("logs").join(prefix)
    }

    /// From here on a connection is cut after so many bytes of answers.
    pub fn lets_through(&self, bytes: u64) {
        self.faults.most.store(bytes, Ordering::SeqCst);
    }

    /// From here on it tells this lie.
    pub fn tells(&self, lie: Lie) {
        *self.lie.lock().unwrap() = lie;
    }

    /// The next connections are answered with 503.
    pub fn refuses(&self, connections: u64) {
        self.faults.refused.store(connections, Ordering::SeqCst);
    }

    /// How many connections there were.
    pub fn connections(&self) -> u64 {
        self.faults.connections.load(Ordering::SeqCst)
    }
}

async fn serve(service: S3Service) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service.clone());
            tokio::spawn(async move {
                let _ = served.await;
            });
        }
    });
    address
}

async fn pass(mut client: TcpStream, inner: SocketAddr, faults: Arc<Faults>) {
    faults.connections.fetch_add(1, Ordering::SeqCst);
    let is_refused = faults
        .refused
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        });
    if is_refused.is_ok() {
        let _ = client.read(&mut [0; 4096]).await;
        let answer = b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let _ = client.write_all(answer).await;
        return;
    }
    let Ok(server) = TcpStream::connect(inner).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let most = faults.most.load(Ordering::SeqCst);
    let mut from_server = from_server.take(most);
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}
