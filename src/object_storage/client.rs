//! Requests to a bucket: signed afresh for each attempt, with a deadline on each phase, and tried again where that may help.
//! Carries *Bounded* and *Suspicious*: an address with its signature is in no message.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{ETAG, IF_MATCH, IF_NONE_MATCH, RANGE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use tokio::time::{sleep, timeout};
use url::Url;

use super::failure::Failure;
use crate::clock::Clock;
use crate::config::ObjectStore;
use crate::digest::Digest;
use crate::domain::bucket_address::BucketAddress;
use crate::domain::secret::Keys;
use crate::elsa::client::outward;
use crate::elsa::redact::redact;

/// How long a signature holds: from the request to its arrival.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

/// From the look-up of the host's name to the answer's head.
const HEAD: Duration = Duration::from_secs(60);

/// Between two pieces of an answer, and for the whole of one that is no file.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// How often something is asked for.
pub(super) const ATTEMPTS: u32 = 5;

/// The longest document that is read of an error.
const LONGEST_ERROR: usize = 64 * 1024;

/// The longest page of a list: 1,000 keys of 1,024 bytes, each byte encoded, with what stands around them.
const LONGEST_PAGE: usize = 8 * 1024 * 1024;

/// The most pages of a list, which have ten million keys.
const MOST_PAGES: u32 = 10_000;

/// SHA-256 of what is written, in Base64 (S3's *Checking object integrity*): what arrives changed is refused.
const CHECKSUM: &str = "x-amz-checksum-sha256";

/// A bucket, as it is asked.
pub(super) struct Client {
    http: reqwest::Client,
    bucket: Bucket,
    credentials: Credentials,
    keys: Keys,
    clock: Clock,
}

/// A page of what lies in a bucket.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Keys, and bytes of their objects where they are told.
    pub(super) objects: Vec<(String, Option<u64>)>,
    /// What the keys of folders begin with, up to the slash at the end.
    pub(super) folders: Vec<String>,
}

impl Client {
    /// A client for a bucket.
    ///
    /// # Errors
    /// When TLS can't be set up, or the address is none.
    pub(super) fn to(
        store: &ObjectStore,
        address: &BucketAddress,
        keys: Keys,
        clock: Clock,
    ) -> Result<Self, String> {
        let endpoint = store.endpoint.join("/");
        let style = match store.path_style {
            true => UrlStyle::Path,
            false => UrlStyle::VirtualHost,
        };
        let bucket = Bucket::new(
            endpoint.clone(),
            style,
            address.bucket().to_owned(),
            store.region.clone(),
        )
        .map_err(|error| error.to_string())?;
        let is_direct = store.endpoint.is_loopback();
        Ok(Self {
            http: outward::client(&endpoint, is_direct).map_err(|error| error.to_string())?,
            bucket,
            credentials: Credentials::new(keys.access_key.expose(), keys.secret_key.expose()),
            keys,
            clock,
        })
    }

    /// Everything whose key begins so, page by page; with `is_flat` only what has no further slash, and folders. With `most` no more than so many.
    ///
    /// # Errors
    /// When it can't be listed.
    pub(super) async fn list(
        &self,
        prefix: &str,
        is_flat: bool,
        most: Option<usize>,
    ) -> io::Result<Listed> {
        let (mut found, mut next) = (Listed::default(), None::<String>);
        let mut is_encoded = false;
        for _ in 0..MOST_PAGES {
            let sign = |at: &Timestamp| {
                let mut list = ListObjectsV2::new(&self.bucket, Some(&self.credentials));
                if !is_encoded {
                    // Some servers say that keys are encoded, and don't: a plus sign of a window's name would be a space then.
                    list.query_mut().remove("encoding-type");
                }
                list.with_prefix(prefix);
                if is_flat {
                    list.with_delimiter("/");
                }
                if let Some(most) = most {
                    list.with_max_keys(most);
                }
                if let Some(token) = &next {
                    list.with_continuation_token(token.as_str());
                }
                list.sign_with_time(SIGNED_FOR, at)
            };
            let page = self.page(sign).await?;
            let page = match ListObjectsV2::parse_response(&page) {
                Ok(page) => page,
                // A key with a control character is none of ours, and can be told encoded alone.
                Err(_) if !is_encoded => {
                    is_encoded = true;
                    continue;
                }
                Err(error) => {
                    let why = format!("{error}; a key with control characters may lie there");
                    return Err(unlisted(&why));
                }
            };
            let objects = page.contents.into_iter();
            found
                .objects
                .extend(objects.map(|object| (object.key, object.size)));
            let folders = page.common_prefixes.into_iter();
            found.folders.extend(folders.map(|folder| folder.prefix));
            let is_enough = most.is_some() && !found.objects.is_empty();
            next = page.next_continuation_token;
            if next.is_none() || is_enough {
                found.objects.sort_unstable();
                found.objects.dedup();
                found.folders.sort_unstable();
                found.folders.dedup();
                return Ok(found);
            }
        }
        Err(unlisted("its list has no end"))
    }

