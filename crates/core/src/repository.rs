//! Where a backup's repository is, in restic's own notation.
//!
//! | text | what |
//! | --- | --- |
//! | `/srv/backup` or `local:/srv/backup` | a folder |
//! | `rest:https://host:8000/path` | a restic REST server |
//! | `s3:https://host/bucket/prefix` or `s3:host/bucket/prefix` | a bucket with the interface of S3; https unless it is said |
//!
//! Invariants: an [`Address`] has no secret in it, so that it can be shown, logged and audited. What is refused is
//! refused without repeating it, since a password may be in it.

use std::fmt;
use std::path::PathBuf;

/// Bytes of an address, at most.
pub const ADDRESS_BYTES_MAX: usize = 400;

/// How the address of a REST server begins.
const REST: &str = "rest:";
/// How the address of a bucket begins.
const S3: &str = "s3:";
/// How restic names a folder if it wants to be sure.
const LOCAL: &str = "local:";
/// What restic knows besides, and we do not.
const OTHERS: &[&str] = &["azure:", "b2:", "gs:", "opendal:", "rclone:", "sftp:", "swift:"];

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A folder on this machine.
    Folder(PathBuf),
    /// A restic REST server.
    Rest {
        /// Scheme, host and path, without a slash at the end.
        url: String,
    },
    /// A bucket of a server with the interface of S3.
    S3 {
        /// Scheme and host.
        endpoint: String,
        /// The bucket.
        bucket: String,
        /// What the names of all objects begin with, without slashes around it; may be empty.
        prefix: String,
    },
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// There is nothing.
    Empty,
    /// It is longer than [`ADDRESS_BYTES_MAX`].
    Long,
    /// It has a user name or a password in it.
    Secret,
    /// restic has such repositories, and Lusush has not.
    Unknown,
    /// The server is not named as one.
    Url,
    /// The bucket is not named as one.
    Bucket,
    /// The path has parts that a server may take for other ones, or characters that mean something else.
    Path,
}

impl fmt::Display for AddressError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressError::Empty => out.write_str("it is empty"),
            AddressError::Long => write!(out, "it has more than {ADDRESS_BYTES_MAX} bytes"),
            AddressError::Secret => {
                out.write_str("it has a user name or a password in it, and addresses are shown")
            }
            AddressError::Unknown => out.write_str("only folders, rest: and s3: are known"),
            AddressError::Url => out.write_str("there is no server in it, as in https://host:8000"),
            AddressError::Bucket => out.write_str("there is no bucket in it, as in s3:https://host/bucket"),
            AddressError::Path => {
                out.write_str("its path has empty parts, dots alone, blanks, or one of ?#%\\")
            }
        }
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// Whether both are on one server, spoken to in one way: what proves somebody to the one is nothing to the other
    /// otherwise.
    pub fn same_server(&self, other: &Address) -> bool {
        let of = |url: &str| {
            let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
            let host = rest.split('/').next().unwrap_or_default();
            (scheme.to_owned(), host.to_owned())
        };
        match (self, other) {
            (Address::Rest { url: one }, Address::Rest { url: other }) => of(one) == of(other),
            (Address::S3 { endpoint: one, .. }, Address::S3 { endpoint: other, .. }) => of(one) == of(other),
            _ => false,
        }
    }

    /// The server, if what is said to it can be read on the way: there is no TLS, and it is another machine.
    pub fn in_clear(&self) -> Option<&str> {
        let host = self.url()?.strip_prefix("http://")?.split('/').next()?;
        (!is_here(host)).then_some(host)
    }

    /// Whether it is a server on this machine, by its name or number.
    pub fn is_served_here(&self) -> bool {
        let rest = self.url().and_then(|url| url.split_once("://"));
        let host = rest.and_then(|(_, rest)| rest.split('/').next());
        host.is_some_and(is_here)
    }

    fn url(&self) -> Option<&str> {
        match self {
            Address::Folder(_) => None,
            Address::Rest { url } => Some(url),
            Address::S3 { endpoint, .. } => Some(endpoint),
        }
    }

    /// Reads an address.
    ///
    /// # Errors
    /// It is none; the error repeats nothing of it.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(AddressError::Long);
        }
        if let Some(url) = text.strip_prefix(REST) {
            let url = Url::read(url, "")?;
            return Ok(Address::Rest {
                url: format!("{}{}", url.endpoint, url.path),
            });
        }
        if let Some(url) = text.strip_prefix(S3) {
            // As restic has it: a host alone is one with TLS.
            let url = Url::read(url, "https://")?;
            let path = url.path.strip_prefix('/').unwrap_or_default();
            let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
            if !is_bucket(bucket) {
                return Err(AddressError::Bucket);
            }
            return Ok(Address::S3 {
                endpoint: url.endpoint,
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
            });
        }
        if OTHERS.iter().any(|other| text.starts_with(other)) {
            return Err(AddressError::Unknown);
        }
        let folder = text.strip_prefix(LOCAL).unwrap_or(text);
        match folder.is_empty() {
            true => Err(AddressError::Empty),
            false => Ok(Address::Folder(PathBuf::from(folder))),
        }
    }

    /// Whether it is on another machine, or on this one behind a server.
    pub fn is_remote(&self) -> bool {
        !matches!(self, Address::Folder(_))
    }
}

