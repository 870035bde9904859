//! A client that waits, for the command line.
//!
//! Invariant: nothing takes longer than the timeout, whatever the server does; and only a server of this user is
//! believed.

use super::interface::{INTERFACE, SERVICE};
use super::message::{Fault, REPLY_BYTES_MAX};
use super::peer::Peer;
use super::socket::address;
use lle_core::error::Code;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

const READ_BYTES: usize = 64 * 1024;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no worker, or it is gone. With `UnexpectedEof`, `BrokenPipe` or `ConnectionReset` it went while it
    /// was asked: what was asked for may have been done.
    #[error("the worker cannot be reached")]
    Unreachable {
        /// What the system says.
        source: io::Error,
    },
    /// Another user's process listens there. It was told nothing.
    #[error("a process of user {uid} listens there")]
    Stranger {
        /// That user.
        uid: u32,
    },
    /// It took longer than the timeout. What was asked for may have been done, or be done yet.
    #[error("the worker did not answer in time")]
    TimedOut,
    /// The worker answered that it failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What came is no answer.
    #[error("the worker's answer is not understood: {0}")]
    Protocol(String),
}

/// A connection to the worker.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    timeout: Duration,
    input: Vec<u8>,
    /// A call ended without its reply having been read: it could be taken for the next call's.
    out_of_step: bool,
}

#[derive(Deserialize)]
struct Reply {
    error: Option<String>,
    parameters: Option<Map<String, Value>>,
    continues: Option<bool>,
}

impl Client {
    /// Connects to the socket at `path`, and waits for a place if the server is full. `timeout` is for this, and
    /// then for each call.
    ///
    /// # Errors
    /// If nobody listens there, or another user.
    pub fn connect(path: &Path, timeout: Duration) -> Result<Self, CallError> {
        let until = Instant::now() + timeout;
        let address = address(path).map_err(unreachable)?;
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(unreachable)?;
        loop {
            // Nothing but a blocking connect waits for a place in the backlog; this bounds it.
            set_socket_timeout(&socket, Timeout::Send, Some(left(until)?)).map_err(unreachable)?;
            match rustix::net::connect(&socket, &address) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(CallError::TimedOut),
                Err(error) => return Err(unreachable(error)),
            }
        }
        let peer = Peer::of(&socket).map_err(unreachable)?;
        if peer.uid != rustix::process::geteuid().as_raw() {
            return Err(CallError::Stranger { uid: peer.uid });
        }
        rustix::io::ioctl_fionbio(&socket, true).map_err(unreachable)?;
        Ok(Self {
            socket,
            timeout,
            input: Vec::new(),
            out_of_step: false,
        })
    }

    /// Calls a method, of `io.lusush.Maintenance` unless its name says of which, and returns what it returns.
    ///
    /// # Errors
    /// If it failed or could not be called. After `TimedOut`, `Unreachable` and `Protocol` the connection is of no
    /// more use.
    pub fn call(&mut self, method: &str, parameters: Value) -> Result<Value, CallError> {
        if self.out_of_step {
            let error = "an earlier call on this connection has failed".to_owned();
            return Err(CallError::Protocol(error));
        }
        let until = Instant::now() + self.timeout;
        let method = match method.contains('.') {
            true => method.to_owned(),
            false => format!("{INTERFACE}.{method}"),
        };
        let mut request = json!({ "method": method, "parameters": parameters })
            .to_string()
            .into_bytes();
        request.push(0);
        self.out_of_step = true;
        let broken = self.send(&request, until)?;
        // A server that refuses does not wait to be asked.
        let reply = self.receive(until, broken)?;
        self.out_of_step = false;
        interpret(&reply)
    }

    /// Returns the error with which the connection broke before all was sent, if it did.
    fn send(&self, mut request: &[u8], until: Instant) -> Result<Option<Errno>, CallError> {
        while !request.is_empty() {
            match rustix::net::send(&self.socket, request, SendFlags::NOSIGNAL) {
                Ok(count) => request = &request[count..],
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT, until)?,
                Err(Errno::INTR) => {}
                Err(error) => return Ok(Some(error)),
            }
        }
        Ok(None)
    }

    fn receive(&mut self, until: Instant, broken: Option<Errno>) -> Result<Vec<u8>, CallError> {
        let mut scanned = 0;
        loop {
            if let Some(at) = self.input[scanned..].iter().position(|byte| *byte == 0) {
                let rest = self.input.split_off(scanned + at + 1);
                let mut reply = std::mem::replace(&mut self.input, rest);
                reply.pop();
                return Ok(reply);
            }
            scanned = self.input.len();
            if scanned > REPLY_BYTES_MAX {
                let error = format!("it is longer than {REPLY_BYTES_MAX} bytes");
                return Err(CallError::Protocol(error));
            }
            let mut chunk = vec![0; READ_BYTES];
            match rustix::io::read(&self.socket, &mut chunk) {
                Ok(0) => {
                    let eof = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Err(unreachable(broken.map_or(eof, io::Error::from)));
                }
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(Errno::AGAIN) => self.wait(PollFlags::IN, until)?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(unreachable(error)),
            }
        }
    }

    fn wait(&self, events: PollFlags, until: Instant) -> Result<(), CallError> {
        let left = Timespec::try_from(left(until)?).map_err(|_| CallError::TimedOut)?;
        match rustix::event::poll(&mut [PollFd::new(&self.socket, events)], Some(&left)) {
            Ok(0) => Err(CallError::TimedOut),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(unreachable(error)),
        }
    }
}

