//! Clients that harm nobody, try as they may.

use crate::support::{PATIENCE, Running, SECOND, Stepped, error_of, folder, reply, request};
use lle_core::error::Code;
use lle_maintenance::control::{
    CallError, Client, IDLE_NS, MESSAGE_BYTES_MAX, MESSAGE_NS, REPLY_NS, REQUESTS_PER_SERVE,
};
use proptest::prelude::*;
use serde_json::json;
use std::io::Write;
use std::os::unix::net::UnixStream;

const INVALID: &str = "io.lusush.Maintenance.InvalidParameters";

fn answers(stepped: &mut Stepped, now: u64) {
    let mut client = stepped.client();
    client.write_all(&request("Version", json!({}))).unwrap();
    stepped.settle(now);
    assert_eq!(reply(&mut client).unwrap()["parameters"]["interface"], 1);
}

/// Sends `bytes` while somebody else is connected: the sender is told and gone, the other is answered.
fn check_rubbish(bytes: &[u8], message: &str) {
    let mut stepped = Stepped::new();
    let mut other = stepped.client();
    other.write_all(b"{\"method\":\"io.lusush.").unwrap();
    let mut client = stepped.client();
    client.write_all(bytes).unwrap();
    stepped.settle(0);
    let told = reply(&mut client).unwrap();
    assert_eq!(error_of(&told), INVALID);
    let said = told["parameters"]["message"].as_str().unwrap();
    assert!(said.contains(message), "{said}");
    assert_eq!(reply(&mut client), None);
    assert_eq!(stepped.server.connections(), 1);
    other.write_all(b"Maintenance.Version\"}\0").unwrap();
    stepped.settle(0);
    assert!(reply(&mut other).is_some());
    answers(&mut stepped, 0);
}

#[test]
fn rubbish() {
    check_rubbish(b"GET / HTTP/1.1\r\n\r\n\0", "expected value");
    check_rubbish(b"\0", "EOF");
    check_rubbish(&[0; 5000], "EOF");
    check_rubbish(b"[]\0", "invalid length 0");
    check_rubbish(b"\xff\xfe\0", "expected value");
    check_rubbish(b"{\"method\":\"\xff\"}\0", "unicode");
    check_rubbish(b"{\"method\":1}\0", "expected a string");
    check_rubbish(b"{\"parameters\":{}}\0", "missing field");
    let method = br#"{"method":"io.lusush.Maintenance.Status","parameters":{"a":"#.as_slice();
    check_rubbish(&[method, &b"[".repeat(30_000), b"\0"].concat(), "recursion limit");
    check_rubbish(
        &[method, &b"{\"a\":".repeat(10_000), b"\0"].concat(),
        "recursion limit",
    );
    check_rubbish(
        br#"{"method":"io.lusush.Maintenance.Status","parameters":3}"#
            .as_slice()
            .iter()
            .chain(b"\0")
            .copied()
            .collect::<Vec<u8>>()
            .as_slice(),
        "expected a map",
    );
    check_rubbish(&b"x".repeat(MESSAGE_BYTES_MAX + 1), "at most 65536 bytes");
}

#[test]
fn a_request_as_long_as_it_may_be() {
    let mut stepped = Stepped::new();
    let mut client = stepped.client();
    let padding = MESSAGE_BYTES_MAX - (request("Pause", json!({ "task": "" })).len() - 1);
    let check = |stepped: &mut Stepped, client: &mut UnixStream, padding: usize| {
        let task = "x".repeat(padding);
        client
            .write_all(&request("Pause", json!({ "task": task })))
            .unwrap();
        stepped.settle(0);
        reply(client).unwrap()
    };
    let longest = check(&mut stepped, &mut client, padding);
    assert_eq!(longest["parameters"]["task"].as_str().unwrap().len(), padding);
    assert_eq!(error_of(&check(&mut stepped, &mut client, padding + 1)), INVALID);
    assert_eq!(reply(&mut client), None);
}

#[test]
fn a_megabyte_of_rubbish() {
    let running = Running::new();
    let mut steady = running.client();
    for rubbish in [b'x', b'{', 0xff] {
        let mut client = crate::support::raw(&running.path);
        // The server stops reading after 64 KiB; what the kernel says of the rest is not of interest.
        let _ = client.write_all(&vec![rubbish; 1024 * 1024]);
        assert_eq!(error_of(&reply(&mut client).unwrap()), INVALID);
        assert_eq!(reply(&mut client), None);
        assert!(steady.call("Version", json!({})).is_ok());
    }
    // The client that waits reads on after the connection broke under it.
    let task = "x".repeat(1024 * 1024);
    match running.call("Run", json!({ "task": task })) {
        Err(CallError::Fault(fault)) => assert_eq!(fault.code, Code::InvalidParameters),
        other => panic!("{other:?}"),
    }
}