/// As restic has it, without a secret.
impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Folder(path) => path.display().fmt(out),
            Address::Rest { url } => write!(out, "{REST}{url}"),
            Address::S3 {
                endpoint,
                bucket,
                prefix,
            } => match prefix.is_empty() {
                true => write!(out, "{S3}{endpoint}/{bucket}"),
                false => write!(out, "{S3}{endpoint}/{bucket}/{prefix}"),
            },
        }
    }
}

/// The text without what stands between `//` and `@`, for messages about addresses that were refused.
pub fn without_secret(text: &str) -> String {
    // A password may have a slash or another at sign in it: all before the last one is hidden.
    let Some((before, _)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    let scheme = before
        .find("://")
        .map_or(before.find(':').map_or(0, |at| at + 1), |at| at + 3);
    format!("{}…{}", &text[..scheme], &text[before.len()..])
}

struct Url {
    /// Scheme and host.
    endpoint: String,
    /// Either nothing, or something that begins with a slash and does not end with one.
    path: String,
}

impl Url {
    fn read(text: &str, scheme_if_none: &str) -> Result<Url, AddressError> {
        if text.contains('@') {
            return Err(AddressError::Secret);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => ("http://", rest),
            Some(("https", rest)) => ("https://", rest),
            None if !scheme_if_none.is_empty() => (scheme_if_none, text),
            _ => return Err(AddressError::Url),
        };
        let (host, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if !is_host(host) {
            return Err(AddressError::Url);
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_plain = |part: &str| {
            let odd = |c: char| c.is_whitespace() || c.is_control() || "?#%\\".contains(c);
            !part.is_empty() && part != "." && part != ".." && !part.contains(odd)
        };
        if !path.is_empty() && !path[1..].split('/').all(is_plain) {
            return Err(AddressError::Path);
        }
        Ok(Url {
            endpoint: format!("{scheme}{host}"),
            path: path.to_owned(),
        })
    }
}

/// A name or a number, and perhaps a port.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        // The colons of an address of version 6 are in brackets.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    let inside = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_name = match inside {
        Some(number) => number.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_';
            !name.is_empty() && name.chars().all(plain)
        }
    };
    is_name && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        // The colons of an address of version 6 are in brackets.
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    };
    let inside = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let number: Option<std::net::IpAddr> = inside.unwrap_or(name).parse().ok();
    name.eq_ignore_ascii_case("localhost") || number.is_some_and(|number| number.is_loopback())
}

