//! More clients than there are places.

use crate::support::{PATIENCE, Running, SECOND, Stepped, reply, request};
use lle_maintenance::control::{CONNECTIONS_MAX, CallError, Client, IDLE_NS, YIELD_NS};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

const CROWD: usize = 1000;

/// Raises the limit of descriptors to what is allowed, and returns how many clients that makes.
fn crowd() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let allowed = limit
        .maximum
        .map_or(usize::MAX, |most| usize::try_from(most).unwrap());
    // Other tests run beside this one.
    let clients = CROWD.min(allowed.saturating_sub(400));
    if clients < CROWD {
        eprintln!("only {clients} clients: {allowed} descriptors are allowed");
    }
    clients
}

/// Calls as often as it takes: on a machine so busy that this thread sleeps for two seconds between connecting and
/// asking, its place is given to another.
fn call_until_answered(running: &Running) {
    for _ in 0..50 {
        let mut client = Client::connect(&running.path, PATIENCE).unwrap();
        match client.call("Version", json!({})) {
            Err(CallError::Unreachable { .. }) => {}
            answer => {
                answer.unwrap();
                return;
            }
        }
    }
    panic!("never answered");
}

#[test]
fn a_thousand_clients_at_once_are_all_answered() {
    let running = Running::new();
    let clients = crowd();
    let mut steady = running.client();
    let (barrier, done) = (Barrier::new(clients), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let visit = || {
            barrier.wait();
            call_until_answered(&running);
        };
        let visitors: Vec<_> = (0..clients)
            .map(|_| {
                let thread = std::thread::Builder::new().stack_size(256 * 1024);
                thread.spawn_scoped(scope, visit).unwrap()
            })
            .collect();
        // Who was there before goes on.
        let undisturbed = scope.spawn(|| {
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) || calls == 0 {
                match steady.call("Status", json!({})) {
                    // As above; that who asks keeps its place is shown below, without a clock.
                    Err(CallError::Unreachable { .. }) => steady = running.client(),
                    answer => drop(answer.unwrap()),
                }
                calls += 1;
            }
        });
        for visitor in visitors {
            visitor.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        undisturbed.join().unwrap();
    });
    let recorder = running.stop();
    let versions = recorder
        .methods()
        .iter()
        .filter(|method| **method == "Version")
        .count();
    assert_eq!(versions, clients);
}

#[test]
fn who_says_nothing_gives_its_place_to_one_who_waits() {
    let mut stepped = Stepped::new();
    let mut silent: Vec<UnixStream> = (0..CONNECTIONS_MAX).map(|_| stepped.client()).collect();
    stepped.settle(0);
    // One of them asks, later than the others came.
    silent[0].write_all(&request("Status", json!({}))).unwrap();
    stepped.settle(SECOND);
    let mut waiting = stepped.client();
    waiting.write_all(&request("Version", json!({}))).unwrap();
    // Full: it waits, and does not keep the server busy.
    assert_eq!(stepped.settle(SECOND).accepted, 0);
    assert_eq!(stepped.server.connections(), CONNECTIONS_MAX);
    assert_eq!(stepped.server.next_deadline(), Some(YIELD_NS));
    let served = stepped.settle(YIELD_NS);
    assert_eq!((served.accepted, served.dropped), (1, 1));
    assert_eq!(reply(&mut waiting).unwrap()["parameters"]["interface"], 1);
    assert_eq!(reply(&mut silent[1]), None);
    assert!(reply(&mut silent[0]).is_some());
    // Full again, and nobody waits: all stay.
    assert_eq!(stepped.settle(3 * YIELD_NS).dropped, 0);
    assert_eq!(stepped.server.connections(), CONNECTIONS_MAX);
    assert_eq!(stepped.server.next_deadline(), Some(IDLE_NS));
}

#[test]
fn places_are_free_again_when_clients_leave() {
    let mut stepped = Stepped::new();
    for round in 0..10 {
        let clients: Vec<UnixStream> = (0..CONNECTIONS_MAX + 20).map(|_| stepped.client()).collect();
        assert_eq!(stepped.settle(round).accepted, CONNECTIONS_MAX);
        drop(clients);
        assert_eq!(stepped.settle(round).accepted, 20);
        assert_eq!(stepped.server.connections(), 0);
    }
}
