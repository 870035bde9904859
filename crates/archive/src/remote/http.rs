//! Calls over HTTP, each with a limit to its waiting, and tried again where that helps.
//!
//! Invariants: nothing is waited for longer than [`CONNECT`] and [`STALL`] without a byte moving, and no call is tried more
//! often than [`PAUSES`] says. No redirection is followed: a signature or a password goes nowhere but to the server that
//! was named. An error names the server and never the request, which may have a signature in it.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::fmt::rfc2822::DateTimeParser;
use lle_core::repository::Address;
use rustic_core::BytesList;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, SendBody};

use super::{Carrier, RemoteError, Reply, Request, error};

/// How long a server may take to be found and to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may take to answer, or a connection to move a byte. A store that gathers its own disks takes seconds.
const STALL: Duration = Duration::from_secs(60);
/// What is waited before a call is tried again: a server that is restarted is back within that, and a person who looks on
/// has not gone away yet.
const PAUSES: &[Duration] = &[
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// Bytes of an answer that is held in memory: a pack has 4 GiB at most by its format, and 128 MiB as a rule.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// A server, and the connections to it.
#[derive(Debug)]
pub(super) struct Http {
    agent: Agent,
    host: String,
}

impl Http {
    /// Gets ready; says nothing to it yet.
    pub(super) fn to(address: &Address) -> Http {
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
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(STALL))
            .timeout_per_read(Some(STALL))
            .timeout_per_write(Some(STALL));
        if address.is_served_here() {
            // What is on this machine no proxy knows.
            config = config.proxy(None);
        }
        Http {
            agent: config.build().into(),
            host,
        }
    }

    fn once(
        &self,
        request: &Request,
        sent: Option<&BytesList>,
        range: Option<(u32, u32)>,
    ) -> Result<Reply, ureq::Error> {
        let mut builder = ureq::http::Request::builder()
            .method(request.method)
            .uri(request.url.as_str());
        for (name, value) in &request.headers {
            let mut value = ureq::http::HeaderValue::from_str(value).map_err(ureq::http::Error::from)?;
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
            None => self.agent.run(builder.body(())?)?,
            Some(content) => {
                // In one piece of known length: neither S3 nor every server of restic takes another.
                builder = builder.header("content-length", content.size().to_string());
                let mut reader = content.clone().reader();
                self.agent
                    .run(builder.body(SendBody::from_reader(&mut reader))?)?
            }
        };
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        let length = header("content-length").and_then(|text| text.parse().ok());
        let time = |name| DateTimeParser::new().parse_timestamp(header(name)?).ok();
        // Both by the server's clock, so that ours may be wrong.
        let age_s = time("date")
            .zip(time("last-modified"))
            .map(|(now, written)| now.duration_since(written).as_secs().max(0).unsigned_abs());
        let status = response.status().as_u16();
        let body = match request.method {
            "HEAD" => Bytes::new(),
            _ => {
                let reading = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
                Bytes::from(reading.read_to_vec()?)
            }
        };
        if request.method != "HEAD" && length.is_some_and(|length| length != body.len() as u64) {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
        }
        Ok(Reply {
            status,
            body,
            length,
            age_s,
        })
    }
}

impl Carrier for Http {
    fn carry(
        &self,
        make: &dyn Fn() -> Request,
        sent: Option<&BytesList>,
        range: Option<(u32, u32)>,
    ) -> Result<Reply, RemoteError> {
        let mut pauses = PAUSES.iter();
        loop {
            // Made anew each time: a signature is of a moment.
            let result = self.once(&make(), sent, range);
            let again = match &result {
                Ok(reply) => matches!(reply.status, 408 | 429 | 500 | 502..=599),
                Err(error) => may_pass(error),
            };
            match pauses.next().filter(|_| again) {
                Some(pause) => std::thread::sleep(*pause),
                None => {
                    return result.map_err(|error| RemoteError::Unreachable {
                        host: self.host.clone(),
                        why: why(&error),
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
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            format!("no connection within {} s", CONNECT.as_secs())
        }
        ureq::Error::Timeout(_) => format!("no answer within {} s", STALL.as_secs()),
        ureq::Error::Io(error) => error.to_string(),
        // It has the address in it.
        ureq::Error::BadUri(_) => "the address cannot be used".to_owned(),
        other => other.to_string(),
    }
}
