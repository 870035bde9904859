//! A repository on a server that says what a test wants.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::*;

/// Lists are names with blanks between them; a plus goes on.
#[derive(Debug)]
struct Words;

impl Protocol for Words {
    fn request(&self, call: Call<'_>) -> Request {
        Request {
            method: "",
            url: Zeroizing::new(format!("{call:?}")),
            headers: Vec::new(),
        }
    }

    fn page(&self, _folder: &str, body: &[u8]) -> Result<Page, String> {
        let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
        let names = text.split_whitespace().filter(|name| *name != "+");
        Ok(Page {
            files: names.map(|name| (name.to_owned(), 1)).collect(),
            next: text.ends_with('+').then(|| "+".to_owned()),
        })
    }

    fn no_place(&self) -> String {
        "there is no place".to_owned()
    }

    fn pack(&self, name: &str) -> String {
        format!("data/{name}")
    }
}

/// Gives the answers in order, and notes what was asked; the last one again and again.
#[derive(Clone, Debug, Default)]
struct Said {
    answers: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Carrier for Said {
    fn carry(
        &self,
        make: &dyn Fn() -> Request,
        _sent: Option<&BytesList>,
        _range: Option<(u32, u32)>,
        size: Size,
    ) -> Result<Reply, RemoteError> {
        let asked = format!("{size:?} {}", make().url.as_str());
        self.asked.lock().unwrap().push(asked);
        let mut answers = self.answers.lock().unwrap();
        let (status, body) = match answers.len() {
            1 => answers[0],
            _ => answers.pop_front().unwrap(),
        };
        Ok(Reply {
            status,
            body: body.into(),
            length: Some(body.len() as u64),
            ..Reply::default()
        })
    }
}

fn remote(answers: &[(u16, &'static str)]) -> (Remote, Said) {
    let said = Said {
        answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
        ..Said::default()
    };
    let remote = Remote {
        address: Address::parse("rest:https://h/r").unwrap(),
        protocol: Box::new(Words),
        carrier: Box::new(said.clone()),
        list_within: LIST,
    };
    (remote, said)
}

#[test]
fn a_list_without_an_end_ends() {
    let names = |names: &[&str]| Ok(names.iter().map(|name| ((*name).to_owned(), 1)).collect());
    assert_eq!(
        remote(&[(200, "b +"), (200, "a")]).0.list("keys"),
        names(&["a", "b"])
    );
    let (endless, _) = remote(&[(200, "a +")]);
    assert!(matches!(endless.list("keys"), Err(RemoteError::Odd { .. })));
    let (mut slow, said) = remote(&[(200, "a +")]);
    slow.list_within = Duration::ZERO;
    assert!(matches!(slow.list("keys"), Err(RemoteError::Slow { .. })));
    assert_eq!(said.asked.lock().unwrap().len(), 1);
}

#[test]
fn a_config_is_written_where_there_is_none_or_told() {
    let check = |answers: &[(u16, &'static str)], expect: Result<(), RemoteError>, calls: &[&str]| {
        let (remote, said) = remote(answers);
        let written = remote.make_config(&BytesList::from(Bytes::from("ours")));
        assert_eq!(written, expect, "{answers:?}");
        let calls: Vec<String> = calls
            .iter()
            .map(|call| format!("Small {call}(\"config\")"))
            .collect();
        assert_eq!(*said.asked.lock().unwrap(), calls, "{answers:?}");
    };
    let taken = || Err(RemoteError::Taken("config".into()));
    check(&[(200, "")], Ok(()), &["Make"]);
    // A server that knows no conditions.
    check(&[(501, ""), (200, "")], Ok(()), &["Make", "Write"]);
    // Another is there, of the same length; ours is, whose answer was lost.
    check(&[(403, ""), (200, "ouch")], taken(), &["Make", "Read"]);
    check(&[(412, ""), (200, "ouch")], taken(), &["Make", "Read"]);
    check(&[(403, ""), (200, "ours")], Ok(()), &["Make", "Read"]);
    let refused = RemoteError::Refused {
        host: "h".into(),
        what: "write config".into(),
        said: "403".into(),
    };
    check(&[(403, ""), (404, "")], Err(refused), &["Make", "Read"]);
}

#[test]
fn packs_and_indexes_take_longer_than_the_rest() {
    for (call, expect) in [
        (Call::Read("data/ab/abc"), Size::Large),
        (Call::Write("index/abc"), Size::Large),
        (Call::Look("data/ab/abc"), Size::Small),
        (Call::Read("config"), Size::Small),
        (Call::Write("snapshots/abc"), Size::Small),
        (
            Call::List {
                folder: "data",
                page: None,
            },
            Size::Small,
        ),
    ] {
        assert_eq!(call.size(), expect, "{call:?}");
    }
}
