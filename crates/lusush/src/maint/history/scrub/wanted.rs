//! What is scrubbed: every command with a text in it, or one command by its name; and the same in files of lines.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use lle_log::history::Command;

use super::super::logs::Own;
use super::Scrub;
use crate::failure::Failure;

/// Texts shorter than this would take out half a history.
const TEXT_BYTES_MIN: usize = 4;
/// Bytes of the beginning of a text by which it is found where only beginnings are kept: of a line that may have changed the
/// prompt 40 characters, of a last command 256 bytes.
const BEGINNING_BYTES: usize = 24;
/// Bytes of a file looked into at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// What is scrubbed.
pub(super) struct Wanted {
    pub(super) text: Vec<u8>,
    id: Option<(u64, u64)>,
    /// A folder's name counts, too.
    folders: bool,
}

impl Wanted {
    pub(super) fn new(asked: &Scrub, own: &Own) -> Result<Self, Failure> {
        let Some(id) = &asked.id else {
            let text = asked.text.clone().unwrap_or_default().into_bytes();
            if text.len() < TEXT_BYTES_MIN {
                return Err(Failure::new(format!(
                    "{TEXT_BYTES_MIN} bytes at least: a shorter text is everywhere"
                ))
                .hint("`lusush maint history scrub --id` takes out one command"));
            }
            return Ok(Self {
                text,
                id: None,
                folders: asked.folders,
            });
        };
        let unknown = || {
            Failure::new(format!("there is no command {id}"))
                .hint("`lusush maint history stats` names those that seem to hold a secret")
        };
        let (session, seq) = id.split_once(':').ok_or_else(unknown)?;
        let session = u64::from_str_radix(session, 16).map_err(|_| unknown())?;
        let seq = seq.parse().map_err(|_| unknown())?;
        // Each log numbers what it imported first alike.
        let mut texts: Vec<(Vec<u8>, String)> = Vec::new();
        let opened = own.open_all(|log| {
            let host = asked.host.as_ref();
            host.is_none_or(|host| log.host.starts_with(host.as_str()))
        })?;
        for (log, history) in &opened.logs {
            for command in history.commands() {
                let has_name = (command.session, command.seq) == (session, seq);
                if has_name && !texts.iter().any(|(text, _)| *text == command.command) {
                    texts.push((command.command, log.host.clone()));
                }
            }
        }
        let hosts: Vec<&str> = texts.iter().map(|(_, host)| host.as_str()).collect();
        match &texts[..] {
            [] => Err(unknown()),
            [(text, _)] => Ok(Self {
                text: text.clone(),
                id: Some((session, seq)),
                folders: false,
            }),
            _ => Err(
                Failure::new(format!("{} commands have the name {id}", texts.len()))
                    .hint(format!("--host says in whose history: {}", hosts.join(", ")))
                    .hint("`lusush maint history scrub TEXT` takes out what contains a text"),
            ),
        }
    }

    pub(super) fn admits(&self, command: &Command) -> bool {
        match self.id {
            Some(id) => (command.session, command.seq) == id && command.command == self.text,
            None => {
                contains(&command.command, &self.text) || self.folders && self.is_in_folder_alone(command)
            }
        }
    }

    /// Whether only the name of the folder has it that a command ran in: a secret may be there, but so may be the name of a
    /// project, whose history nobody wants to lose by it.
    pub(super) fn is_in_folder_alone(&self, command: &Command) -> bool {
        self.id.is_none() && contains(&command.cwd, &self.text) && !contains(&command.command, &self.text)
    }

    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        self.place_in(text).is_some()
    }

    /// Where it is first. A command that was asked for by its name is only what stands on lines of its own: others that
    /// contain it are other commands.
    fn place_in(&self, text: &[u8]) -> Option<usize> {
        self.place_from(text, 0, true)
    }

    fn place_from(&self, text: &[u8], from: usize, is_end: bool) -> Option<usize> {
        if self.text.is_empty() {
            return None;
        }
        let length = self.text.len();
        let is_alone = |at: usize| {
            (at == 0 || text[at - 1] == b'\n') && text.get(at + length).map_or(is_end, |next| *next == b'\n')
        };
        let is_here =
            |(at, window): &(usize, &[u8])| *window == self.text && (self.id.is_none() || is_alone(*at));
        let places = text.windows(length).enumerate().skip(from);
        places.into_iter().find(is_here).map(|(at, _)| at)
    }

    /// Whether it is in a file, of any length; a file that cannot be read may have it.
    pub(super) fn is_in_file(&self, path: &Path) -> bool {
        match fs::metadata(path) {
            Ok(found) if found.is_file() => File::open(path)
                .and_then(|file| self.is_in_stream(file, PIECE_BYTES))
                .unwrap_or(true),
            _ => false,
        }
    }

    /// What to look for where it is no line of its own, only its beginning is kept, or it stands within JSON.
    pub(super) fn as_told(&self) -> Vec<Self> {
        let text = String::from_utf8_lossy(&self.text);
        // What is noted has no control characters, and what stands for them differs.
        let line = text.find(char::is_control).filter(|at| *at >= TEXT_BYTES_MIN);
        let end = line.unwrap_or(text.len());
        let beginning = &text[..text.floor_char_boundary(end.min(BEGINNING_BYTES))];
        let quoted = serde_json::Value::from(beginning).to_string();
        let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let mut forms = vec![beginning.as_bytes().to_vec()];
        forms.extend(
            inner
                .filter(|inner| *inner != beginning)
                .map(|inner| inner.as_bytes().to_vec()),
        );
        let wanted = |text| Self {
            text,
            id: None,
            folders: false,
        };
        forms.into_iter().map(wanted).collect()
    }

    fn is_in_stream(&self, mut stream: impl Read, piece_bytes: usize) -> io::Result<bool> {
        let mut piece = Vec::new();
        // With the byte before and the byte behind, which say whether it stands alone.
        let kept = self.text.len() + 1;
        // What then begins the piece was looked at where it did not.
        let mut skipped = 0;
        loop {
            let read = stream.by_ref().take(piece_bytes as u64).read_to_end(&mut piece)?;
            if self.place_from(&piece, skipped, read == 0).is_some() {
                return Ok(true);
            }
            if read == 0 {
                return Ok(false);
            }
            if piece.len() > kept {
                piece.drain(..piece.len() - kept);
                skipped = 1;
            }
        }
    }
}

