//! A server of restic's REST protocol that answers as its own, `rest-server`, does: version 2 of its lists, which are a 404 where
//! there is no such folder; packs in folders of two digits; no word of when a file was written; no file is written twice,
//! and none whose content is not what its name says. One request a connection.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use sha2::{Digest, Sha256};

/// The folders of a repository.
const FOLDERS: &[&str] = &["data", "index", "keys", "locks", "snapshots"];

struct Asked {
    method: String,
    path: String,
    authorization: String,
    /// First and last byte.
    range: Option<(usize, usize)>,
    body: Vec<u8>,
}

/// Starts it; it ends with the test's process.
pub(crate) fn start(root: &Path, user: &str, password: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let root = root.to_owned();
    let pair = encoded(format!("{user}:{password}").as_bytes());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (root, pair) = (root.clone(), pair.clone());
            std::thread::spawn(move || {
                let Some(asked) = read(&stream) else { return };
                let (status, headers, body) = match asked.authorization == format!("Basic {pair}") {
                    true => answer(&root, &asked),
                    false => (401, String::new(), Vec::new()),
                };
                // Whoever asked may be gone.
                let _gone = send(stream, &asked.method, status, &headers, &body);
            });
        }
    });
    address
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut asked = Asked {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        authorization: String::new(),
        range: None,
        body: Vec::new(),
    };
    let (mut length, mut is_chunked) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "transfer-encoding" => is_chunked = true,
            "authorization" => asked.authorization = value.to_owned(),
            "range" => {
                let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
                asked.range = Some((first.parse().ok()?, last.parse().unwrap_or(usize::MAX)));
            }
            "expect" => (&*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?,
            _ => {}
        }
    }
    if is_chunked {
        return None;
    }
    asked.body = vec![0; length];
    // One that was cut is stored nowhere.
    reader.read_exact(&mut asked.body).ok()?;
    Some(asked)
}

type Answer = (u16, String, Vec<u8>);

fn plain(status: u16) -> Answer {
    let said = match status {
        400 => "Bad Request\n",
        403 => "Forbidden\n",
        404 => "Not Found\n",
        405 => "Method Not Allowed\n",
        _ => "",
    };
    (status, String::new(), said.into())
}

fn answer(root: &Path, asked: &Asked) -> Answer {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    // A user has one repository, below their name.
    let Some((user, path)) = path.trim_start_matches('/').split_once('/') else {
        return plain(404);
    };
    let repository = root.join(user);
    let method = asked.method.as_str();
    match path.split_once('/') {
        None if path.is_empty() && method == "POST" && query == "create=true" => {
            let made = |folder: &&str| fs::create_dir_all(repository.join(folder)).is_ok();
            plain(if FOLDERS.iter().all(made) { 200 } else { 500 })
        }
        None if path == "config" => file(asked, &repository.join(path), None),
        Some((folder, "")) if FOLDERS.contains(&folder) => match method {
            "GET" => list(&repository.join(folder)),
            _ => plain(405),
        },
        Some((folder, name)) if FOLDERS.contains(&folder) && is_name(name) => {
            let folder = repository.join(folder);
            let folder = match folder.ends_with("data") {
                true => folder.join(&name[..2]),
                false => folder,
            };
            file(asked, &folder.join(name), Some(name))
        }
        _ => plain(404),
    }
}

fn is_name(name: &str) -> bool {
    let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    name.len() == 64 && name.chars().all(digit)
}

fn list(folder: &Path) -> Answer {
    let mut rows = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            return plain(404);
        };
        for entry in entries.flatten() {
            let found = entry.metadata().unwrap();
            match found.is_dir() {
                true => folders.push(entry.path()),
                false => rows.push(format!(
                    "{{\"name\":\"{}\",\"size\":{}}}",
                    entry.file_name().display(),
                    found.len()
                )),
            }
        }
    }
    let kind = "Content-Type: application/vnd.x.restic.rest.v2\r\n".to_owned();
    // As its language says that there is nothing in a list.
    let body = match rows.is_empty() {
        true => "null".to_owned(),
        false => format!("[{}]", rows.join(",")),
    };
    (200, kind, body.into_bytes())
}

/// Does something with a file, whose name is that of its content unless it has none.
fn file(asked: &Asked, file: &Path, name: Option<&str>) -> Answer {
    match asked.method.as_str() {
        "GET" | "HEAD" => match fs::read(file) {
            Err(_) => plain(404),
            Ok(content) => match asked.range {
                None => (200, String::new(), content),
                Some((first, _)) if first >= content.len() => plain(416),
                Some((first, last)) => {
                    let last = last.min(content.len() - 1);
                    (206, String::new(), content[first..=last].to_vec())
                }
            },
        },
        "POST" => {
            let digest = Sha256::digest(&asked.body);
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            if name.is_some_and(|name| name != digest) {
                return plain(400);
            }
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            let draft = file.with_extension(format!("draft{:?}", std::thread::current().id()));
            fs::write(&draft, &asked.body).unwrap();
            // Whoever comes second finds the name taken.
            let made = fs::hard_link(&draft, file);
            fs::remove_file(&draft).unwrap();
            plain(if made.is_ok() { 200 } else { 403 })
        }
        "DELETE" => plain(if fs::remove_file(file).is_ok() { 200 } else { 404 }),
        _ => plain(405),
    }
}

fn send(mut stream: TcpStream, method: &str, status: u16, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len(),
    );
    stream.write_all(head.as_bytes())?;
    if method != "HEAD" {
        stream.write_all(body)?;
    }
    stream.flush()
}

/// Base 64, slowly: bit by bit, so that it is not the code that it is to try.
fn encoded(bytes: &[u8]) -> String {
    let alphabet: Vec<char> = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['+', '/'])
        .collect();
    let bits: Vec<usize> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| usize::from(byte >> at & 1)))
        .collect();
    let mut out: String = bits
        .chunks(6)
        .map(|six| {
            let number = six.iter().fold(0, |number, bit| number << 1 | bit);
            alphabet[number << (6 - six.len())]
        })
        .collect();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}