fn left(until: Instant) -> Result<Duration, CallError> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(CallError::TimedOut)
    } else {
        Ok(left)
    }
}

fn unreachable(source: impl Into<io::Error>) -> CallError {
    CallError::Unreachable {
        source: source.into(),
    }
}

fn interpret(reply: &[u8]) -> Result<Value, CallError> {
    let reply: Reply =
        serde_json::from_slice(reply).map_err(|error| CallError::Protocol(error.to_string()))?;
    let parameters = reply.parameters.unwrap_or_default();
    match reply.error {
        Some(error) => Err(CallError::Fault(fault(&error, &parameters))),
        None if reply.continues == Some(true) => Err(CallError::Protocol(
            "it is the first of several, and one was asked for".to_owned(),
        )),
        None => Ok(Value::Object(parameters)),
    }
}

/// The fault that an error means. One that this version does not know is `Failed`, under its own name.
fn fault(error: &str, parameters: &Map<String, Value>) -> Fault {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let other_version =
        "the worker is of another version than this program: end it, and the next prompt starts one";
    let (interface, name) = error.rsplit_once('.').unwrap_or(("", error));
    match (interface, name) {
        (INTERFACE, name) => {
            let mut failures = Code::ALL.iter().copied().filter(|code| *code != Code::Success);
            let code = failures.find(|code| code.name() == name);
            Fault {
                code: code.unwrap_or(Code::Failed),
                message: text("message").unwrap_or(name).to_owned(),
                hint: text("hint").map(str::to_owned),
            }
        }
        (SERVICE, "InvalidParameter") => {
            let parameter = text("parameter").unwrap_or("unknown");
            Fault::new(
                Code::InvalidParameters,
                format!("the parameter {parameter} is missing, unknown or not of its type"),
            )
        }
        (SERVICE, "MethodNotFound" | "MethodNotImplemented") => {
            let method = text("method").unwrap_or("that method");
            Fault::new(Code::NotBuilt, format!("the worker has no {method}")).with_hint(other_version)
        }
        (SERVICE, "InterfaceNotFound") => {
            let interface = text("interface").unwrap_or("that interface");
            Fault::new(Code::NotBuilt, format!("the worker has no {interface}")).with_hint(other_version)
        }
        _ => Fault::new(Code::Failed, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies() {
        fn check(reply: &str, expect: Result<Value, (Code, &str)>) {
            let got = match interpret(reply.as_bytes()) {
                Ok(value) => Ok(value),
                Err(CallError::Fault(fault)) => Err((fault.code, fault.message)),
                Err(error) => Err((Code::Success, error.to_string())),
            };
            assert_eq!(got, expect.map_err(|(code, message)| (code, message.to_owned())));
        }
        check(r#"{"parameters":{"a":1}}"#, Ok(json!({"a": 1})));
        check("{}", Ok(json!({})));
        check(
            r#"{"error":"io.lusush.Maintenance.Busy","parameters":{"message":"it runs"}}"#,
            Err((Code::Busy, "it runs")),
        );
        // Of a version that comes later.
        check(
            r#"{"error":"io.lusush.Maintenance.Hungry","parameters":{}}"#,
            Err((Code::Failed, "Hungry")),
        );
        check(
            r#"{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"a.B"}}"#,
            Err((Code::NotBuilt, "the worker has no a.B")),
        );
        check(
            r#"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"task"}}"#,
            Err((
                Code::InvalidParameters,
                "the parameter task is missing, unknown or not of its type",
            )),
        );
        check(r#"{"error":"nonsense"}"#, Err((Code::Failed, "nonsense")));
        check(
            r#"{"continues":true}"#,
            Err((
                Code::Success,
                "the worker's answer is not understood: it is the first of several, and one was asked for",
            )),
        );
    }
}
