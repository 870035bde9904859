//! A gate before a server on loopback: open, shut, shut after so many bytes, or one that lets two through together.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Bytes that may pass while nothing else is said.
const ANY: i64 = i64::MAX;

/// How long one waits for the other.
const PATIENCE: Duration = Duration::from_secs(60);
/// A header, and something as long that no server knows.
const CONDITION: [&[u8]; 2] = [b"if-none-match:", b"xx-none-match:"];

/// Requests that wait until two of them are there.
struct Pair {
    begins: String,
    there: Mutex<usize>,
    came: Condvar,
}

struct State {
    pairs: Mutex<Vec<Arc<Pair>>>,
    /// Whether conditions get lost.
    is_blind: AtomicBool,
    is_shut: AtomicBool,
    left: AtomicI64,
    /// Both ends of what is open.
    connections: Mutex<Vec<TcpStream>>,
}

pub(crate) struct Gate {
    port: u16,
    state: Arc<State>,
}

impl Gate {
    pub(crate) fn before(server: SocketAddr) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            pairs: Mutex::default(),
            is_blind: AtomicBool::new(false),
            is_shut: AtomicBool::new(false),
            left: AtomicI64::new(ANY),
            connections: Mutex::default(),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Whoever comes while it is shut finds the door closed in the face.
                if shared.is_shut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                let both = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                shared.connections.lock().unwrap().extend(both);
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let counting = shared.clone();
                thread::spawn(move || carry(from, to, Some(&counting)));
                thread::spawn(move || carry(server, client, None));
            }
        });
        Gate { port, state }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn shut(&self) {
        self.state.shut();
    }

    /// Shuts once so many bytes went to the server.
    pub(crate) fn shut_after(&self, bytes: i64) {
        self.state.left.store(bytes, Ordering::SeqCst);
    }

    /// The first two requests that begin so go on together.
    pub(crate) fn pair(&self, begins: &str) {
        let pair = Pair {
            begins: begins.to_owned(),
            there: Mutex::default(),
            came: Condvar::new(),
        };
        self.state.pairs.lock().unwrap().push(Arc::new(pair));
    }

    /// Makes of the server one that knows no conditions.
    pub(crate) fn blind(&self) {
        self.state.is_blind.store(true, Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        self.state.left.store(ANY, Ordering::SeqCst);
        self.state.is_shut.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn shut(&self) {
        self.is_shut.store(true, Ordering::SeqCst);
        for connection in self.connections.lock().unwrap().drain(..) {
            let _closed = connection.shutdown(Shutdown::Both);
        }
    }
}

impl State {
    /// Holds a request that is one of a pair until the other has come.
    fn hold(&self, sent: &[u8]) {
        let pairs = self.pairs.lock().unwrap().clone();
        for pair in pairs
            .iter()
            .filter(|pair| sent.starts_with(pair.begins.as_bytes()))
        {
            let mut there = pair.there.lock().unwrap();
            *there += 1;
            pair.came.notify_all();
            let (_held, waited) = pair
                .came
                .wait_timeout_while(there, PATIENCE, |there| *there < 2)
                .unwrap();
            assert!(!waited.timed_out(), "{} came once", pair.begins);
        }
    }

    fn blinded(&self, sent: &mut [u8]) {
        let [known, unknown] = CONDITION;
        if self.is_blind.load(Ordering::SeqCst) {
            let at = sent.windows(known.len()).position(|window| window == known);
            if let Some(at) = at {
                sent[at..at + known.len()].copy_from_slice(unknown);
            }
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, counting: Option<&State>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if let Some(state) = counting {
            let before = state.left.fetch_sub(n as i64, Ordering::SeqCst);
            if before <= n as i64 {
                state.shut();
                return;
            }
            state.hold(&buffer[..n]);
            state.blinded(&mut buffer[..n]);
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(Shutdown::Write);
}
