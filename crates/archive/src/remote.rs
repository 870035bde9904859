//! A repository on a server, as the library wants it.
//!
//! ```text
//!  Remote ── Call ─▸ Protocol (rest, s3) ── Request ─▸ http ─▸ server
//!         ◂─ Bytes ─────────────────────◂── Reply ──◂
//! ```
//!
//! What the library brings for both is not used: its lists end early and say nothing when a page of them fails, and a
//! prune that goes by such a list removes what the missing snapshots need; it takes a server that refuses the password for
//! one without a repository, where one is made then; and it brings an async runtime and twenty-five services.
//!
//! Invariants: a list is whole or an error. What is told as written is on the server, under its name, in its length.
//! "There is nothing" is said only when the server says so. No message has a secret in it.

mod credentials;
mod error;
#[cfg(any(feature = "rest", feature = "s3"))]
mod http;
#[cfg(feature = "rest")]
mod rest;
#[cfg(feature = "s3")]
mod s3;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lle_core::repository::Address;
use rustic_core::{BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};
use zeroize::Zeroizing;

pub use credentials::{Credentials, CredentialsError};
pub use error::RemoteError;

/// Pages of a list, of a thousand files each as a rule: far more than a home has.
const PAGES_MAX: usize = 10_000;
/// How long a list may take with all of its pages.
const LIST: Duration = Duration::from_secs(15 * 60);
/// The one file that is not named after its content.
const CONFIG: &str = "config";
/// What a server answers that knows no conditions.
const NOT_IMPLEMENTED: u16 = 501;

/// What is asked of a server. Files are named as below the repository: `keys/…`, `config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call<'a> {
    /// Make the repository's folders, or look whether there is a place for them.
    Create,
    /// List a folder, from a page on.
    List {
        folder: &'a str,
        page: Option<&'a str>,
    },
    /// How long a file is.
    Look(&'a str),
    Read(&'a str),
    Write(&'a str),
    /// Write it only where nothing is yet, if the server knows how; one that does not, writes over it.
    Make(&'a str),
    Remove(&'a str),
}

/// How much a call moves, and so how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// A list, a look, or a file as small as keys, locks and snapshots are.
    Small,
    /// A pack, or an index.
    Large,
}

impl Call<'_> {
    fn size(self) -> Size {
        match self {
            Call::Read(file) | Call::Write(file)
                if file.starts_with("data/") || file.starts_with("index/") =>
            {
                Size::Large
            }
            _ => Size::Small,
        }
    }
}

/// A request, ready to be sent.
#[derive(Debug)]
#[cfg_attr(
    not(any(feature = "rest", feature = "s3")),
    allow(dead_code, reason = "nothing is built in that would send one")
)]
pub(crate) struct Request {
    method: &'static str,
    /// May have a signature in it: not for messages.
    url: Zeroizing<String>,
    headers: Vec<(&'static str, Zeroizing<String>)>,
}

/// What a server answered.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    status: u16,
    body: Bytes,
    /// How long the file is, by its head.
    length: Option<u64>,
    /// How long ago it was written, by the server's own clock.
    age_s: Option<u64>,
    /// The region that a bucket is in, if it was looked for in another.
    region: Option<String>,
}

/// A page of a list.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Names and lengths.
    files: Vec<(String, u64)>,
    /// Where the next one begins; none if this is the last.
    next: Option<String>,
}

/// How a kind of server is spoken to; does nothing itself.
pub(crate) trait Protocol: std::fmt::Debug + Send + Sync {
    /// How a call is made.
    fn request(&self, call: Call<'_>) -> Request;
    /// Reads a page of a list.
    ///
    /// # Errors
    /// It is none.
    fn page(&self, folder: &str, body: &[u8]) -> Result<Page, String>;
    /// What it means if a place that is written to or made is not there.
    fn no_place(&self) -> String;
    /// Where a pack lies.
    fn pack(&self, name: &str) -> String;
}

/// Whoever carries calls out.
pub(crate) trait Carrier: std::fmt::Debug + Send + Sync {
    /// Sends a request and reads what comes back, again and again for as long as that helps; any status is an answer.
    ///
    /// # Errors
    /// Nothing came back.
    fn carry(
        &self,
        make: &dyn Fn() -> Request,
        sent: Option<&BytesList>,
        range: Option<(u32, u32)>,
        size: Size,
    ) -> Result<Reply, RemoteError>;
}

/// A repository on a server.
#[derive(Debug)]
pub(crate) struct Remote {
    address: Address,
    protocol: Box<dyn Protocol>,
    carrier: Box<dyn Carrier>,
    /// How long a list may take.
    list_within: Duration,
}

impl Remote {
    /// Gets ready to speak to the server; says nothing to it yet.
    ///
    /// # Errors
    /// This program was built without it, or there are no credentials.
    pub(crate) fn at(address: &Address, credentials: &Credentials) -> Result<Remote, RemoteError> {
        Ok(Remote {
            address: address.clone(),
            protocol: protocol(address, credentials)?,
            carrier: carrier(address)?,
            list_within: LIST,
        })
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    fn carry(
        &self,
        call: Call<'_>,
        sent: Option<&BytesList>,
        range: Option<(u32, u32)>,
    ) -> Result<Reply, RemoteError> {
        self.carrier
            .carry(&|| self.protocol.request(call), sent, range, call.size())
    }

    /// The files of a folder of a repository that is there, with their lengths, in order; all of them, or an error.
    ///
    /// # Errors
    /// The server refused, or ended in the middle. One that has a repository and not its folder lacks more than a file, or
    /// could not look: some say so of everything that fails.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, RemoteError> {
        self.list_if_there(folder)?.ok_or_else(|| RemoteError::Answer {
            host: error::host(&self.address),
            what: format!("list {folder}"),
            said: "404, as if there were no repository, and there is one".to_owned(),
        })
    }

