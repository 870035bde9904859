//! What a typed command has bash do to its history, by the options of the builtin `history`: bash tells nobody.
//!
//! A word too many is taken for it, as in `echo history -c`, never one too few.

/// Whether a command calls `history` with one of these letters among its options.
pub fn calls_with(command: &[u8], letters: &[u8]) -> bool {
    let mut words = words(command).peekable();
    while let Some(word) = words.next() {
        while word == b"history"
            && let Some(option) = words.next_if(|next| next.starts_with(b"-"))
        {
            // What follows `-d` is a place, and a place may be negative.
            if option.iter().any(|letter| letters.contains(letter)) {
                return true;
            }
        }
    }
    false
}

/// Whether a command sets a variable of this name.
pub fn sets(command: &[u8], name: &[u8]) -> bool {
    words(command).any(|word| word.strip_prefix(name).is_some_and(|rest| rest.starts_with(b"=")))
}

fn words(command: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b";&|(){}".contains(byte);
    command.split(ends).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_is_known_by_its_options() {
        let check = |command: &str, letters: &[u8], expect| {
            assert_eq!(calls_with(command.as_bytes(), letters), expect, "{command}");
        };
        for command in [
            "history -c; history -w",
            "history -cw",
            "history -c -w",
            "{ history -w; }",
        ] {
            check(command, b"w", true);
        }
        for command in [
            "history -c",
            "true && history -d -2",
            "history -d5",
            "history -a -c",
        ] {
            check(command, b"cd", true);
        }
        for command in [
            "history",
            "history | grep -w x",
            ": > ~/.bash_history",
            "echo histories -w",
        ] {
            check(command, b"cdw", false);
        }
        check("history -c", b"w", false);
        check("history -w", b"cd", false);
        check("echo history -c", b"cd", true);
    }

    #[test]
    fn a_variable_is_known_where_it_is_set() {
        let check = |command: &str, expect| {
            assert_eq!(sets(command.as_bytes(), b"HISTFILESIZE"), expect, "{command}");
        };
        check("HISTFILESIZE=50", true);
        check("export HISTFILESIZE=50 HISTSIZE=50", true);
        check("echo $HISTFILESIZE", false);
        check("HISTFILESIZES=5", false);
    }
}
