//! The list of the history files that sessions of bash keep, a path a line, the newest last.
//!
//! Sessions write it, the worker guards what it names, and a scrub goes by it. So it holds more names than are guarded: a name
//! that is forgotten is a file that no scrub finds. What is no absolute path is somebody's file all the same, and is told.
//!
//! Invariant: a name goes only if there is no room for a newer one; one whose file is gone goes first.

/// Names kept: four times what is guarded.
pub const NAMES_MAX: usize = 256;
/// Files that are guarded: a copy of each is kept, of 16 MiB at most.
pub const GUARDED_MAX: usize = 64;
/// Bytes of the list: so many for each name, which is a long one.
pub const BYTES_MAX: usize = 256 * NAMES_MAX;

/// The names in a list, oldest first.
pub fn names(list: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    list.split(|byte| *byte == b'\n').filter(|name| !name.is_empty())
}

/// Whether a list may have lost a name that somebody still needs.
pub fn is_full(list: &[u8]) -> bool {
    names(list).count() >= NAMES_MAX
}

/// The absolute ones, oldest first, and how many of them are the oldest that are not guarded. One file is guarded without being
/// named.
pub fn files(list: &[u8]) -> (Vec<&[u8]>, usize) {
    let files: Vec<&[u8]> = names(list).filter(|name| name.starts_with(b"/")).collect();
    let unguarded = files.len().saturating_sub(GUARDED_MAX - 1);
    (files, unguarded)
}

/// What names a path in one line. One of several lines names nothing, but says that it is there.
pub fn line_of(path: &[u8]) -> Vec<u8> {
    match path.contains(&b'\n') {
        false => path.to_vec(),
        true => {
            let mut line = b"?".to_vec();
            line.extend(path.iter().map(|byte| if *byte == b'\n' { b'?' } else { *byte }));
            line
        }
    }
}

/// What became of a list that was to have a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum With {
    /// It has it.
    Known,
    /// So much is to be appended.
    Appended(Vec<u8>),
    /// It is to be written anew.
    Anew(Vec<u8>),
}

/// Puts a name into a list. `is_gone` says of a name whether its file is.
pub fn with(list: &[u8], name: &[u8], is_gone: impl Fn(&[u8]) -> bool) -> With {
    let mut kept: Vec<&[u8]> = names(list).collect();
    if name.is_empty() || name.len() >= BYTES_MAX || kept.contains(&name) {
        return With::Known;
    }
    let mut bytes = list.len() + name.len() + 2;
    if kept.len() < NAMES_MAX && bytes <= BYTES_MAX {
        // What a full disk left of a name is a line of its own.
        let line_end: &[u8] = match list.last() {
            None | Some(b'\n') => b"",
            Some(_) => b"\n",
        };
        return With::Appended([line_end, name, b"\n"].concat());
    }
    while kept.len() >= NAMES_MAX || (bytes > BYTES_MAX && !kept.is_empty()) {
        let oldest = kept.iter().position(|name| is_gone(name)).unwrap_or(0);
        bytes -= kept.remove(oldest).len() + 1;
    }
    kept.push(name);
    let mut anew = kept.join(&b'\n');
    anew.push(b'\n');
    With::Anew(anew)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Vec<u8> {
        (0..NAMES_MAX)
            .map(|n| format!("/h/{n}\n"))
            .collect::<String>()
            .into_bytes()
    }

    #[test]
    fn a_name_is_there_once_behind_the_others() {
        let check = |list: &str, name: &str, expect: With| {
            assert_eq!(
                with(list.as_bytes(), name.as_bytes(), |_| true),
                expect,
                "{list:?} {name:?}"
            );
        };
        check("", "/a", With::Appended(b"/a\n".to_vec()));
        check("/b\n", "/a", With::Appended(b"/a\n".to_vec()));
        check("/b\n/half", "/a", With::Appended(b"\n/a\n".to_vec()));
        check("/b\n/a\n/c\n", "/a", With::Known);
        check("/b\n", "", With::Known);
    }

    #[test]
    fn what_has_to_go_is_the_oldest_whose_file_is_gone_or_the_oldest() {
        let check = |is_gone: fn(&[u8]) -> bool, gone: &str| {
            let With::Anew(anew) = with(&full(), b"/new", is_gone) else {
                panic!("there was room");
            };
            assert!(names(&anew).all(|name| name != gone.as_bytes()), "{gone}");
            assert_eq!(names(&anew).count(), NAMES_MAX);
            assert!(anew.ends_with(b"/h/255\n/new\n") && is_full(&anew));
        };
        check(|_| false, "/h/0");
        check(|name| name.ends_with(b"7"), "/h/7");
        // Long ones go as well, as many as there have to.
        let long: Vec<u8> = (0..20)
            .flat_map(|n| format!("/{n}{}\n", "x".repeat(3_270)).into_bytes())
            .collect();
        let With::Anew(anew) = with(&long, &[b'y'; 4_000], |_| false) else {
            panic!("there was room");
        };
        assert!(anew.len() <= BYTES_MAX && names(&anew).count() == 19);
    }

    #[test]
    fn what_is_no_path_is_told_and_the_newest_are_guarded() {
        assert_eq!(line_of(b"/a\nb"), b"?/a?b");
        assert_eq!(line_of(b"/a b"), b"/a b");
        let list = [b"relative\n".to_vec(), full()].concat();
        let (files, unguarded) = files(&list);
        assert_eq!((files.len(), unguarded), (NAMES_MAX, NAMES_MAX - GUARDED_MAX + 1));
        assert_eq!(super::files(b"/a\nb\n"), (vec![&b"/a"[..]], 0));
    }
}