/// The text without its lines that contain what is wanted, or are it, and how many those are.
pub(super) fn without(text: &[u8], wanted: &Wanted) -> (Vec<u8>, u64) {
    let whole_lines = |text: &[u8]| text.split_inclusive(|byte| *byte == b'\n').count() as u64;
    if !wanted.text.contains(&b'\n') {
        let kept: Vec<u8> = text
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| !wanted.is_in(line))
            .flatten()
            .copied()
            .collect();
        let taken = whole_lines(text) - whole_lines(&kept);
        return (kept, taken);
    }
    let mut left = text.to_vec();
    while let Some(at) = wanted.place_in(&left) {
        let from = left[..at]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let after = at + wanted.text.len();
        let to = left[after..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(left.len(), |end| after + end + 1);
        left.drain(from..to);
    }
    let taken = whole_lines(text) - whole_lines(&left);
    (left, taken)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_the_text_go_and_no_others() {
        let check_of = |id: Option<(u64, u64)>, text: &str, wanted: &str, expect: &str| {
            let wanted = Wanted {
                text: wanted.into(),
                id,
                folders: false,
            };
            let (left, _) = without(text.as_bytes(), &wanted);
            assert_eq!(String::from_utf8(left).unwrap(), expect);
        };
        let check = |text: &str, wanted: &str, expect: &str| check_of(None, text, wanted, expect);
        check("a\nsecret one\nb\n", "secret", "a\nb\n");
        check("a\nx secret", "secret", "a\n");
        check("a\nfor i\ndo x\nb\n", "for i\ndo x", "a\nb\n");
        check("a\nb\n", "secret", "a\nb\n");
        let check = |text: &str, wanted: &str, expect: &str| check_of(Some((0, 5)), text, wanted, expect);
        check("ls\nls -l\nfalse\nls", "ls", "ls -l\nfalse\n");
        check(
            "for i\ndo x\ndone\nfor i\ndo xy\n",
            "for i\ndo x",
            "done\nfor i\ndo xy\n",
        );
    }

    #[test]
    fn what_is_told_of_a_text_is_its_beginning_quoted_or_not() {
        let check = |text: &[u8], expect: &[&str]| {
            let wanted = Wanted {
                text: text.to_vec(),
                id: Some((0, 5)),
                folders: false,
            };
            let told = wanted.as_told();
            let forms: Vec<_> = told
                .iter()
                .map(|told| String::from_utf8_lossy(&told.text).into_owned())
                .collect();
            assert_eq!(forms, expect);
            assert!(told.iter().all(|told| told.id.is_none()));
        };
        check(b"hunter2", &["hunter2"]);
        check(br#"echo "a b""#, &[r#"echo "a b""#, r#"echo \"a b\""#]);
        check(
            b"curl -u me:hunter2 https://example.org",
            &["curl -u me:hunter2 https"],
        );
        check(
            "curl -u me:hunter2 http\u{e4}x".as_bytes(),
            &["curl -u me:hunter2 http"],
        );
        check(b"for i\ndo hunter2", &["for i"]);
        check(b"a\thunter2", &["a\thunter2", r"a\thunter2"]);
    }

    #[test]
    fn a_text_is_found_wherever_it_lies_across_pieces() {
        let check = |id: Option<(u64, u64)>, text: &str, expect: bool| {
            let wanted = Wanted {
                text: b"needle".to_vec(),
                id,
                folders: false,
            };
            for piece_bytes in 1..text.len() + 2 {
                let found = wanted.is_in_stream(text.as_bytes(), piece_bytes).unwrap();
                assert_eq!(found, expect, "{id:?} {text:?} by {piece_bytes}");
            }
        };
        for (id, is_part) in [(None, true), (Some((0, 5)), false)] {
            check(id, "", false);
            check(id, "needle", true);
            check(id, "a\nneedle", true);
            check(id, "needle\nb", true);
            check(id, "nonsense\nneedle\nb", true);
            check(id, "a needl\neneedl", false);
            check(id, "a\nneedles\nb", is_part);
            check(id, "needleneedle", is_part);
            check(id, "a\nneedle \nb needle", is_part);
        }
    }
}
