//! Calls, as they should be.

use crate::support::{PATIENCE, Running, SECOND, Stepped, error_of, folder, reply, request};
use lle_core::error::Code;
use lle_maintenance::control::{CallError, Client, DESCRIPTION, IDLE_NS};
use serde_json::{Value, json};
use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

#[test]
fn a_call_and_its_answer() {
    let running = Running::new();
    let mut client = running.client();
    let version = client.call("Version", json!({})).unwrap();
    assert_eq!(version, json!({ "version": "0.0.1", "interface": 1 }));
    let paused = client
        .call("io.lusush.Maintenance.Pause", json!({ "task": "backup" }))
        .unwrap();
    assert_eq!(paused["task"], "backup");
    // As long as an answer may be, in many reads.
    let audit = client.call("Audit", json!({ "limit": 1_000_000 })).unwrap();
    assert_eq!(audit["document"]["text"].as_str().unwrap().len(), 1_000_000);
    let recorder = running.stop();
    assert_eq!(recorder.methods(), ["Version", "Pause", "Audit"]);
    let (peer, ..) = recorder.calls[0];
    assert_eq!(peer.pid, std::process::id());
    assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
    assert_eq!(peer.gid, rustix::process::getegid().as_raw());
}

#[test]
fn faults() {
    let running = Running::new();
    let mut client = running.client();
    let mut check =
        |method: &str, parameters: Value, code: Code, message: &str| match client.call(method, parameters) {
            Err(CallError::Fault(fault)) => {
                assert_eq!((fault.code, fault.message.as_str()), (code, message));
                fault.hint
            }
            other => panic!("{method}: {other:?}"),
        };
    let hint = check(
        "Run",
        json!({ "task": "backup" }),
        Code::Busy,
        "backup runs already",
    );
    assert_eq!(hint.as_deref(), Some("wait for it"));
    let hint = check("Verify", json!({}), Code::NotBuilt, "Verify is not built");
    assert_eq!(hint, None);
    let missing = "the parameter task is missing, unknown or not of its type";
    check("Run", json!({}), Code::InvalidParameters, missing);
    let none = "the worker has no io.lusush.Maintenance.Dance";
    let hint = check("Dance", json!({}), Code::NotBuilt, none);
    assert!(hint.unwrap().contains("of another version"));
    let long = "the answer is longer than 1048576 bytes";
    check("Audit", json!({ "limit": 2_000_000 }), Code::Failed, long);
    // The connection is as good as before.
    assert!(client.call("Version", json!({})).is_ok());
    // What is not of the interface does not reach the engine.
    assert_eq!(running.stop().methods(), ["Run", "Verify", "Audit", "Version"]);
}

#[test]
fn what_every_service_answers() {
    let running = Running::new();
    let info = running.call("org.varlink.service.GetInfo", json!({})).unwrap();
    assert_eq!(
        info,
        json!({
            "vendor": "Lusush",
            "product": "lusush maintenance",
            "version": env!("CARGO_PKG_VERSION"),
            "url": "",
            "interfaces": ["org.varlink.service", "io.lusush.Maintenance"],
        })
    );
    let describe = |interface| {
        running.call(
            "org.varlink.service.GetInterfaceDescription",
            json!({ "interface": interface }),
        )
    };
    assert_eq!(
        describe("io.lusush.Maintenance").unwrap()["description"],
        DESCRIPTION
    );
    assert!(describe("org.varlink.service").is_ok());
    assert!(matches!(describe("org.example"), Err(CallError::Fault(fault)) if fault.code == Code::NotBuilt));
}

#[test]
fn standard_errors_as_they_are_sent() {
    let mut stepped = Stepped::new();
    let mut client = stepped.client();
    let mut check = |request: Value, error: &str, parameters: Value| {
        client.write_all(format!("{request}\0").as_bytes()).unwrap();
        stepped.settle(0);
        let reply = reply(&mut client).unwrap();
        assert_eq!(error_of(&reply), error);
        assert_eq!(reply["parameters"], parameters);
    };
    let of = |error: &str| format!("org.varlink.service.{error}");
    let unknown = of("InterfaceNotFound");
    check(json!({"method": "Ping"}), &unknown, json!({"interface": "Ping"}));
    check(json!({"method": ""}), &unknown, json!({"interface": ""}));
    check(
        json!({"method": "a.b.Ping"}),
        &unknown,
        json!({"interface": "a.b"}),
    );
    let method = "org.varlink.service.Dance";
    let unknown = of("MethodNotFound");
    check(json!({"method": method}), &unknown, json!({"method": method}));
    let method = "io.lusush.Maintenance.";
    check(json!({"method": method}), &unknown, json!({"method": method}));
    let describe = "org.varlink.service.GetInterfaceDescription";
    let invalid = of("InvalidParameter");
    check(
        json!({"method": describe}),
        &invalid,
        json!({"parameter": "interface"}),
    );
    let run = "io.lusush.Maintenance.Run";
    check(
        json!({"method": run, "parameters": {"task": 1}}),
        &invalid,
        json!({"parameter": "task"}),
    );
    let method = "io.lusush.Maintenance.Status";
    check(
        json!({"method": method, "upgrade": true}),
        &of("MethodNotImplemented"),
        json!({"method": method}),
    );
    assert!(stepped.recorder.calls.is_empty());
}

