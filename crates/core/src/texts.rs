//! Lists of short texts, as a configuration and its variables write them: `["git status", "__git_ps1"]`.
//!
//! Invariants: what [`show`] writes [`read`] reads, and it is TOML as well as JSON; a list that is read keeps to the
//! bounds below, so that it fits a line of what sessions are told.

/// Texts in one list.
pub const TEXTS_MAX: usize = 8;
/// Bytes of one text.
pub const TEXT_BYTES_MAX: usize = 64;
/// Bytes of a list as it is written.
pub const LIST_BYTES_MAX: usize = 192;

/// True if a list keeps to the bounds: no text is empty, too long or holds a control character, and none is there twice.
pub fn admits<T: AsRef<str>>(list: &[T]) -> bool {
    let fits = |text: &str| (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control);
    let mut texts = list.iter().map(AsRef::as_ref).enumerate();
    list.len() <= TEXTS_MAX
        && texts.all(|(at, text)| fits(text) && list[..at].iter().all(|other| other.as_ref() != text))
        && show(list).len() <= LIST_BYTES_MAX
}

/// Writes a list in one line.
pub fn show<T: AsRef<str>>(list: &[T]) -> String {
    let mut out = String::from("[");
    for (at, text) in list.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        out.push('"');
        for c in text.as_ref().chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push(']');
    out
}

/// Reads a list: texts in double quotes, in which `\"` and `\\` stand for what they escape, or in single ones, in which
/// nothing does; a comma may follow the last. None if it is no list within the bounds.
pub fn read(text: &str) -> Option<Vec<String>> {
    let mut rest = text.trim().strip_prefix('[')?.strip_suffix(']')?.trim_start();
    let mut list: Vec<String> = Vec::new();
    while !rest.is_empty() && list.len() <= TEXTS_MAX {
        let (one, behind) = quoted(rest)?;
        list.push(one);
        rest = behind.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(behind) => behind.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    admits(&list).then_some(list)
}

/// One text in its quotes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    if let Some(inner) = text.strip_prefix('\'') {
        let (one, behind) = inner.split_once('\'')?;
        return Some((one.to_owned(), behind));
    }
    let inner = text.strip_prefix('"')?;
    let mut one = String::new();
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            '"' | '\\' if escaped => {
                one.push(c);
                escaped = false;
            }
            _ if escaped => return None,
            '\\' => escaped = true,
            '"' => return Some((one, &inner[at + 1..])),
            c => one.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_are_read() {
        let check = |text: &str, expect: Option<&[&str]>| {
            let expect = expect.map(|list| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
            assert_eq!(read(text), expect, "{text}");
        };
        check("[]", Some(&[]));
        check(" [ ] ", Some(&[]));
        check(r#"["git status"]"#, Some(&["git status"]));
        check(r#"["a", 'b\c' ,"d\"\\",]"#, Some(&["a", r"b\c", r#"d"\"#]));
        check("git status", None);
        check("[git status]", None);
        check(r#"["a" "b"]"#, None);
        check(r#"["a"#, None);
        check(r#"["a\n"]"#, None);
        check(r#"[""]"#, None);
        check(r#"["a", "a"]"#, None);
        check("[,]", None);
        check(r#"["a",,"b"]"#, None);
        check(r#"["1","2","3","4","5","6","7","8","9"]"#, None);
        check(&format!("[\"{}\"]", "x".repeat(TEXT_BYTES_MAX + 1)), None);
        check("[\"a\tb\"]", None);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(list in prop::collection::vec(".{0,40}", 0..10)) {
            let read = read(&show(&list));
            prop_assert_eq!(read, admits(&list).then_some(list));
        }

        #[test]
        fn any_text_is_a_list_or_none(text in ".{0,80}") {
            if let Some(list) = read(&text) {
                prop_assert!(admits(&list));
            }
        }
    }
}
