//! Calls over HTTP, each with a limit to its waiting, and tried again where that helps.
//!
//! Invariants: nothing is waited for longer than [`CONNECT`] and [`STALL`] without a byte moving. A small call is over within
//! [`SMALL`]; a large one moves [`RATE`] bytes a second on an average, or is given up: who drips a byte a second holds nobody
//! for ever. No call is tried more often than [`PAUSES`] says. No redirection is followed: a signature or a password goes
//! nowhere but to the server that was named. An error names the server and never the request, which may have a signature in
//! it.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::fmt::rfc2822::DateTimeParser;
use lle_core::repository::Address;
use rustic_core::BytesList;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Body, SendBody, Timeout};

use super::{Carrier, RemoteError, Reply, Request, Size, error};

/// How long a server may take to be found and to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may take to answer, or a connection to move a byte. A store that gathers its own disks takes seconds.
const STALL: Duration = Duration::from_secs(60);
/// How long a small call may take in all: far longer than a list of a hundred thousand files over a slow line.
const SMALL: Duration = Duration::from_secs(5 * 60);
/// Bytes a second that a large call moves at least, once a minute has passed: a line of a mobile phone of twenty years ago.
const RATE: u64 = 4 * 1024;
/// What is waited before a call is tried again: a server that is restarted is back within that, and a person who looks on
/// has not gone away yet.
const PAUSES: &[Duration] = &[
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// Bytes of a large answer that is held in memory: a pack has 4 GiB at most by its format, and 128 MiB as a rule.
const LARGE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes of a small one: a list of half a million files.
const SMALL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes that are read at a time.
const READ_BYTES: usize = 64 * 1024;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    connect: Duration,
    stall: Duration,
    small: Duration,
    /// What a large call may take whatever its size.
    grace: Duration,
    /// Bytes a second of a large call.
    rate: u64,
}

const LIMITS: Limits = Limits {
    connect: CONNECT,
    stall: STALL,
    small: SMALL,
    grace: STALL,
    rate: RATE,
};

impl Limits {
    /// How long so many bytes of a large call may take.
    fn large(&self, bytes: u64) -> Duration {
        self.grace
            .saturating_add(Duration::from_secs(bytes / self.rate.max(1)))
    }
}

/// Why nothing came back.
enum Failed {
    /// The limit of the whole was reached: it would be again.
    Slow,
    Http(ureq::Error),
}

impl From<ureq::Error> for Failed {
    fn from(error: ureq::Error) -> Failed {
        match error {
            ureq::Error::Timeout(Timeout::Global | Timeout::SendBody) => Failed::Slow,
            other => Failed::Http(other),
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        // The library's own errors come out of a reader in the system's.
        ureq::Error::from(error).into()
    }
}

/// A server, and the connections to it.
#[derive(Debug)]
pub(super) struct Http {
    agent: Agent,
    host: String,
    limits: Limits,
}

impl Http {
    /// Gets ready; says nothing to it yet.
    pub(super) fn to(address: &Address) -> Http {
        Http::within(address, LIMITS)
    }

    fn within(address: &Address, limits: Limits) -> Http {
        let host = error::host(address);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            // Of the system: a server at home has a certificate that its owner put there.
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let mut config = Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("lusush/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_recv_response(Some(limits.stall))
            .timeout_per_read(Some(limits.stall))
            .timeout_per_write(Some(limits.stall));
        if address.is_served_here() {
            // What is on this machine no proxy knows.
            config = config.proxy(None);
        }
        Http {
            agent: config.build().into(),
            host,
            limits,
        }
    }

    /// Sends a request, within what its size allows.
    fn send<S: AsSendBody>(
        &self,
        request: ureq::http::Request<S>,
        size: Size,
        bytes: usize,
    ) -> Result<ureq::http::Response<Body>, Failed> {
        let config = self.agent.configure_request(request);
        let config = match size {
            Size::Small => config.timeout_global(Some(self.limits.small)),
            Size::Large if bytes > 0 => {
                let limit = Some(self.limits.large(bytes as u64));
                // What was sent may be on its way still, in the system's buffers, when the answer is waited for.
                config
                    .timeout_send_body(limit)
                    .timeout_recv_response(limit)
                    .timeout_per_read(limit)
            }
            Size::Large => config,
        };
        Ok(self.agent.run(config.build())?)
    }

    /// Reads what comes back, within what its size allows.
    fn receive(&self, response: &mut ureq::http::Response<Body>, size: Size) -> Result<Vec<u8>, Failed> {
        let began = Instant::now();
        let most = match size {
            Size::Small => SMALL_BYTES_MAX,
            Size::Large => LARGE_BYTES_MAX,
        };
        let mut reader = response.body_mut().with_config().limit(most).reader();
        let mut body = Vec::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let n = reader.read(&mut buffer)?;
            if n == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&buffer[..n]);
            // The library knows no rate; that of a small call it keeps itself.
            if size == Size::Large && began.elapsed() > self.limits.large(body.len() as u64) {
                return Err(Failed::Slow);
            }
        }
    }