    /// How many bytes an object has; `None` where there is none.
    ///
    /// # Errors
    /// When that can't be found out.
    pub(super) async fn length(&self, key: &str) -> io::Result<Option<u64>> {
        let sign = |at: &Timestamp| {
            let head = self.bucket.head_object(Some(&self.credentials), key);
            head.sign_with_time(SIGNED_FOR, at)
        };
        match self.ask(Method::HEAD, &[], sign).await {
            // What `content_length` tells is of the body, which HEAD has not.
            Ok(answer) => length_of(&answer)
                .map(Some)
                .ok_or_else(|| io::Error::other("object storage does not tell its length")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins to read an object; from a byte on where it is the one that has this tag.
    ///
    /// # Errors
    /// When there is none, or it can't be read.
    pub(super) async fn get(&self, key: &str, on: Option<(u64, &str)>) -> io::Result<Response> {
        let sign = |at: &Timestamp| {
            let get = self.bucket.get_object(Some(&self.credentials), key);
            get.sign_with_time(SIGNED_FOR, at)
        };
        let headers = on.map(|(from, tag)| {
            [
                (RANGE, format!("bytes={from}-")),
                (IF_MATCH, tag.to_owned()),
            ]
        });
        let answer = self
            .ask(
                Method::GET,
                headers.as_ref().map_or(&[], |all| &all[..]),
                sign,
            )
            .await?;
        match (on, answer.status()) {
            (None, StatusCode::OK) | (Some(_), StatusCode::PARTIAL_CONTENT) => Ok(answer),
            (_, status) => Err(io::Error::new(
                io::ErrorKind::HostUnreachable,
                format!(
                    "object storage answers {} where a file was asked for",
                    status.as_u16()
                ),
            )),
        }
    }

    /// Writes an object where none is. It is asked once: whether one without an answer was written is found out by reading.
    ///
    /// # Errors
    /// When one is there, or there is no answer that says that it was written.
    pub(super) async fn write_new(&self, key: &str, object: Bytes) -> Result<(), Failure> {
        let checksum = STANDARD.encode(Digest::of(&object).bytes());
        let mut put = self.bucket.put_object(Some(&self.credentials), key);
        // All that begins with `x-amz-` must be signed.
        put.headers_mut().insert(CHECKSUM, checksum.as_str());
        put.headers_mut().insert(IF_NONE_MATCH.as_str(), "*");
        let url = put.sign_with_time(SIGNED_FOR, &self.clock.now().timestamp());
        let asked = self.http.put(url).header(CHECKSUM, &checksum);
        let asked = asked.header(IF_NONE_MATCH, "*").body(object);
        self.answer(asked, false).await.map(drop)
    }

    /// Removes an object; one that is not there is fine.
    ///
    /// # Errors
    /// When it can't be removed.
    pub(super) async fn remove(&self, key: &str) -> io::Result<()> {
        let sign = |at: &Timestamp| {
            let delete = self.bucket.delete_object(Some(&self.credentials), key);
            delete.sign_with_time(SIGNED_FOR, at)
        };
        match self.ask(Method::DELETE, &[], sign).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn page(&self, sign: impl Fn(&Timestamp) -> Url) -> io::Result<String> {
        let mut attempt = 1;
        loop {
            let answer = self.ask(Method::GET, &[], &sign).await?;
            let read = self.document(answer, LONGEST_PAGE).await;
            // One that was torn may be read all the same, and its end be missed.
            let failure = match read {
                Ok(page) if is_whole(&page) => return Ok(page),
                Ok(_) => Failure::silence("object storage gives half a list".to_owned()),
                Err(failure) => failure,
            };
            if attempt == ATTEMPTS {
                return Err(failure.error);
            }
            pause(attempt).await;
            attempt += 1;
        }
    }

    /// Asks until there is an answer that is one.
    async fn ask(
        &self,
        method: Method,
        headers: &[(reqwest::header::HeaderName, String)],
        sign: impl Fn(&Timestamp) -> Url,
    ) -> io::Result<Response> {
        let mut attempt = 1;
        loop {
            let url = sign(&self.clock.now().timestamp());
            let failure = match self.ask_once(method.clone(), headers, url).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if !failure.may_pass || attempt == ATTEMPTS {
                return Err(failure.error);
            }
            pause(attempt).await;
            attempt += 1;
        }
    }

    async fn ask_once(
        &self,
        method: Method,
        headers: &[(reqwest::header::HeaderName, String)],
        url: Url,
    ) -> Result<Response, Failure> {
        let is_bare = method == Method::HEAD;
        let mut asked = self.http.request(method, url);
        for (name, value) in headers {
            asked = asked.header(name, value);
        }
        self.answer(asked, is_bare).await
    }

    /// What is answered, if it is what was asked for. An error has no document where it `is_bare`.
    async fn answer(&self, asked: RequestBuilder, is_bare: bool) -> Result<Response, Failure> {
        let answer = match timeout(HEAD, asked.send()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Failure::silence(self.why(error))),
            Err(_) => {
                let why = format!("object storage did not answer within {} s", HEAD.as_secs());
                return Err(Failure::silence(why));
            }
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        // Without a document the status says enough.
        let document = self
            .document(answer, LONGEST_ERROR)
            .await
            .unwrap_or_default();
        let document = redact(&document, &self.keys);
        Err(Failure::of(status, &document, is_bare))
    }

    async fn document(&self, mut answer: Response, longest: usize) -> Result<String, Failure> {
        let read = async {
            let mut body = Vec::new();
            while let Some(piece) = answer.chunk().await.map_err(|error| self.why(error))? {
                if body.len() + piece.len() > longest {
                    return Err(format!(
                        "object storage answers with more than {longest} bytes"
                    ));
                }
                body.extend_from_slice(&piece);
            }
            String::from_utf8(body).map_err(|_| "object storage answers with no text".to_owned())
        };
        let late = || format!("object storage sent nothing more for {} s", IDLE.as_secs());
        let read = timeout(IDLE, read).await;
        read.unwrap_or_else(|_| Err(late()))
            .map_err(Failure::silence)
    }

    /// Why there was no answer, without the address, which is signed.
    pub(super) fn why(&self, error: reqwest::Error) -> String {
        let why = redact(&outward::why(error), &self.keys);
        format!("object storage can't be reached: {why}")
    }
}

/// Whether a page of a list has its end, and says whether another follows.
fn is_whole(page: &str) -> bool {
    page.trim_end().ends_with("</ListBucketResult>") && page.contains("<IsTruncated>")
}

fn unlisted(why: &str) -> io::Error {
    let why = format!("object storage lists what can't be read: {why}");
    io::Error::new(io::ErrorKind::HostUnreachable, why)
}

/// The length that an answer tells.
pub(super) fn length_of(answer: &Response) -> Option<u64> {
    let length = answer.headers().get(reqwest::header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// The tag of the object that an answer is of.
pub(super) fn tag_of(answer: &Response) -> Option<String> {
    let tag = answer.headers().get(ETAG)?;
    tag.to_str().ok().map(str::to_owned)
}

/// Waits before the next attempt: 1, 2, 4, 8 s, less up to a half.
pub(super) async fn pause(attempt: u32) {
    let whole = 1_u32 << attempt.saturating_sub(1).min(3);
    sleep(Duration::from_secs_f64(
        f64::from(whole) * (1.0 - fastrand::f64() / 2.0),
    ))
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: Complete
    #[test]
    fn a_list_without_its_end_is_none() {
        let page = "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key>\
                    <Size>1</Size></Contents></ListBucketResult>\n";
        assert!(is_whole(page));
        for end in 0..page.trim_end().len() {
            assert!(!is_whole(&page[..end]), "{end}");
        }
        // Whoever does not say whether more follows may have been cut before that.
        assert!(!is_whole("<ListBucketResult></ListBucketResult>"));
    }
}
