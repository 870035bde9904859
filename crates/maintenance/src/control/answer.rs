//! From a request to its reply: what every service answers is answered here, the rest is asked of the engine.

use super::interface::{self, INTERFACE, SERVICE};
use super::message::{Fault, Reply, Request};
use super::peer::Peer;
use serde_json::{Map, Value, json};

/// Whoever does what is asked.
pub trait Dispatch {
    /// Does what `peer` asks. `method` is one of the interface, without its name; `parameters` is an object of what
    /// the method takes, each of its type, and none that is null.
    ///
    /// It must not wait: nobody else is answered until it returns.
    ///
    /// # Errors
    /// A fault, which is the reply.
    fn call(&mut self, peer: &Peer, method: &str, parameters: Value) -> Result<Value, Fault>;

    /// Another user was refused, before anything it sent was read. That can happen as often as it likes.
    fn refused(&mut self, peer: &Peer);
}

/// Returns the reply to a request.
pub(super) fn answer(mut request: Request, peer: &Peer, dispatch: &mut dyn Dispatch) -> Reply {
    let parameters = request.take_parameters();
    let Some((interface, method)) = request.method.rsplit_once('.') else {
        return Reply::InterfaceNotFound(request.method);
    };
    if interface::description(interface).is_none() {
        return Reply::InterfaceNotFound(interface.to_owned());
    }
    if request.is_upgrade() {
        return Reply::MethodNotImplemented(request.method);
    }
    match (interface, method) {
        (SERVICE, "GetInfo") => Reply::Done(interface::info()),
        (SERVICE, "GetInterfaceDescription") => describe(&parameters),
        (INTERFACE, method) => match interface::method_named(method) {
            Some(method) => match method.admit(parameters) {
                Ok(admitted) => match dispatch.call(peer, method.name, Value::Object(admitted)) {
                    Ok(value) => Reply::Done(value),
                    Err(fault) => Reply::Fault(fault),
                },
                Err(parameter) => Reply::InvalidParameter(parameter),
            },
            None => Reply::MethodNotFound(request.method),
        },
        _ => Reply::MethodNotFound(request.method),
    }
}

fn describe(parameters: &Map<String, Value>) -> Reply {
    match parameters.get("interface").and_then(Value::as_str) {
        None => Reply::InvalidParameter("interface".to_owned()),
        Some(name) => match interface::description(name) {
            Some(description) => Reply::Done(json!({ "description": description })),
            None => Reply::InterfaceNotFound(name.to_owned()),
        },
    }
}
