//! A bucket of a server with the interface of S3.
//!
//! Objects are named as restic names them: packs below `data/` in folders of two digits. Each request is signed in its
//! address, for as long as one may take. The bucket stands in the path, which every server understands.

use std::time::Duration;

use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, S3Action, UrlStyle};
use zeroize::Zeroizing;

use super::{Call, Credentials, Page, Protocol, RemoteError, Request};

/// How long a signature holds: longer than the largest pack takes over a slow line, and short enough that one that was
/// logged by a proxy is of little use.
const SIGNED: Duration = Duration::from_secs(15 * 60);
/// Where a bucket is if nobody says it; most servers that are not Amazon's take any.
const REGION: &str = "us-east-1";

/// A bucket, and what the names in it begin with.
#[derive(Debug)]
pub(super) struct S3 {
    bucket: Bucket,
    /// Either nothing, or something that ends with a slash.
    prefix: String,
    credentials: rusty_s3::Credentials,
}

impl S3 {
    pub(super) fn at(
        endpoint: &str,
        bucket: &str,
        prefix: &str,
        credentials: &Credentials,
    ) -> Result<S3, RemoteError> {
        let value = |name| credentials.value(name).ok_or(RemoteError::NoCredentials(name));
        let (key, secret) = (value("AWS_ACCESS_KEY_ID")?, value("AWS_SECRET_ACCESS_KEY")?);
        let credentials_ = match credentials.value("AWS_SESSION_TOKEN") {
            Some(token) => rusty_s3::Credentials::new_with_token(key, secret, token),
            None => rusty_s3::Credentials::new(key, secret),
        };
        let region = credentials
            .value("AWS_DEFAULT_REGION")
            .unwrap_or(REGION)
            .to_owned();
        let unusable = || RemoteError::Unusable("the address of the server cannot be used".to_owned());
        let endpoint = endpoint.parse().map_err(|_| unusable())?;
        let bucket =
            Bucket::new(endpoint, UrlStyle::Path, bucket.to_owned(), region).map_err(|_| unusable())?;
        Ok(S3 {
            bucket,
            prefix: match prefix.is_empty() {
                true => String::new(),
                false => format!("{prefix}/"),
            },
            credentials: credentials_,
        })
    }

    fn list(&self, prefix: &str, page: Option<&str>, files_max: Option<usize>) -> String {
        let mut list = self.bucket.list_objects_v2(Some(&self.credentials));
        list.with_prefix(prefix.to_owned());
        if let Some(page) = page {
            list.with_continuation_token(page.to_owned());
        }
        if let Some(max) = files_max {
            list.with_max_keys(max);
        }
        list.sign(SIGNED).into()
    }
}

impl Protocol for S3 {
    fn request(&self, call: Call<'_>) -> Request {
        let key = |file: &str| format!("{}{file}", self.prefix);
        let (bucket, credentials) = (&self.bucket, Some(&self.credentials));
        let (method, url) = match call {
            // Whether there is a bucket; folders need no making, and a bucket costs its owner something.
            Call::Create => ("GET", self.list(&self.prefix, None, Some(1))),
            Call::List { folder, page } => ("GET", self.list(&key(&format!("{folder}/")), page, None)),
            Call::Look(file) => (
                "HEAD",
                bucket.head_object(credentials, &key(file)).sign(SIGNED).into(),
            ),
            Call::Read(file) => (
                "GET",
                bucket.get_object(credentials, &key(file)).sign(SIGNED).into(),
            ),
            Call::Write(file) | Call::Make(file) => (
                "PUT",
                bucket.put_object(credentials, &key(file)).sign(SIGNED).into(),
            ),
            Call::Remove(file) => (
                "DELETE",
                bucket.delete_object(credentials, &key(file)).sign(SIGNED).into(),
            ),
        };
        // Outside of the signature, so that a server that knows no conditions may pass it over.
        let only_new = matches!(call, Call::Make(_)).then(|| Zeroizing::new("*".to_owned()));
        Request {
            method,
            url: Zeroizing::new(url),
            headers: only_new.map(|any| ("if-none-match", any)).into_iter().collect(),
        }
    }

    fn page(&self, folder: &str, body: &[u8]) -> Result<Page, String> {
        let text = std::str::from_utf8(body).map_err(|_| "it is no text".to_owned())?;
        let listed =
            ListObjectsV2::parse_response(text).map_err(|_| "it is no list of objects".to_owned())?;
        let before = format!("{}{folder}/", self.prefix);
        let mut files = Vec::new();
        for object in &listed.contents {
            let below = object
                .key
                .strip_prefix(&before)
                .ok_or("it has an object that was not asked for")?;
            // Some stores have empty objects that stand for folders.
            let name = below.rsplit('/').next().unwrap_or(below);
            if !name.is_empty() {
                let bytes = object.size.ok_or("it has an object without a size")?;
                files.push((name.to_owned(), bytes));
            }
        }
        Ok(Page {
            files,
            next: listed.next_continuation_token,
        })
    }

    fn no_place(&self) -> String {
        format!(
            "there is no bucket {} on the server: make it there first",
            self.bucket.name()
        )
    }

    fn pack(&self, name: &str) -> String {
        format!("data/{}/{name}", name.get(..2).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(prefix: &str) -> S3 {
        let secret = |name: &str| {
            let value = match name {
                "AWS_ACCESS_KEY_ID" => "id",
                "AWS_SECRET_ACCESS_KEY" => "wonderful",
                _ => return None,
            };
            Some(value.into())
        };
        let credentials = Credentials::read(None, secret).unwrap();
        S3::at("http://127.0.0.1:9000", "b", prefix, &credentials).unwrap()
    }

    #[test]
    fn a_request_is_signed_for_its_object_and_has_no_secret_in_it() {
        let request = s3("a/b").request(Call::Write("keys/k"));
        let (before, signature) = request.url.split_once('?').unwrap();
        assert_eq!(
            (request.method, before),
            ("PUT", "http://127.0.0.1:9000/b/a/b/keys/k")
        );
        assert!(signature.contains("X-Amz-Signature=") && !signature.contains("wonderful"));
        assert!(!format!("{:?}", s3("a")).contains("wonderful"));
    }

    #[test]
    fn a_list_is_read_or_refused_whole() {
        let page = |inside: &str| {
            let text = format!(
                "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inside}</ListBucketResult>"
            );
            s3("p").page("data", text.as_bytes())
        };
        let object = |key: &str| format!("<Contents><Key>{key}</Key><Size>7</Size></Contents>");
        let two = format!("{}{}", object("p/data/ab/abc"), object("p/data/"));
        let read = page(&two).unwrap();
        assert_eq!((read.files, read.next), (vec![("abc".to_owned(), 7)], None));
        let more = "<IsTruncated>true</IsTruncated>";
        let token = "<NextContinuationToken>t</NextContinuationToken>";
        assert_eq!(
            page(&format!("{more}{token}")).unwrap().next.as_deref(),
            Some("t")
        );
        // A list that says it goes on, and not where, is none.
        assert!(page(more).is_err());
        assert!(page(&object("other/data/ab/abc")).is_err());
        assert!(page("<Contents><Key>p/data/abc</Key></Contents>").is_err());
        assert!(s3("p").page("data", b"<html>").is_err());
    }

    #[test]
    fn without_keys_it_says_which_are_missing() {
        let error = S3::at("http://h", "b", "", &Credentials::default()).unwrap_err();
        assert_eq!(error, RemoteError::NoCredentials("AWS_ACCESS_KEY_ID"));
    }
}
