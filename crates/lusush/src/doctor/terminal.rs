//! What LLE would paint on.

use std::path::PathBuf;

use lle_core::report::Check;
use lle_core::severity::Severity;

/// Looks at the locale and the terminal.
pub(super) fn checks() -> Vec<Check> {
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    vec![locale(value), terminal(value("TERM"), described)]
}

/// Returns the machine's description of the terminal `term`: empty if there is none; none if nobody knows where they are.
fn described(term: &str) -> Option<Vec<u8>> {
    let folders: Vec<PathBuf> = terminfo_folders().into_iter().filter(|f| f.is_dir()).collect();
    let first = term.chars().next()?;
    // By the letter, or where file names ignore case by its number.
    let names = [
        format!("{first}/{term}"),
        format!("{:x}/{term}", u32::from(first)),
    ];
    let found = folders
        .iter()
        .flat_map(|folder| names.iter().map(|name| folder.join(name)))
        .find_map(|file| std::fs::read(file).ok());
    found.or_else(|| (!folders.is_empty()).then(Vec::new))
}

/// Where descriptions are looked for, as terminfo(5) says, and the two places that systems have them in.
fn terminfo_folders() -> Vec<PathBuf> {
    let own = std::env::var_os("TERMINFO").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".terminfo"));
    let more = std::env::var_os("TERMINFO_DIRS").unwrap_or_default();
    let usual = [
        "/etc/terminfo",
        "/lib/terminfo",
        "/usr/lib/terminfo",
        "/usr/share/terminfo",
    ];
    own.into_iter()
        .chain(home)
        .chain(std::env::split_paths(&more).filter(|folder| !folder.as_os_str().is_empty()))
        .chain(usual.map(PathBuf::from))
        .collect()
}

/// Whether a terminal goes on in the next row by itself, and only once there is more text: `am` and `xenl`, the second and
/// the fifth of the flags in a compiled description (term(5)), of which two bytes each count those and the names before.
fn wraps(description: &[u8]) -> bool {
    let number = |at: usize| {
        let bytes = description.get(at..at + 2);
        bytes.map_or(0, |two| usize::from(u16::from_le_bytes([two[0], two[1]])))
    };
    let (flags, count) = (12 + number(2), number(4));
    [1, 4]
        .iter()
        .all(|&flag| flag < count && description.get(flags + flag) == Some(&1))
}

fn locale(value: impl Fn(&str) -> Option<String>) -> Check {
    // The order in which the C library asks.
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| Some((*name, value(name)?)));
    let remedy = "export LANG=C.UTF-8, or a UTF-8 locale of your language";
    let Some((name, locale)) = set else {
        let evidence = "none is set: what is not ASCII is shown as bytes";
        return Check::found(Severity::Warning, "locale", evidence, remedy);
    };
    let codeset = locale.split('.').nth(1).unwrap_or_default().to_ascii_lowercase();
    match codeset.split('@').next() {
        Some("utf-8" | "utf8") => Check::fine("locale", format!("{name}={locale}")),
        _ => {
            let evidence = format!("{name}={locale} is not UTF-8: what is not ASCII is shown as bytes");
            Check::found(Severity::Warning, "locale", evidence, remedy)
        }
    }
}

fn terminal(term: Option<String>, described: impl Fn(&str) -> Option<Vec<u8>>) -> Check {
    let remedy = "in a terminal that can do more, set TERM to its name, such as xterm-256color";
    match term.as_deref() {
        None => {
            let evidence = "TERM is not set: readline paints, without LLE";
            Check::found(Severity::Warning, "terminal", evidence, remedy)
        }
        Some("dumb") => Check::found(
            Severity::Warning,
            "terminal",
            "TERM is dumb: readline paints, without LLE",
            remedy,
        ),
        Some(term) => match described(term) {
            Some(none) if none.is_empty() => Check::found(
                Severity::Warning,
                "terminal",
                format!("TERM={term} is not known on this machine: readline paints, without LLE"),
                "install the terminal's description (terminfo), or set TERM to one that is known, such as xterm-256color",
            ),
            Some(description) if !wraps(&description) => Check::found(
                Severity::Warning,
                "terminal",
                format!(
                    "TERM={term} does not go on in the next row by itself as LLE needs it to: readline paints"
                ),
                remedy,
            ),
            _ => Check::fine("terminal", format!("TERM={term}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales() {
        fn check(set: &[(&str, &str)], outcome: &str) {
            let value = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(locale(value).outcome.word(), outcome, "{set:?}");
        }
        check(&[("LANG", "en_GB.UTF-8")], "ok");
        check(&[("LANG", "C.utf8")], "ok");
        check(&[("LANG", "de_DE.UTF-8@euro")], "ok");
        check(&[("LANG", "de_DE@euro")], "warning");
        check(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")], "warning");
        check(&[], "warning");
    }

    #[test]
    fn terminals() {
        fn check(term: Option<&str>, outcome: &str) {
            // The head, no names, five flags.
            let with = |flags: [u8; 5]| [&[0x1a, 1, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0], &flags[..]].concat();
            let described = |term: &str| match term {
                "xterm-256color" => Some(with([0, 1, 0, 0, 1])),
                "ansi" => Some(with([0, 1, 0, 0, 0])),
                "nobody-knows" => None,
                _ => Some(Vec::new()),
            };
            let found = terminal(term.map(str::to_owned), described);
            assert_eq!(found.outcome.word(), outcome, "{term:?}");
        }
        check(Some("xterm-256color"), "ok");
        check(Some("nobody-knows"), "ok");
        check(Some("ansi"), "warning");
        check(Some("no-such-terminal"), "warning");
        check(Some("dumb"), "warning");
        check(None, "warning");
    }

    #[test]
    fn descriptions_are_cut_short() {
        let whole = [0x1a, 1, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1];
        assert!(wraps(&whole));
        for end in 0..whole.len() {
            assert!(!wraps(&whole[..end]), "{end}");
        }
    }
}