/// As S3 and those who imitate it have them.
fn is_bucket(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_';
    (1..=255).contains(&text.len()) && text.chars().all(plain) && text != "." && text != ".."
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_one_server() {
        let check = |one: &str, other: &str, expect: bool| {
            let [one, other] = [one, other].map(|text| Address::parse(text).expect("an address"));
            assert_eq!(one.same_server(&other), expect, "{one} and {other}");
        };
        check("rest:https://host/a", "rest:https://host/b/c", true);
        check("rest:https://host/a", "rest:http://host/a", false);
        check("rest:https://host:8000/a", "rest:https://host/a", false);
        check("rest:https://host/a", "rest:https://host.example.org/a", false);
        check("s3:host/bucket", "s3:https://host/another", true);
        check("s3:https://host/bucket", "rest:https://host/bucket", false);
        check("/srv/backup", "/srv/backup", false);
    }

    #[test]
    fn who_can_read_what_is_sent_is_said() {
        let check = |text: &str, in_clear: Option<&str>, is_here: bool| {
            let address = Address::parse(text).expect("an address");
            assert_eq!(address.in_clear(), in_clear, "{text}");
            assert_eq!(address.is_served_here(), is_here, "{text}");
        };
        check("/srv/backup", None, false);
        check("rest:https://nas/me", None, false);
        check("s3:nas/bucket", None, false);
        check("rest:http://nas:8000/me", Some("nas:8000"), false);
        check("s3:http://nas/bucket", Some("nas"), false);
        check(
            "rest:http://[2001:db8::1]:8000",
            Some("[2001:db8::1]:8000"),
            false,
        );
        check(
            "rest:http://localhost.example/x",
            Some("localhost.example"),
            false,
        );
        check(
            "rest:http://127.0.0.1.example/x",
            Some("127.0.0.1.example"),
            false,
        );
        check("rest:http://localhost:8000/me", None, true);
        check("s3:http://127.0.0.2:9000/bucket", None, true);
        check("rest:http://[::1]:80", None, true);
        check("rest:https://[::1]", None, true);
    }

    #[test]
    fn addresses_are_read_as_restic_writes_them() {
        fn check(text: &str, expect: Result<&str, AddressError>) {
            let read = Address::parse(text).map(|address| address.to_string());
            assert_eq!(read.as_deref(), expect.as_ref().map(|text| *text), "{text}");
        }
        check("/srv/backup", Ok("/srv/backup"));
        check("local:/srv/a b", Ok("/srv/a b"));
        check("rest:https://host:8000/", Ok("rest:https://host:8000"));
        check(
            "rest:http://127.0.0.1:8000/me/home/",
            Ok("rest:http://127.0.0.1:8000/me/home"),
        );
        check("rest:http://[::1]:8000/me", Ok("rest:http://[::1]:8000/me"));
        check("s3:s3.example.org/bucket", Ok("s3:https://s3.example.org/bucket"));
        check(
            "s3:http://localhost:9000/b/a/b",
            Ok("s3:http://localhost:9000/b/a/b"),
        );
        check("", Err(AddressError::Empty));
        check("local:", Err(AddressError::Empty));
        check(&"a".repeat(ADDRESS_BYTES_MAX + 1), Err(AddressError::Long));
        check("rest:https://me:secret@host/", Err(AddressError::Secret));
        check("s3:https://key@host/bucket", Err(AddressError::Secret));
        check("rest:host/path", Err(AddressError::Url));
        check("rest:ftp://host/path", Err(AddressError::Url));
        check("rest:https:///path", Err(AddressError::Url));
        check("rest:https://host:port/path", Err(AddressError::Url));
        check("rest:https://host:0/path", Err(AddressError::Url));
        check("rest:https://ho st/path", Err(AddressError::Url));
        check("rest:https://[zz]/path", Err(AddressError::Url));
        check("s3:https://host", Err(AddressError::Bucket));
        check("s3:https://host/b%c/x", Err(AddressError::Path));
        check("s3:https://host/bucket/../other", Err(AddressError::Path));
        check("s3:https://host/bucket//x", Err(AddressError::Path));
        check("rest:https://host/a?create=true", Err(AddressError::Path));
        check("sftp:me@host:/srv", Err(AddressError::Unknown));
    }

    #[test]
    fn secrets_are_not_repeated() {
        assert_eq!(
            without_secret("rest:https://me:pa@ss@host/"),
            "rest:https://…@host/"
        );
        assert_eq!(
            without_secret("rest:https://me:pa/ss@host/"),
            "rest:https://…@host/"
        );
        assert_eq!(without_secret("s3:me:secret@host/b"), "s3:…@host/b");
        assert_eq!(without_secret("/srv/backup"), "/srv/backup");
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again_the_same(text in "(rest:|s3:|local:|)(https?://)?[a-z0-9.:@/\\[\\]-]{0,30}|.{0,40}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
            }
        }
    }
}
