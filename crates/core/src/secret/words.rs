//! A command line as words, roughly as a shell reads it: enough to see what is handed to which program.
//!
//! Invariant: any bytes are read; an open quote reaches to the end. What expands to something is marked, not expanded.

/// A word without its quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: Vec<u8>,
    /// From where on something in it is a variable or a command's output, if something is.
    pub(super) expands_at: Option<usize>,
}

impl Word {
    /// The name and the value of `NAME=value`.
    pub(super) fn assignment(&self) -> Option<(&[u8], Value<'_>)> {
        let at = self.text.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (&self.text[..at], self.value(at + 1));
        let name = name.strip_suffix(b"+").unwrap_or(name);
        is_name(name).then_some((name, value))
    }

    /// What it says from there on.
    pub(super) fn value(&self, from: usize) -> Value<'_> {
        Value {
            text: self.text.get(from..).unwrap_or_default(),
            // What stands before does not count: `--password=x` may follow anything.
            expands: self.expands_at.is_some_and(|at| at >= from),
        }
    }
}

/// What is assigned or handed over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    pub(super) text: &'a [u8],
    pub(super) expands: bool,
}

fn is_name(name: &[u8]) -> bool {
    name.first()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Divides a line into its commands, and those into words.
pub(super) fn commands(line: &[u8]) -> Vec<Vec<Word>> {
    let mut commands = vec![Vec::new()];
    let mut open: Option<Word> = None;
    let mut quote = None;
    let mut bytes = line.iter().copied().peekable();
    let end_word = |commands: &mut Vec<Vec<Word>>, open: &mut Option<Word>| {
        if let (Some(word), Some(command)) = (open.take(), commands.last_mut()) {
            command.push(word);
        }
    };
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (None, b' ' | b'\t') => end_word(&mut commands, &mut open),
            (None, b'\n' | b';' | b'|' | b'&' | b'(' | b')') => {
                end_word(&mut commands, &mut open);
                if commands.last().is_some_and(|command| !command.is_empty()) {
                    commands.push(Vec::new());
                }
            }
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                open.get_or_insert_default();
            }
            (Some(b'\''), b'\'') | (Some(b'"'), b'"') => quote = None,
            (None | Some(b'"'), b'\\') => open.get_or_insert_default().text.extend(bytes.next()),
            (None | Some(b'"'), b'$' | b'`') => {
                let word = open.get_or_insert_default();
                word.expands_at.get_or_insert(word.text.len());
                word.text.push(byte);
                // The words of a command in it belong to the output, not to the line.
                if bytes.next_if_eq(&b'(').is_some() {
                    word.text.push(b'(');
                    skip_parentheses(&mut bytes, &mut word.text);
                }
            }
            (_, byte) => open.get_or_insert_default().text.push(byte),
        }
    }
    end_word(&mut commands, &mut open);
    commands
}

/// Goes to behind the parenthesis that closes the one that was opened.
fn skip_parentheses(bytes: &mut impl Iterator<Item = u8>, text: &mut Vec<u8>) {
    let mut depth = 1usize;
    for byte in bytes {
        text.push(byte);
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_its_commands_and_these_are_their_words() {
        let read = |line: &str| -> Vec<Vec<String>> {
            let text = |word: Word| {
                format!(
                    "{}{}",
                    String::from_utf8_lossy(&word.text),
                    if word.expands_at.is_some() { "!" } else { "" }
                )
            };
            commands(line.as_bytes())
                .into_iter()
                .map(|command| command.into_iter().map(text).collect())
                .collect()
        };
        assert_eq!(read("a 'b c' \"d\"e | f"), [vec!["a", "b c", "de"], vec!["f"]]);
        assert_eq!(read("A=\"$(pass x | y)\" b"), [["A=$(pass x | y)!", "b"]]);
        assert_eq!(read("a '$b' \"$c\" \\$d"), [["a", "$b", "$c!", "$d"]]);
        assert_eq!(read("a ''"), [["a", ""]]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let words: usize = commands(&line).iter().flatten().map(|word| word.text.len()).sum();
            prop_assert!(words <= line.len());
        }
    }
}
