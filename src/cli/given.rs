//! A copy of an archive that a command is given: a folder, or a bucket. Where it lies, and how it is read.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::Context;
use super::exit::Stop;
use crate::archive::storage::{Local, Storage};
use crate::config::{Config, ConfigError, ObjectStore};
use crate::domain::bucket_address::BucketAddress;
use crate::object_storage::Bucket;
use crate::printable::printable;

/// A copy, or a part of one.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// What is read.
    pub(super) storage: Arc<dyn Storage>,
    /// What it is called.
    pub(super) shown: String,
    /// Where it is in object storage; `None` for a folder.
    bucket: Option<Arc<Bucket>>,
}

impl Given {
    /// The copy in a folder, or at an address like `s3://bucket/prefix`.
    ///
    /// # Errors
    /// When the address is none, or nothing says how its object storage is reached.
    pub(super) fn of(context: &Context<'_>, place: &Path) -> Result<Self, Stop> {
        match place.to_str().filter(|text| BucketAddress::is_meant(text)) {
            None => Ok(Self::of_folder(place)),
            Some(text) => Ok(Self::of_bucket(bucket(context, text)?)),
        }
    }

    fn of_folder(dir: &Path) -> Self {
        Self {
            storage: Arc::new(Local::at(dir)),
            shown: dir.display().to_string(),
            bucket: None,
        }
    }

    fn of_bucket(bucket: Bucket) -> Self {
        let bucket = Arc::new(bucket);
        Self {
            storage: Arc::clone(&bucket) as Arc<dyn Storage>,
            shown: bucket.address().to_string(),
            bucket: Some(bucket),
        }
    }

    /// What it lies in, and its name in there.
    ///
    /// # Errors
    /// When its whole path can't be found out.
    pub(super) fn above(&self) -> Result<Option<(Self, String)>, Stop> {
        if let Some(bucket) = &self.bucket {
            let above = bucket.address().above();
            return Ok(above.map(|(above, name)| (Self::of_bucket(bucket.moved_to(above)), name)));
        }
        let whole = fs::canonicalize(self.storage.place(""));
        let whole = whole.map_err(|error| self.cant_read(&error))?;
        let (Some(above), Some(name)) = (whole.parent(), whole.file_name()) else {
            return Ok(None);
        };
        let name = name.to_string_lossy().into_owned();
        Ok(Some((Self::of_folder(above), name)))
    }

    /// That it can't be read.
    pub(super) fn cant_read(&self, error: &std::io::Error) -> Stop {
        Stop::failed(format!("can't read {}: {error}", self.shown))
    }
}

/// The bucket at an address, as the config says; without a config, or where that says nothing, as the environment does.
///
/// # Errors
/// When the address is none, or nothing says how its object storage is reached.
pub(super) fn bucket(context: &Context<'_>, text: &str) -> Result<Bucket, Stop> {
    let address = BucketAddress::parse(text);
    let address = address.map_err(|why| Stop::usage(&format!("{}: {why}", printable(text))))?;
    let environment = Context::environment();
    let configured = match Config::load(&context.args.config, context.clock.now()) {
        Ok(config) => config.archive.object_store,
        // An auditor has none, or may not read it.
        Err(ConfigError::Unreadable { .. }) => None,
        Err(error) => return Err(Stop::usage(&error)),
    };
    let failed = |why: &dyn std::fmt::Display| {
        Stop::usage(&format!(
            "{address}: {why}; [archive.s3] of the config, or AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY say how object storage is reached"
        ))
    };
    let store = match configured {
        Some(store) => store,
        None => ObjectStore::of_environment(&environment).map_err(|why| failed(&why))?,
    };
    let keys = store.keys.read(&environment).map_err(|why| failed(&why))?;
    let clock = context.clock.clone();
    let shown = address.to_string();
    Bucket::at(&store, address, keys, clock).map_err(|why| Stop::failed(format!("{shown}: {why}")))
}
