//! A gate before a server on loopback: open, shut, or shut after so many bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Bytes that may pass while nothing else is said.
const ANY: i64 = i64::MAX;

struct State {
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

fn carry(mut from: TcpStream, mut to: TcpStream, counting: Option<&State>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if let Some(state) = counting {
            let before = state.left.fetch_sub(n as i64, Ordering::SeqCst);
            if before <= n as i64 {
                state.shut();
                return;
            }
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(Shutdown::Write);
}
