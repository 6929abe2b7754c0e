//! An archive, or a copy of one, in a bucket, to be read: the adapter of the storage port. Paths are keys.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::client::{Client, Listed};
use super::reading::Reading;
use crate::archive::storage::{Entry, Lying, Storage};
use crate::clock::Clock;
use crate::config::ObjectStore;
use crate::domain::bucket_address::BucketAddress;
use crate::domain::secret::Keys;

/// Bytes that are kept at once.
const PIECE_BYTES: usize = 256 * 1024;

/// A bucket, or what in it has a prefix.
pub(crate) struct Bucket {
    address: BucketAddress,
    asking: Arc<Asking>,
}

/// Whom to ask, and what waits for the answers: whoever reads an archive does so on threads of its own.
pub(super) struct Asking {
    pub(super) client: Client,
    runtime: Runtime,
}

impl Asking {
    /// Waits for an answer.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }
}

impl Bucket {
    /// The bucket at `address`. Nothing is asked yet.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub(crate) fn at(
        store: &ObjectStore,
        address: BucketAddress,
        keys: Keys,
        clock: Clock,
    ) -> Result<Self, String> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| format!("can't start the runtime: {error}"))?;
        let client = Client::to(store, &address, keys, clock)?;
        Ok(Self {
            address,
            asking: Arc::new(Asking { client, runtime }),
        })
    }

    /// The same bucket, at another address in it.
    pub(crate) fn moved_to(&self, address: BucketAddress) -> Self {
        Self {
            address,
            asking: Arc::clone(&self.asking),
        }
    }

    /// Where it is.
    pub(crate) const fn address(&self) -> &BucketAddress {
        &self.address
    }

    /// Whom to ask.
    pub(super) const fn asking(&self) -> &Arc<Asking> {
        &self.asking
    }

    /// Removes a file; one that is not there is fine.
    ///
    /// # Errors
    /// When it can't be removed.
    pub(super) fn remove(&self, path: &str) -> io::Result<()> {
        let client = &self.asking.client;
        self.asking.wait(client.remove(&self.address.key(path)))
    }

    fn listed(&self, prefix: &str, is_flat: bool) -> io::Result<Listed> {
        let client = &self.asking.client;
        self.asking.wait(client.list(prefix, is_flat, None))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.address)
    }
}

impl Storage for Bucket {
    fn place(&self, path: &str) -> PathBuf {
        PathBuf::from(match path {
            "" => self.address.to_string(),
            path => format!("{}/{path}", self.address),
        })
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let prefix = self.address.keys_below(folder);
        let Listed { objects, folders } = self.listed(&prefix, true)?;
        let entry = |name: &str, is_folder| Entry {
            name: name.to_owned(),
            is_folder,
        };
        let folders = folders.iter().filter_map(|below| {
            let name = below.strip_prefix(&prefix)?.strip_suffix('/')?;
            Some(entry(name, true))
        });
        let files = objects
            .iter()
            .filter_map(|(key, _)| key.strip_prefix(&prefix))
            .map(|name| entry(name, false));
        // Of a folder some tools make an object, which has no name in it.
        let entries = folders.chain(files);
        Ok(entries.filter(|entry| !entry.name.is_empty()).collect())
    }

    fn files_below(&self, folder: &str) -> Vec<Lying> {
        let prefix = self.address.keys_below(folder);
        let found = match self.listed(&prefix, false) {
            Ok(found) => found,
            Err(error) => return vec![Lying::Unlisted(PathBuf::new(), error)],
        };
        let is_marker =
            |key: &str, bytes| bytes == Some(0) && (key.ends_with('/') || key.is_empty());
        let files = found.objects.iter().filter_map(|(key, bytes)| {
            let file = key.strip_prefix(&prefix)?;
            (!is_marker(file, *bytes)).then(|| Lying::File(PathBuf::from(file)))
        });
        files.collect()
    }

    fn is_folder(&self, path: &str) -> io::Result<bool> {
        let prefix = self.address.keys_below(path);
        let client = &self.asking.client;
        let found = self.asking.wait(client.list(&prefix, false, Some(1)))?;
        match found.objects.is_empty() {
            false => Ok(true),
            true => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn length(&self, file: &str) -> io::Result<Option<u64>> {
        let client = &self.asking.client;
        self.asking.wait(client.length(&self.address.key(file)))
    }

    fn open(&self, file: &str) -> io::Result<Box<dyn Read + Send>> {
        let reading = Reading::begin(&self.asking, self.address.key(file))?;
        Ok(Box::new(reading))
    }

    fn open_whole(&self, file: &str, most: u64) -> io::Result<File> {
        let mut reading = Reading::begin(&self.asking, self.address.key(file))?;
        let length = reading.left();
        if length > most {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it has {length} bytes, and its manifest says {most}"),
            ));
        }
        // It has no name, and is gone when it is closed. What this machine lacks says nothing of the file.
        let lacking = |error: io::Error| {
            let why = format!(
                "can't keep it in {}: {error}; set TMPDIR",
                std::env::temp_dir().display()
            );
            io::Error::new(io::ErrorKind::HostUnreachable, why)
        };
        let mut whole = tempfile::tempfile().map_err(lacking)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match reading.read(&mut piece)? {
                0 => break,
                read => whole
                    .write_all(piece.get(..read).unwrap_or_default())
                    .map_err(lacking)?,
            }
        }
        whole.rewind().map_err(lacking)?;
        Ok(whole)
    }
}
