//! The protocol of restic's REST servers.
//!
//! Version 2 of its lists, which have lengths; packs lie flat in `data/`, and the server sorts them as it likes. See
//! <https://restic.readthedocs.io/en/stable/100_references.html#rest-backend>.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Call, Credentials, Page, Protocol, Request};

/// What lists are asked for as.
const VERSION_2: &str = "application/vnd.x.restic.rest.v2";
/// The characters of base 64, in order (RFC 4648).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A repository on a REST server.
#[derive(Debug)]
pub(super) struct Rest {
    url: String,
    /// The header that proves who asks; none if nobody does.
    authorization: Option<Zeroizing<String>>,
}

/// A file in a list.
#[derive(Debug, Deserialize)]
struct Listed {
    name: String,
    size: u64,
}

impl Rest {
    pub(super) fn at(url: &str, credentials: &Credentials) -> Rest {
        let name = credentials.value("RESTIC_REST_USERNAME");
        let password = credentials.value("RESTIC_REST_PASSWORD");
        let authorization = name.map(|name| {
            let pair = Zeroizing::new(format!("{name}:{}", password.unwrap_or_default()));
            let pair = base64(pair.as_bytes());
            Zeroizing::new(format!("Basic {}", pair.as_str()))
        });
        Rest {
            url: url.to_owned(),
            authorization,
        }
    }
}

impl Protocol for Rest {
    fn request(&self, call: Call<'_>) -> Request {
        let url = &self.url;
        let (method, url) = match call {
            Call::Create => ("POST", format!("{url}/?create=true")),
            Call::List { folder, .. } => ("GET", format!("{url}/{folder}/")),
            Call::Look(file) => ("HEAD", format!("{url}/{file}")),
            Call::Read(file) => ("GET", format!("{url}/{file}")),
            // Of itself it writes no file twice.
            Call::Write(file) | Call::Make(file) => ("POST", format!("{url}/{file}")),
            Call::Remove(file) => ("DELETE", format!("{url}/{file}")),
        };
        let mut headers = Vec::new();
        if matches!(call, Call::List { .. }) {
            headers.push(("accept", Zeroizing::new(VERSION_2.to_owned())));
        }
        if let Some(authorization) = &self.authorization {
            headers.push(("authorization", authorization.clone()));
        }
        Request {
            method,
            url: Zeroizing::new(url),
            headers,
        }
    }

    fn page(&self, _folder: &str, body: &[u8]) -> Result<Page, String> {
        // Nothing may be `null`.
        let listed: Option<Vec<Listed>> = serde_json::from_slice(body)
            .map_err(|_| "it is not of version 2 of restic's protocol".to_owned())?;
        let files = listed.unwrap_or_default().into_iter();
        Ok(Page {
            files: files.map(|one| (one.name, one.size)).collect(),
            next: None,
        })
    }

    fn no_place(&self) -> String {
        "there is no repository at this address of the server".to_owned()
    }

    fn pack(&self, name: &str) -> String {
        format!("data/{name}")
    }
}

/// Base 64 with padding: nine lines do not want a crate.
fn base64(bytes: &[u8]) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(bytes.len().div_ceil(3) * 4));
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let six = (bits >> (18 - 6 * at)) as usize & 63;
            out.push(if at <= chunk.len() {
                char::from(ALPHABET[six])
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_is_that_of_the_rfc() {
        for (text, expect) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ] {
            assert_eq!(base64(text.as_bytes()).as_str(), expect);
        }
    }

    #[test]
    fn a_list_is_read_or_refused_whole() {
        let rest = Rest::at("http://h", &Credentials::default());
        let read = |text: &str| rest.page("keys", text.as_bytes()).map(|page| page.files);
        assert_eq!(read(r#"[{"name":"a","size":1}]"#), Ok(vec![("a".to_owned(), 1)]));
        assert_eq!(read("null"), Ok(vec![]));
        assert!(read(r#"["a"]"#).is_err());
        assert!(read(r#"[{"name":"a","size":1}"#).is_err());
    }
}
