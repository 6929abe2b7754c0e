//! Where an archive, or a copy of one, lies in object storage: `s3://bucket/prefix`. Pure.

use std::fmt;

/// What such an address begins with.
const SCHEME: &str = "s3://";

/// A bucket, and what the keys of all objects in it begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketAddress {
    bucket: String,
    /// Without a slash at its ends; empty for the whole bucket.
    prefix: String,
}

impl BucketAddress {
    /// Whether a text is meant to be one.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        let begin = text.get(..SCHEME.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(SCHEME))
    }

    /// Reads an address. Slashes at its end count for nothing.
    ///
    /// # Errors
    /// Says in words what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let like = "give one like s3://bucket/prefix";
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| format!("it does not begin with {SCHEME}; {like}"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        // The vendor's rules for names, which are S3's.
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(is_plain) {
            return Err(format!(
                "a bucket's name has 3 to 63 characters of a-z, 0-9, '.' and '-'; {like}"
            ));
        }
        let prefix = prefix.trim_end_matches('/');
        let is_name = |name: &str| !matches!(name, "" | "." | "..");
        if !prefix.is_empty() && !prefix.split('/').all(is_name) {
            return Err(format!(
                "an empty name, '.' or '..' is in its prefix; {like}"
            ));
        }
        if prefix.chars().any(char::is_control) {
            return Err("a control character is in its prefix".to_owned());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key of what has this path in it.
    #[must_use]
    pub fn key(&self, path: &str) -> String {
        match (self.prefix.as_str(), path) {
            (prefix, "") => prefix.to_owned(),
            ("", path) => path.to_owned(),
            (prefix, path) => format!("{prefix}/{path}"),
        }
    }

    /// What the keys of all that lies in this folder begin with; nothing for the whole bucket.
    #[must_use]
    pub fn keys_below(&self, folder: &str) -> String {
        match self.key(folder) {
            key if key.is_empty() => key,
            key => key + "/",
        }
    }

    /// What it lies in, and its name in there; `None` for a whole bucket.
    #[must_use]
    pub fn above(&self) -> Option<(Self, String)> {
        if self.prefix.is_empty() {
            return None;
        }
        let (above, name) = self.prefix.rsplit_once('/').unwrap_or(("", &self.prefix));
        let above = Self {
            bucket: self.bucket.clone(),
            prefix: above.to_owned(),
        };
        Some((above, name.to_owned()))
    }
}

impl fmt::Display for BucketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.bucket)?;
        match self.prefix.as_str() {
            "" => Ok(()),
            prefix => write!(f, "/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_bucket_and_a_prefix_and_what_is_none_is_refused() {
        let read = |text| BucketAddress::parse(text).map(|address| address.to_string());
        assert_eq!(read("s3://logs").unwrap(), "s3://logs");
        assert_eq!(read("s3://logs/").unwrap(), "s3://logs");
        assert_eq!(read("s3://logs/a/b//").unwrap(), "s3://logs/a/b");
        for wrong in [
            "logs",
            "s3://",
            "s3://ab",
            "s3://Logs",
            "s3://user:key@logs",
            "s3://logs//a",
            "s3://logs/a/../b",
            "s3://logs/a\u{1b}b",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_are_paths_below_the_prefix() {
        let whole = BucketAddress::parse("s3://logs").unwrap();
        let part = BucketAddress::parse("s3://logs/a/b").unwrap();
        assert_eq!(whole.keys_below(""), "");
        assert_eq!(part.keys_below(""), "a/b/");
        assert_eq!(whole.key("shop/x"), "shop/x");
        assert_eq!(part.key("shop/x"), "a/b/shop/x");
        assert_eq!(part.keys_below("shop"), "a/b/shop/");
        let (above, name) = part.above().unwrap();
        assert_eq!(
            (above.to_string().as_str(), name.as_str()),
            ("s3://logs/a", "b")
        );
        assert_eq!(above.above().unwrap().0, whole);
        assert!(whole.above().is_none());
    }
}