#[test]
fn one_way_has_no_reply_and_more_has_one() {
    let mut stepped = Stepped::new();
    let mut client = stepped.client();
    let mut send = |envelope: Value| client.write_all(format!("{envelope}\0").as_bytes()).unwrap();
    send(json!({"method": "io.lusush.Maintenance.Status", "oneway": true}));
    send(json!({"method": "io.lusush.Maintenance.Run", "oneway": true}));
    send(json!({"method": "nothing", "oneway": true}));
    send(json!({"method": "io.lusush.Maintenance.Status", "more": true}));
    assert_eq!(stepped.settle(0).requests, 4);
    let reply = reply(&mut client).unwrap();
    assert_eq!(reply["parameters"]["document"]["calls"], 2);
    assert!(reply.get("continues").is_none());
    assert_eq!(stepped.recorder.methods(), ["Status", "Status"]);
}

#[test]
fn a_message_in_single_bytes() {
    let mut stepped = Stepped::new();
    let mut client = stepped.client();
    for byte in request("Version", json!({})) {
        client.write_all(&[byte]).unwrap();
        stepped.serve(0);
    }
    assert_eq!(reply(&mut client).unwrap()["parameters"]["interface"], 1);
}

#[test]
fn several_messages_in_one_write() {
    let mut stepped = Stepped::new();
    let mut client = stepped.client();
    let mut bytes = request("Status", json!({})).repeat(100);
    let (last, half) = (request("Version", json!({})), 10);
    bytes.extend_from_slice(&last[..half]);
    client.write_all(&bytes).unwrap();
    assert_eq!(stepped.settle(0).requests, 100);
    for call in 1..=100 {
        assert_eq!(
            reply(&mut client).unwrap()["parameters"]["document"]["calls"],
            call
        );
    }
    client.write_all(&last[half..]).unwrap();
    stepped.settle(0);
    assert_eq!(reply(&mut client).unwrap()["parameters"]["interface"], 1);
}

#[test]
fn a_client_that_says_no_more_still_gets_its_answers() {
    let mut stepped = Stepped::new();
    let mut client = stepped.client();
    client.write_all(&request("Status", json!({})).repeat(3)).unwrap();
    client.write_all(b"{\"half").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    stepped.settle(0);
    for _ in 0..3 {
        assert!(reply(&mut client).is_some());
    }
    assert_eq!(reply(&mut client), None);
    assert_eq!(stepped.server.connections(), 0);
}

#[test]
fn without_clients_nothing_is_waited_for() {
    let mut stepped = Stepped::new();
    assert_eq!(stepped.server.next_deadline(), None);
    let client = stepped.client();
    stepped.serve(7);
    assert_eq!(stepped.server.next_deadline(), Some(7 + IDLE_NS));
    drop(client);
    stepped.serve(SECOND);
    assert_eq!(stepped.server.next_deadline(), None);
}

#[test]
fn nobody_there() {
    let folder = folder();
    let nowhere = Client::connect(&folder.path().join("control"), PATIENCE);
    assert!(
        matches!(nowhere, Err(CallError::Unreachable { source }) if source.kind() == std::io::ErrorKind::NotFound)
    );
    let long = folder.path().join("x".repeat(200));
    assert!(
        matches!(Client::connect(&long, PATIENCE), Err(CallError::Unreachable { source })
        if source.kind() == std::io::ErrorKind::InvalidInput)
    );
}

#[test]
fn a_server_that_does_not_answer() {
    // Nobody calls `serve`: the kernel alone takes what is sent.
    let stepped = Stepped::new();
    let mut client = Client::connect(&stepped.path, Duration::from_millis(50)).unwrap();
    assert!(matches!(
        client.call("Version", json!({})),
        Err(CallError::TimedOut)
    ));
    // Its answer, should it come yet, is not the next call's.
    assert!(matches!(
        client.call("Version", json!({})),
        Err(CallError::Protocol(_))
    ));
}

#[test]
fn a_server_that_goes_while_it_is_asked() {
    let stepped = Stepped::new();
    let mut client = Client::connect(&stepped.path, PATIENCE).unwrap();
    drop(stepped);
    assert!(matches!(
        client.call("Version", json!({})),
        Err(CallError::Unreachable { .. })
    ));
}