#[test]
fn half_open_connections_are_held_for_a_while() {
    let mut stepped = Stepped::new();
    let mut half_open: Vec<UnixStream> = (0..20).map(|_| stepped.client()).collect();
    for client in &mut half_open {
        client.write_all(b"{\"method\":").unwrap();
    }
    stepped.settle(0);
    assert_eq!(stepped.server.next_deadline(), Some(MESSAGE_NS));
    answers(&mut stepped, SECOND);
    // More of a message is not a message.
    for client in &mut half_open {
        client.write_all(b"\"").unwrap();
    }
    assert_eq!(stepped.settle(MESSAGE_NS - 1).dropped, 0);
    answers(&mut stepped, MESSAGE_NS - 1);
    assert_eq!(stepped.settle(MESSAGE_NS).dropped, 20);
    assert_eq!(stepped.server.connections(), 0);
    answers(&mut stepped, MESSAGE_NS);
    for client in &mut half_open {
        assert_eq!(reply(client), None);
    }
}

#[test]
fn silent_connections_are_held_for_a_while() {
    let mut stepped = Stepped::new();
    let mut client = stepped.client();
    stepped.settle(0);
    client.write_all(&request("Status", json!({}))).unwrap();
    stepped.settle(IDLE_NS - 1);
    assert_eq!(stepped.server.next_deadline(), Some(2 * IDLE_NS - 1));
    assert_eq!(stepped.settle(2 * IDLE_NS - 2).dropped, 0);
    assert_eq!(stepped.settle(2 * IDLE_NS - 1).dropped, 1);
}

#[test]
fn who_has_sent_everything_does_not_pay_for_a_late_server() {
    let mut stepped = Stepped::new();
    let mut client = stepped.client();
    client.write_all(b"{\"method\":\"io.lusush.").unwrap();
    stepped.settle(0);
    client.write_all(b"Maintenance.Version\"}\0").unwrap();
    stepped.settle(100 * MESSAGE_NS);
    assert!(reply(&mut client).is_some());
}

#[test]
fn a_slow_reader_is_dropped() {
    let mut stepped = Stepped::new();
    let mut slow = stepped.client();
    let large = request("Audit", json!({ "limit": 1_000_000 }));
    // Asks again and again: the second is not even read before the first answer is taken.
    slow.write_all(&large.repeat(10)).unwrap();
    assert_eq!(stepped.settle(0).requests, 1);
    assert_eq!(stepped.server.next_deadline(), Some(REPLY_NS));
    answers(&mut stepped, REPLY_NS - 1);
    assert_eq!(stepped.settle(REPLY_NS).dropped, 1);
    assert_eq!(stepped.recorder.methods(), ["Audit", "Version"]);
    answers(&mut stepped, REPLY_NS);
}

