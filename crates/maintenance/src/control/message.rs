//! Requests and replies, as bytes: one JSON object and a NUL each.
//!
//! Invariant: any bytes are read without panicking, and no reply is longer than [`REPLY_BYTES_MAX`].

use super::interface::{INTERFACE, SERVICE};
use lle_core::error::Code;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Longest request: a registered task with two long command lines takes a tenth of it.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Longest reply: some four thousand audit records.
pub const REPLY_BYTES_MAX: usize = 1024 * 1024;
/// Of an explanation of what is wrong with a request, which may quote it.
const EXPLANATION_CHARS_MAX: usize = 200;

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Its row in the table of errors.
    pub code: Code,
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault without a hint.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A request, as far as it is understood: fields that other services have are ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    pub(super) method: String,
    parameters: Option<Map<String, Value>>,
    oneway: Option<bool>,
    /// More than one reply would be taken; one is a valid answer to that.
    #[serde(rename = "more")]
    _more: Option<bool>,
    upgrade: Option<bool>,
}

impl Request {
    /// Reads a request, without its NUL.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(bytes).map_err(|error| {
            let explanation: String = error.to_string().chars().take(EXPLANATION_CHARS_MAX).collect();
            Fault::new(
                Code::InvalidParameters,
                format!("not a Varlink request: {explanation}"),
            )
        })
    }

    /// No reply is wanted, whatever comes of it.
    pub(super) fn is_oneway(&self) -> bool {
        self.oneway == Some(true)
    }

    /// Another protocol is to be spoken from here on.
    pub(super) fn is_upgrade(&self) -> bool {
        self.upgrade == Some(true)
    }

    /// Takes the parameters; none and an empty object are the same.
    pub(super) fn take_parameters(&mut self) -> Map<String, Value> {
        self.parameters.take().unwrap_or_default()
    }
}

/// What is sent back.
#[derive(Debug)]
pub(super) enum Reply {
    Done(Value),
    Fault(Fault),
    InterfaceNotFound(String),
    MethodNotFound(String),
    MethodNotImplemented(String),
    InvalidParameter(String),
}

#[derive(Serialize)]
struct Wire {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    parameters: Value,
}

impl Reply {
    /// The bytes, the NUL included. A reply that is too long becomes a fault that says so.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let Some(mut bytes) = encode(&self.into_wire()).filter(|bytes| bytes.len() < REPLY_BYTES_MAX) else {
            return Reply::Fault(too_long()).into_bytes();
        };
        bytes.push(0);
        bytes
    }

    fn into_wire(self) -> Wire {
        let standard = |error: &str, parameters| Wire {
            error: Some(format!("{SERVICE}.{error}")),
            parameters,
        };
        match self {
            // Clients look fields up in it: an answer that is no object is an empty one.
            Reply::Done(parameters) => Wire {
                error: None,
                parameters: if parameters.is_object() {
                    parameters
                } else {
                    json!({})
                },
            },
            Reply::Fault(fault) => fault_wire(fault),
            Reply::InterfaceNotFound(interface) => {
                standard("InterfaceNotFound", json!({ "interface": interface }))
            }
            Reply::MethodNotFound(method) => standard("MethodNotFound", json!({ "method": method })),
            Reply::MethodNotImplemented(method) => {
                standard("MethodNotImplemented", json!({ "method": method }))
            }
            Reply::InvalidParameter(parameter) => {
                standard("InvalidParameter", json!({ "parameter": parameter }))
            }
        }
    }
}

fn fault_wire(fault: Fault) -> Wire {
    // Success is no error of the interface; whoever reports it as one did not succeed.
    let code = if fault.code == Code::Success {
        Code::Failed
    } else {
        fault.code
    };
    let mut parameters = json!({ "message": fault.message });
    if let Some(hint) = fault.hint {
        parameters["hint"] = Value::String(hint);
    }
    Wire {
        error: Some(format!("{INTERFACE}.{}", code.name())),
        parameters,
    }
}

fn encode(wire: &Wire) -> Option<Vec<u8>> {
    serde_json::to_vec(wire).ok()
}

fn too_long() -> Fault {
    Fault::new(
        Code::Failed,
        format!("the answer is longer than {REPLY_BYTES_MAX} bytes"),
    )
    .with_hint("ask for less of it, with a limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reply: Reply) -> String {
        let mut bytes = reply.into_bytes();
        assert_eq!(bytes.pop(), Some(0));
        assert!(!bytes.contains(&0));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn replies() {
        fn check(reply: Reply, expect: &str) {
            assert_eq!(text(reply), expect);
        }
        check(Reply::Done(json!({"a": 1})), r#"{"parameters":{"a":1}}"#);
        check(Reply::Done(Value::Null), r#"{"parameters":{}}"#);
        check(
            Reply::Done(json!({"nul": "\0"})),
            r#"{"parameters":{"nul":"\u0000"}}"#,
        );
        check(
            Reply::Fault(Fault::new(Code::Busy, "it runs").with_hint("wait")),
            r#"{"error":"io.lusush.Maintenance.Busy","parameters":{"hint":"wait","message":"it runs"}}"#,
        );
        check(
            Reply::Fault(Fault::new(Code::Success, "?")),
            r#"{"error":"io.lusush.Maintenance.Failed","parameters":{"message":"?"}}"#,
        );
        check(
            Reply::MethodNotFound("a.b.C".to_owned()),
            r#"{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"a.b.C"}}"#,
        );
    }

    #[test]
    fn a_reply_that_is_too_long_says_so() {
        let reply = Reply::Done(json!({ "document": "x".repeat(REPLY_BYTES_MAX) }));
        assert!(text(reply).contains("the answer is longer than 1048576 bytes"));
    }

    #[test]
    fn requests() {
        fn check(bytes: &[u8], expect: Result<&str, &str>) {
            match (Request::read(bytes), expect) {
                (Ok(request), Ok(method)) => assert_eq!(request.method, method),
                (Err(fault), Err(message)) => {
                    assert!(fault.message.contains(message), "{}", fault.message);
                    assert!(fault.message.len() < 1000);
                }
                (got, expect) => panic!("{got:?} instead of {expect:?}"),
            }
        }
        check(br#"{"method":"a.B"}"#, Ok("a.B"));
        check(
            br#"{"method":"a.B","parameters":null,"more":true,"later":[1]}"#,
            Ok("a.B"),
        );
        check(br#"{"method":"a.B","parameters":[]}"#, Err("expected a map"));
        check(br#"{"method":"a.B","oneway":1}"#, Err("expected a boolean"));
        check(br#"{"method":3}"#, Err("expected a string"));
        check(b"{}", Err("missing field"));
        check(b"", Err("EOF"));
        check(b"\xff\xfe", Err("expected value"));
        check(b"{\"method\":\"\xff\"}", Err("unicode"));
        let deep = [
            br#"{"method":"a.B","parameters":{"a":"#.as_slice(),
            &b"[".repeat(60_000),
        ]
        .concat();
        check(&deep, Err("recursion limit"));
        let long = format!(r#"{{"method":"a.B","parameters":"{}"}}"#, "é".repeat(20_000));
        check(long.as_bytes(), Err("invalid type: string \"éé"));
    }
}