    /// The same of a place where nobody knows yet whether a repository is there; none if there is not.
    ///
    /// # Errors
    /// The server refused, or ended in the middle.
    pub(crate) fn list_if_there(&self, folder: &str) -> Result<Option<Vec<(String, u64)>>, RemoteError> {
        let mut files = Vec::new();
        let mut next: Option<String> = None;
        let began = Instant::now();
        for _ in 0..PAGES_MAX {
            let page = next.as_deref();
            let reply = self.carry(Call::List { folder, page }, None, None)?;
            match reply.status {
                200 => {}
                404 => return Ok(None),
                _ => return Err(RemoteError::of(&self.address, "list", folder, &reply)),
            }
            let odd = |why| RemoteError::Odd {
                host: error::host(&self.address),
                what: format!("its list of {folder}: {why}"),
            };
            let mut page = self.protocol.page(folder, &reply.body).map_err(odd)?;
            files.append(&mut page.files);
            next = page.next;
            if next.is_none() {
                files.sort_unstable();
                files.dedup();
                return Ok(Some(files));
            }
            if began.elapsed() >= self.list_within {
                return Err(RemoteError::Slow {
                    host: error::host(&self.address),
                    why: format!(
                        "its list of {folder} goes on after {} s",
                        self.list_within.as_secs()
                    ),
                });
            }
        }
        Err(RemoteError::Odd {
            host: error::host(&self.address),
            what: format!("its list of {folder} has no end"),
        })
    }

    /// How long a file is; none if there is no such file.
    ///
    /// # Errors
    /// The server did not say.
    pub(crate) fn look(&self, file: &str) -> Result<Option<u64>, RemoteError> {
        let reply = self.carry(Call::Look(file), None, None)?;
        match reply.status {
            200 => Ok(Some(reply.length.unwrap_or(0))),
            404 => Ok(None),
            _ => Err(RemoteError::of(&self.address, "look at", file, &reply)),
        }
    }

    /// A file, whole, and how many seconds ago it was written if the server says so; none if there is no such file.
    ///
    /// # Errors
    /// It did not come.
    pub(crate) fn read_if_there(&self, file: &str) -> Result<Option<(Bytes, Option<u64>)>, RemoteError> {
        let reply = self.carry(Call::Read(file), None, None)?;
        match reply.status {
            200 => Ok(Some((reply.body, reply.age_s))),
            404 => Ok(None),
            _ => Err(RemoteError::of(&self.address, "read", file, &reply)),
        }
    }

    /// A file, whole.
    ///
    /// # Errors
    /// It did not come.
    pub(crate) fn read(&self, file: &str) -> Result<Bytes, RemoteError> {
        let read = self.read_if_there(file)?;
        let missing = || RemoteError::Missing(file.to_owned());
        read.map(|(content, _)| content).ok_or_else(missing)
    }

    fn read_part(&self, file: &str, offset: u32, length: u32) -> Result<Bytes, RemoteError> {
        let reply = self.carry(Call::Read(file), None, Some((offset, length)))?;
        let (from, bytes) = (offset as usize, length as usize);
        match reply.status {
            206 if reply.body.len() == bytes => Ok(reply.body),
            // One that knows no parts sends all of it.
            200 if reply.body.len() >= from.saturating_add(bytes) => Ok(reply.body.slice(from..from + bytes)),
            // It is shorter than what is to be in it.
            200 | 206 | 416 => Err(RemoteError::Short(file.to_owned())),
            _ => Err(RemoteError::of(&self.address, "read", file, &reply)),
        }
    }

    fn write(&self, file: &str, content: &BytesList) -> Result<(), RemoteError> {
        let reply = self.carry(Call::Write(file), Some(content), None)?;
        match reply.status {
            200..=299 => Ok(()),
            // Written by an attempt whose answer was lost: servers of restic write no file twice.
            _ if matches!(self.look(file), Ok(Some(bytes)) if bytes == content.size() as u64) => Ok(()),
            404 => Err(RemoteError::NoPlace(self.protocol.no_place())),
            _ => Err(RemoteError::of(&self.address, "write", file, &reply)),
        }
    }