    /// What it means that the limit of a whole call was reached.
    fn too_slow(&self, size: Size) -> String {
        match size {
            Size::Small => format!("no whole answer within {} s", self.limits.small.as_secs()),
            Size::Large => format!("fewer than {} bytes a second went by", self.limits.rate),
        }
    }

    fn once(
        &self,
        request: &Request,
        sent: Option<&BytesList>,
        range: Option<(u32, u32)>,
        size: Size,
    ) -> Result<Reply, Failed> {
        let mut builder = ureq::http::Request::builder()
            .method(request.method)
            .uri(request.url.as_str());
        for (name, value) in &request.headers {
            let value = ureq::http::HeaderValue::from_str(value).map_err(ureq::http::Error::from);
            let mut value = value.map_err(ureq::Error::from)?;
            value.set_sensitive(true);
            builder = builder.header(*name, value);
        }
        if let Some((offset, length)) = range {
            let last = u64::from(offset) + u64::from(length) - 1;
            builder = builder.header("range", format!("bytes={offset}-{last}"));
        }
        // A call that sends nothing says so: some servers wait for what has no stated length.
        let nothing = BytesList::default();
        let sent = sent.or((request.method == "POST").then_some(&nothing));
        let mut response = match sent {
            None => self.send(builder.body(()).map_err(ureq::Error::from)?, size, 0)?,
            Some(content) => {
                // In one piece of known length: neither S3 nor every server of restic takes another.
                builder = builder.header("content-length", content.size().to_string());
                let mut reader = content.clone().reader();
                let body = builder.body(SendBody::from_reader(&mut reader));
                self.send(body.map_err(ureq::Error::from)?, size, content.size())?
            }
        };
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        let length = header("content-length").and_then(|text| text.parse().ok());
        let time = |name| DateTimeParser::new().parse_timestamp(header(name)?).ok();
        // Both by the server's clock, so that ours may be wrong.
        let age_s = time("date")
            .zip(time("last-modified"))
            .map(|(now, written)| now.duration_since(written).as_secs().max(0).unsigned_abs());
        let region = header("x-amz-bucket-region").map(str::to_owned);
        let status = response.status().as_u16();
        let body = match request.method {
            "HEAD" => Bytes::new(),
            _ => Bytes::from(self.receive(&mut response, size)?),
        };
        if request.method != "HEAD" && length.is_some_and(|length| length != body.len() as u64) {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
        }
        Ok(Reply {
            status,
            body,
            length,
            age_s,
            region,
        })
    }
}

impl Carrier for Http {
    fn carry(
        &self,
        make: &dyn Fn() -> Request,
        sent: Option<&BytesList>,
        range: Option<(u32, u32)>,
        size: Size,
    ) -> Result<Reply, RemoteError> {
        let mut pauses = PAUSES.iter();
        loop {
            // Made anew each time: a signature is of a moment.
            let result = self.once(&make(), sent, range, size);
            let again = match &result {
                Ok(reply) => matches!(reply.status, 408 | 429 | 500 | 502..=599),
                Err(Failed::Http(error)) => may_pass(error),
                Err(Failed::Slow) => false,
            };
            match pauses.next().filter(|_| again) {
                Some(pause) => std::thread::sleep(*pause),
                None => {
                    let host = self.host.clone();
                    return result.map_err(|failed| match failed {
                        Failed::Http(error) => {
                            let why = why(&error);
                            RemoteError::Unreachable { host, why }
                        }
                        Failed::Slow => {
                            let why = self.too_slow(size);
                            RemoteError::Slow { host, why }
                        }
                    });
                }
            }
        }
    }
}

