//! The smallest server of restic's REST protocol that restic itself works with: version 2 of its lists, one request a
//! connection, files on disk, a user and a password.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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

fn answer(root: &Path, asked: &Asked) -> Answer {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    assert!(parts.iter().all(|part| !part.contains("..")), "{path}");
    let plain = |status| (status, String::new(), Vec::new());
    let file: PathBuf = parts.iter().fold(root.to_owned(), |path, part| path.join(part));
    let is_folder = parts.last().is_some_and(|last| FOLDERS.contains(last));
    match asked.method.as_str() {
        "POST" if query == "create=true" => {
            let made = FOLDERS
                .iter()
                .all(|folder| fs::create_dir_all(file.join(folder)).is_ok());
            plain(if made { 200 } else { 500 })
        }
        "GET" if is_folder => match fs::read_dir(&file) {
            Err(_) => plain(404),
            Ok(entries) => {
                let row = |entry: fs::DirEntry| {
                    let (name, size) = (entry.file_name(), entry.metadata().unwrap().len());
                    format!("{{\"name\":\"{}\",\"size\":{size}}}", name.display())
                };
                let rows: Vec<String> = entries.flatten().map(row).collect();
                let kind = "Content-Type: application/vnd.x.restic.rest.v2\r\n".to_owned();
                (200, kind, format!("[{}]", rows.join(",")).into_bytes())
            }
        },
        "GET" | "HEAD" => match fs::read(&file) {
            Err(_) => plain(404),
            Ok(content) => {
                let written = fs::metadata(&file).and_then(|found| found.modified()).unwrap();
                let dates = format!("Last-Modified: {}\r\n", date(written));
                match asked.range {
                    None => (200, dates, content),
                    Some((first, _)) if first >= content.len() => plain(416),
                    Some((first, last)) => {
                        let last = last.min(content.len() - 1);
                        (206, dates, content[first..=last].to_vec())
                    }
                }
            }
        },
        // restic's own server writes no file twice.
        "POST" if file.exists() => plain(403),
        "POST" if file.parent().is_none_or(|folder| !folder.exists()) => plain(404),
        "POST" => {
            let draft = file.with_extension("draft");
            fs::write(&draft, &asked.body).unwrap();
            fs::rename(&draft, &file).unwrap();
            plain(200)
        }
        "DELETE" => plain(if fs::remove_file(&file).is_ok() { 200 } else { 404 }),
        _ => plain(405),
    }
}

fn date(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn send(mut stream: TcpStream, method: &str, status: u16, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Length: {}\r\nDate: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len(),
        date(SystemTime::now())
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