    /// Writes the config, where there is none: of two that do it at once, one is told that it came second, by every server
    /// that can tell.
    fn make_config(&self, content: &BytesList) -> Result<(), RemoteError> {
        let mut reply = self.carry(Call::Make(CONFIG), Some(content), None)?;
        if reply.status == NOT_IMPLEMENTED {
            reply = self.carry(Call::Write(CONFIG), Some(content), None)?;
        }
        match reply.status {
            200..=299 => return Ok(()),
            404 => return Err(RemoteError::NoPlace(self.protocol.no_place())),
            _ => {}
        }
        let mut ours = Vec::new();
        let is_read = content.clone().reader().read_to_end(&mut ours).is_ok();
        match self.read_if_there(CONFIG) {
            // Written by an attempt whose answer was lost.
            Ok(Some((there, _))) if is_read && there[..] == ours[..] => Ok(()),
            Ok(Some(_)) => Err(RemoteError::Taken(CONFIG.to_owned())),
            Ok(None) | Err(_) => Err(RemoteError::of(&self.address, "write", CONFIG, &reply)),
        }
    }

    /// Removes a file; one that is gone is removed already.
    ///
    /// # Errors
    /// It may be there still.
    pub(crate) fn remove(&self, file: &str) -> Result<(), RemoteError> {
        let reply = self.carry(Call::Remove(file), None, None)?;
        match reply.status {
            200..=299 | 404 => Ok(()),
            _ => Err(RemoteError::of(&self.address, "remove", file, &reply)),
        }
    }

    fn make_place(&self) -> Result<(), RemoteError> {
        let reply = self.carry(Call::Create, None, None)?;
        match reply.status {
            200..=299 => Ok(()),
            404 => Err(RemoteError::NoPlace(self.protocol.no_place())),
            _ => Err(RemoteError::of(&self.address, "make", "a repository", &reply)),
        }
    }

    /// Where a file lies below the repository.
    fn file(&self, kind: FileType, id: &Id) -> String {
        let name = id.to_hex();
        match kind {
            FileType::Config => CONFIG.to_owned(),
            FileType::Pack => self.protocol.pack(name.as_str()),
            kind => format!("{}/{}", kind.dirname(), name.as_str()),
        }
    }
}

/// What the library is told: its own errors around ours, which says it.
fn told(error: RemoteError) -> Box<RusticError> {
    RusticError::with_source(ErrorKind::Backend, "the server did not do it", error)
}

impl ReadBackend for Remote {
    fn location(&self) -> String {
        self.address.to_string()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        if kind == FileType::Config {
            let found = self.look(CONFIG).map_err(told)?;
            let length = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
            return Ok(found
                .map(|found| (Id::default(), length(found)))
                .into_iter()
                .collect());
        }
        let files = self.list(kind.dirname()).map_err(told)?;
        let ours = files.into_iter().filter_map(|(name, bytes)| {
            // What is not named as one of the repository's is none.
            let id: Id = name.parse().ok().filter(|_| name.len() == 64)?;
            Some((id, u32::try_from(bytes).unwrap_or(u32::MAX)))
        });
        Ok(ours.collect())
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        self.read(&self.file(kind, id)).map_err(told)
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        self.read_part(&self.file(kind, id), offset, length).map_err(told)
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.file(kind, id)
    }
}

impl WriteBackend for Remote {
    fn create(&self) -> RusticResult<()> {
        self.make_place().map_err(told)
    }

    fn write_bytes(&self, kind: FileType, id: &Id, _cacheable: bool, content: BytesList) -> RusticResult<()> {
        let written = match kind {
            FileType::Config => self.make_config(&content),
            kind => self.write(&self.file(kind, id), &content),
        };
        written.map_err(told)
    }

    fn remove(&self, kind: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        Remote::remove(self, &self.file(kind, id)).map_err(told)
    }
}

/// Picks the protocol of an address.
#[cfg_attr(
    not(any(feature = "rest", feature = "s3")),
    allow(unused_variables, reason = "nothing is built in that wants any")
)]
fn protocol(address: &Address, credentials: &Credentials) -> Result<Box<dyn Protocol>, RemoteError> {
    match address {
        #[cfg(feature = "rest")]
        Address::Rest { url } => Ok(Box::new(rest::Rest::at(url, credentials))),
        #[cfg(feature = "s3")]
        Address::S3 {
            endpoint,
            bucket,
            prefix,
        } => Ok(Box::new(s3::S3::at(endpoint, bucket, prefix, credentials)?)),
        #[cfg(not(feature = "rest"))]
        Address::Rest { .. } => Err(RemoteError::NotBuilt("rest")),
        #[cfg(not(feature = "s3"))]
        Address::S3 { .. } => Err(RemoteError::NotBuilt("s3")),
        Address::Folder(_) => Err(RemoteError::NoServer),
    }
}

#[cfg(any(feature = "rest", feature = "s3"))]
fn carrier(address: &Address) -> Result<Box<dyn Carrier>, RemoteError> {
    Ok(Box::new(http::Http::to(address)))
}

/// Nobody is asked for one: no protocol was built in that would carry anything.
#[cfg(not(any(feature = "rest", feature = "s3")))]
fn carrier(_address: &Address) -> Result<Box<dyn Carrier>, RemoteError> {
    Err(RemoteError::NoServer)
}