/// Whether it may be different in a moment: a certificate that is refused will not.
fn may_pass(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => error.kind() != ErrorKind::InvalidData,
        ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Protocol(_)
        | ureq::Error::BodyStalled => true,
        _ => false,
    }
}

/// One sentence; none of the library's has an address in it but for those of hosts.
fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "nobody knows the name".to_owned(),
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            format!("no connection within {} s", CONNECT.as_secs())
        }
        ureq::Error::Timeout(_) => format!("no answer within {} s", STALL.as_secs()),
        ureq::Error::Io(error) => error.to_string(),
        // It has the address in it.
        ureq::Error::BadUri(_) => "the address cannot be used".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;
    use std::thread;

    use zeroize::Zeroizing;

    use super::*;

    /// Between two bytes of who drips.
    const DRIP: Duration = Duration::from_millis(5);
    /// Far more than a test takes.
    const LONG: Duration = Duration::from_secs(120);

    /// A server that takes a call, and then does something again and again until it fails.
    fn served(first: &'static [u8], then: fn(&mut TcpStream) -> io::Result<()>) -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("rest:http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut head = [0; 16];
                    stream.read_exact(&mut head).unwrap();
                    let mut gone = stream.write_all(first);
                    while gone.is_ok() {
                        thread::sleep(DRIP);
                        gone = then(&mut stream);
                    }
                });
            }
        });
        Address::parse(&address).unwrap()
    }

    /// Sends a byte.
    fn drip(stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(b"y")
    }

    /// What comes of a call within limits that only the size decides; a call that is held for ever fails the test.
    fn called(address: Address, limits: Limits, size: Size, sent: Option<BytesList>) -> RemoteError {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let request = || Request {
                method: if sent.is_some() { "POST" } else { "GET" },
                url: Zeroizing::new(format!("{}/x", address.to_string().replace("rest:", ""))),
                headers: Vec::new(),
            };
            let carried = Http::within(&address, limits).carry(&request, sent.as_ref(), None, size);
            let _nobody_waits = tell.send(carried);
        });
        told.recv_timeout(LONG).unwrap().unwrap_err()
    }

    const PATIENT: Limits = Limits {
        connect: LONG,
        stall: LONG,
        small: LONG,
        grace: LONG,
        rate: 1,
    };

    #[test]
    fn an_answer_that_drips_is_given_up() {
        let small = Limits {
            small: Duration::from_millis(100),
            ..PATIENT
        };
        let large = Limits {
            grace: Duration::from_millis(100),
            rate: 1 << 30,
            ..PATIENT
        };
        // A body without an end, and a head without one.
        let (body, head) = (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: ");
        for (address, limits, size, expect) in [
            (
                served(body, drip),
                small,
                Size::Small,
                "no whole answer within 0 s",
            ),
            (
                served(head, drip),
                small,
                Size::Small,
                "no whole answer within 0 s",
            ),
            (
                served(body, drip),
                large,
                Size::Large,
                "fewer than 1073741824 bytes a second went by",
            ),
        ] {
            let error = called(address, limits, size, None);
            assert!(matches!(error, RemoteError::Slow { .. }), "{error}");
            assert!(error.may_pass());
            let said = error.to_string();
            assert_eq!(said.split_once(" is too slow: ").unwrap().1, expect);
        }
    }

    #[test]
    fn who_takes_a_byte_at_a_time_is_given_up() {
        fn sip(stream: &mut TcpStream) -> io::Result<()> {
            stream.read_exact(&mut [0])
        }
        let large = Limits {
            grace: Duration::from_millis(100),
            rate: 1 << 30,
            ..PATIENT
        };
        // More than the system holds on its way.
        let sent = BytesList::from(Bytes::from(vec![7; 64 << 20]));
        let error = called(served(b"", sip), large, Size::Large, Some(sent));
        assert!(matches!(error, RemoteError::Slow { .. }), "{error}");
    }
}
