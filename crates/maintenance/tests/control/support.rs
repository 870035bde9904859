//! Servers to test: one that is driven step by step with a clock that the test sets, and one that runs.

use lle_core::error::Code;
use lle_maintenance::control::{CallError, Client, Dispatch, Fault, Peer, Served, Server};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const SECOND: u64 = 1_000_000_000;

/// An engine that answers a few methods and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) calls: Vec<(Peer, String, Value)>,
    pub(crate) refused: Vec<Peer>,
}

impl Dispatch for Recorder {
    fn call(&mut self, peer: &Peer, method: &str, parameters: Value) -> Result<Value, Fault> {
        self.calls.push((*peer, method.to_owned(), parameters.clone()));
        match method {
            "Version" => Ok(json!({ "version": "0.0.1", "interface": 1 })),
            "Status" => Ok(json!({ "version": 1, "document": { "calls": self.calls.len() } })),
            // As long as asked for.
            "Audit" => {
                let length = parameters["limit"].as_u64().unwrap_or(0);
                let text = "x".repeat(usize::try_from(length).unwrap());
                Ok(json!({ "version": 1, "document": { "text": text } }))
            }
            "Pause" => Ok(json!({ "changed": true, "task": parameters["task"] })),
            "Run" => Err(Fault::new(Code::Busy, "backup runs already").with_hint("wait for it")),
            other => Err(Fault::new(Code::NotBuilt, format!("{other} is not built"))),
        }
    }

    fn refused(&mut self, peer: &Peer) {
        self.refused.push(*peer);
    }
}

impl Recorder {
    pub(crate) fn methods(&self) -> Vec<&str> {
        self.calls.iter().map(|(_, method, _)| method.as_str()).collect()
    }
}

/// A server that does nothing but when told to.
pub(crate) struct Stepped {
    pub(crate) server: Server,
    pub(crate) recorder: Recorder,
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

impl Stepped {
    pub(crate) fn new() -> Self {
        let folder = folder();
        let path = folder.path().join("control");
        Self {
            server: Server::bind(&path).unwrap(),
            recorder: Recorder::default(),
            path,
            _folder: folder,
        }
    }

    /// One call.
    pub(crate) fn serve(&mut self, now: u64) -> Served {
        self.server.serve(now, &mut self.recorder)
    }

    /// Calls until nothing is left to be done at once; returns the sums.
    pub(crate) fn settle(&mut self, now: u64) -> Served {
        let mut sum = Served::default();
        for _ in 0..10_000 {
            let served = self.serve(now);
            sum.accepted += served.accepted;
            sum.requests += served.requests;
            sum.dropped += served.dropped;
            if !served.pending && served == Served::default() && !self.is_ready() {
                return sum;
            }
        }
        panic!("the server does not come to rest: {sum:?}");
    }

    /// What the worker's loop would be woken by.
    pub(crate) fn is_ready(&self) -> bool {
        let mut interests = Vec::new();
        self.server.interests(&mut interests);
        rustix::event::poll(&mut interests, Some(&Timespec::default())).unwrap() > 0
    }

    /// A client that has connected, and waits ten seconds for what it reads.
    pub(crate) fn client(&self) -> UnixStream {
        raw(&self.path)
    }
}

/// A folder of this user alone.
pub(crate) fn folder() -> TempDir {
    let private = Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(private).tempdir().unwrap()
}

pub(crate) fn raw(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A request and its NUL.
pub(crate) fn request(method: &str, parameters: Value) -> Vec<u8> {
    let method = format!("io.lusush.Maintenance.{method}");
    let mut bytes = json!({ "method": method, "parameters": parameters })
        .to_string()
        .into_bytes();
    bytes.push(0);
    bytes
}

/// Reads a reply; none if the server closes before it ends.
pub(crate) fn reply(stream: &mut UnixStream) -> Option<Value> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        match stream.read(&mut byte) {
            Ok(0) => return None,
            Ok(_) if byte == [0] => return Some(serde_json::from_slice(&bytes).unwrap()),
            Ok(_) => bytes.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) fn error_of(reply: &Value) -> &str {
    reply["error"].as_str().unwrap()
}

/// A server that runs on a thread, as the worker drives it.
pub(crate) struct Running {
    pub(crate) path: PathBuf,
    stop: UnixStream,
    thread: Option<JoinHandle<Recorder>>,
    _folder: TempDir,
}

impl Running {
    pub(crate) fn new() -> Self {
        Self::in_folder(folder())
    }

    pub(crate) fn in_folder(folder: TempDir) -> Self {
        let path = folder.path().join("control");
        let server = Server::bind(&path).unwrap();
        let (stop, stopped) = UnixStream::pair().unwrap();
        Self {
            path,
            stop,
            thread: Some(std::thread::spawn(move || run(server, &stopped))),
            _folder: folder,
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.path, PATIENCE).unwrap()
    }

    pub(crate) fn call(&self, method: &str, parameters: Value) -> Result<Value, CallError> {
        self.client().call(method, parameters)
    }

    /// Ends the server and returns what it was asked.
    pub(crate) fn stop(mut self) -> Recorder {
        self.stop.write_all(b"x").unwrap();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.stop.write_all(b"x");
            let _ = thread.join();
        }
    }
}

fn run(mut server: Server, stopped: &UnixStream) -> Recorder {
    let mut recorder = Recorder::default();
    loop {
        let now = now();
        let served = server.serve(now, &mut recorder);
        let wait = server.next_deadline().map(|at| {
            let left = if served.pending { 0 } else { at.saturating_sub(now) };
            Timespec::try_from(Duration::from_nanos(left)).unwrap()
        });
        let mut interests = vec![PollFd::new(stopped, PollFlags::IN)];
        server.interests(&mut interests);
        rustix::event::poll(&mut interests, wait.as_ref()).unwrap();
        if !interests[0].revents().is_empty() {
            return recorder;
        }
    }
}

fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap() * SECOND + u64::try_from(time.tv_nsec).unwrap()
}
