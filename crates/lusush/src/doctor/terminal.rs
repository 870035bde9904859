//! What LLE would paint on.

use lle_core::report::Check;
use lle_core::severity::Severity;

/// Looks at the locale and the terminal.
pub(super) fn checks() -> Vec<Check> {
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    vec![locale(value), terminal(value("TERM"))]
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

fn terminal(term: Option<String>) -> Check {
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
        Some(term) => Check::fine("terminal", format!("TERM={term}")),
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
            assert_eq!(
                terminal(term.map(str::to_owned)).outcome.word(),
                outcome,
                "{term:?}"
            );
        }
        check(Some("xterm-256color"), "ok");
        check(Some("dumb"), "warning");
        check(None, "warning");
    }
}
