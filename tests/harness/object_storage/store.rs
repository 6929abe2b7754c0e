//! `s3s-fs` behind a lock: its own look and write are two steps, between which another can write. And lies, on request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;

/// How a store breaks its word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lie {
    /// It keeps it.
    #[default]
    None,
    /// A write that has so many before it under its key replaces what is there, whatever its condition.
    Overwrites {
        /// Writes under the key before it.
        after: u32,
    },
    /// All writes do.
    IgnoresConditions,
    /// It does not know conditions.
    KnowsNoConditions,
    /// It refuses all writes with a condition.
    RefusesAll,
    /// What was written is not there yet.
    ReadsLate,
    /// A list lacks it yet.
    ListsLate,
    /// The next write is refused for want of time; then it keeps its word.
    BusyOnce,
    /// Nothing can be removed.
    KeepsAll,
}

/// What lies there, and how it is told.
pub struct Store {
    files: FileSystem,
    lie: Arc<Mutex<Lie>>,
    /// How often each key was written. Whoever holds it writes alone.
    writes: tokio::sync::Mutex<HashMap<String, u32>>,
}

impl Store {
    /// A store of these files.
    pub fn of(files: FileSystem, lie: Arc<Mutex<Lie>>) -> Self {
        Self {
            files,
            lie,
            writes: tokio::sync::Mutex::default(),
        }
    }

    fn lie(&self) -> Lie {
        *self.lie.lock().unwrap()
    }
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn put_object(
        &self,
        mut asked: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let mut writes = self.writes.lock().await;
        let before = writes.entry(asked.input.key.clone()).or_default();
        *before += 1;
        let is_conditional = asked.input.if_none_match.is_some();
        match self.lie() {
            Lie::IgnoresConditions => asked.input.if_none_match = None,
            Lie::Overwrites { after } if *before == after + 1 => asked.input.if_none_match = None,
            Lie::KnowsNoConditions if is_conditional => return Err(s3_error!(NotImplemented)),
            Lie::BusyOnce => {
                *self.lie.lock().unwrap() = Lie::None;
                return Err(s3_error!(SlowDown));
            }
            Lie::RefusesAll if is_conditional => return Err(s3_error!(PreconditionFailed)),
            _ => {}
        }
        self.files.put_object(asked).await
    }

    async fn get_object(
        &self,
        asked: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        match self.lie() {
            Lie::ReadsLate => Err(s3_error!(NoSuchKey)),
            _ => self.files.get_object(asked).await,
        }
    }

    async fn head_object(
        &self,
        asked: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.files.head_object(asked).await
    }

    async fn list_objects_v2(
        &self,
        asked: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let mut found = self.files.list_objects_v2(asked).await?;
        if self.lie() == Lie::ListsLate {
            found.output.contents = None;
        }
        Ok(found)
    }

    async fn delete_object(
        &self,
        asked: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        match self.lie() {
            Lie::KeepsAll => Err(s3_error!(AccessDenied)),
            _ => self.files.delete_object(asked).await,
        }
    }
}