#[test]
fn many_slow_readers_share_a_bound() {
    let mut stepped = Stepped::new();
    let large = request("Audit", json!({ "limit": 1_000_000 }));
    let slow: Vec<UnixStream> = (0..40).map(|_| stepped.client()).collect();
    let mut dropped = 0;
    for (now, mut client) in (0..).zip(&slow) {
        client.write_all(&large).unwrap();
        dropped += stepped.settle(now).dropped;
    }
    assert!(dropped > 20, "{dropped}");
    assert_eq!(stepped.server.connections(), 40 - dropped);
    // Those who asked last are kept.
    let taken = |client: &UnixStream| {
        client.set_nonblocking(true).unwrap();
        let mut all = Vec::new();
        matches!(std::io::Read::read_to_end(&mut &*client, &mut all), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    };
    let kept: Vec<bool> = slow.iter().map(taken).collect();
    assert!(kept.is_sorted(), "{kept:?}");
    answers(&mut stepped, 100);
}

#[test]
fn a_flood_takes_turns_with_others() {
    let mut stepped = Stepped::new();
    let mut flooders: Vec<UnixStream> = (0..40).map(|_| stepped.client()).collect();
    let flood = request("Status", json!({})).repeat(50);
    for client in &mut flooders {
        client.write_all(&flood).unwrap();
    }
    let served = stepped.serve(0);
    assert_eq!(served.requests, REQUESTS_PER_SERVE);
    assert!(served.pending);
    assert_eq!(stepped.server.next_deadline(), Some(0));
    let mut client = stepped.client();
    client.write_all(&request("Version", json!({}))).unwrap();
    // Everybody before it has one turn.
    for _ in 0..40_usize.div_ceil(REQUESTS_PER_SERVE) {
        stepped.serve(0);
    }
    assert_eq!(reply(&mut client).unwrap()["parameters"]["interface"], 1);
    stepped.settle(0);
    assert_eq!(stepped.recorder.calls.len(), 40 * 50 + 1);
}

#[test]
fn a_flood_that_is_never_read_stops_itself() {
    let running = Running::new();
    let flood = request("Status", json!({})).repeat(1000);
    let mut client = crate::support::raw(&running.path);
    client
        .set_write_timeout(Some(std::time::Duration::from_millis(200)))
        .unwrap();
    // Until the server takes no more; bounded, should it take all.
    let blocked = (0..1000).any(|_| client.write_all(&flood).is_err());
    assert!(blocked);
    assert!(running.call("Version", json!({})).is_ok());
}

#[test]
fn gone_while_its_call_is_answered() {
    let mut stepped = Stepped::new();
    for limit in [0, 1_000_000] {
        let mut client = stepped.client();
        client
            .write_all(&request("Audit", json!({ "limit": limit })))
            .unwrap();
        drop(client);
        stepped.settle(0);
        assert_eq!(stepped.server.connections(), 0);
        // In the middle of the reply.
        let mut client = stepped.client();
        client
            .write_all(&request("Audit", json!({ "limit": limit })))
            .unwrap();
        stepped.settle(0);
        drop(client);
        stepped.settle(0);
        assert_eq!(stepped.server.connections(), 0);
    }
    // Asked is asked, who listens or not.
    assert_eq!(stepped.recorder.methods(), ["Audit"; 4]);
    answers(&mut stepped, 0);
}

#[test]
fn descriptors_sent_along_are_closed() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use std::os::fd::AsFd;
    let mut stepped = Stepped::new();
    let mut client = stepped.client();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let descriptors = [theirs.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut along = SendAncillaryBuffer::new(&mut space);
    assert!(along.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let bytes = request("Version", json!({}));
    let part = [std::io::IoSlice::new(&bytes)];
    sendmsg(&client, &part, &mut along, SendFlags::empty()).unwrap();
    drop(theirs);
    stepped.settle(0);
    assert!(reply(&mut client).is_some());
    // The other end is closed although the connection lives.
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(std::io::Read::read(&mut &ours, &mut [0]).unwrap(), 0);
}

#[test]
fn a_server_that_answers_rubbish() {
    fn check(answer: &'static [u8]) {
        let folder = folder();
        let path = folder.path().join("control");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 1024];
            let _ = std::io::Read::read(&mut stream, &mut bytes);
            // In the end the client takes no more.
            for _ in 0..100_000 {
                if answer.is_empty() || stream.write_all(answer).is_err() {
                    return;
                }
            }
        });
        let mut client = Client::connect(&path, PATIENCE).unwrap();
        let result = client.call("Version", json!({}));
        assert!(
            matches!(
                result,
                Err(CallError::Protocol(_) | CallError::Unreachable { .. })
            ),
            "{result:?}"
        );
        drop(client);
        server.join().unwrap();
    }
    check(b"");
    check(b"no\0");
    check(b"[1,2,3]\0");
    check(&[b'x'; 4096]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_in_any_pieces(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                Just(b"\0".to_vec()),
                Just(request("Status", json!({}))),
                Just(b"{\"method\":\"io.lusush.Maintenance.Status\",\"parameters\":{\"a\":".to_vec()),
            ],
            0..20,
        )
    ) {
        let mut stepped = Stepped::new();
        let mut client = stepped.client();
        for piece in &pieces {
            if client.write_all(piece).is_err() {
                break;
            }
            stepped.settle(0);
        }
        answers(&mut stepped, 0);
        drop(client);
        stepped.settle(0);
        prop_assert_eq!(stepped.server.connections(), 0);
        prop_assert_eq!(stepped.server.next_deadline(), None);
    }
}
