//! The `$(…)` of `PS1`: the k-th fork of its expansion is the k-th of them.
//!
//! Invariant: where the forks are not as many as the substitutions (`${x:-$(…)}`, `$(<file)`), the time is that of one of
//! several, and is said to be. The parts are never more than the whole.

use super::names;
use super::table::{NAME_MAX, Name, Table};
use lle_metrics::PartKind;

/// Substitutions of one prompt that are told apart.
const SUBSTITUTIONS_MAX: usize = 16;

/// Gives each fork's time to its substitution. `forks` are when they began, of `all` the first.
pub(super) fn divide(table: &mut Table, ps1: &[u8], forks: &[u64], all: usize, end: u64) {
    let Some(first) = forks.first() else { return };
    let mut found = [Name::default(); SUBSTITUTIONS_MAX];
    let n = substitutions(ps1, &mut found);
    let found = found.get(..n).unwrap_or(&found);
    // What PS1 runs in the shell itself lies somewhere between the forks, or forked itself: it is counted once.
    let expanded = table.rows().filter(|row| row.kind == PartKind::Expanded);
    let (ran, expanded_ns) = expanded.fold((0, 0u64), |(n, ns), row| (n + 1, ns.saturating_add(row.ns)));
    if ran == 0 && all == n && forks.len() == n && found.len() == n {
        let ends = forks.iter().skip(1).chain(std::iter::once(&end));
        for ((name, began), end) in found.iter().zip(forks).zip(ends) {
            table.add(
                PartKind::Substitution,
                *name,
                end.saturating_sub(*began),
                None,
                false,
            );
        }
        return;
    }
    let mut joint = Name::default();
    for (at, name) in found.iter().enumerate() {
        let lead: &[u8] = if at > 0 { b", " } else { b"" };
        for b in lead.iter().chain(name.bytes()) {
            joint.push(*b, NAME_MAX);
        }
    }
    if joint.is_empty() {
        // A variable that PS1 shows holds them.
        for b in b"$(...)" {
            joint.push(*b, NAME_MAX);
        }
    }
    let ns = end.saturating_sub(*first).saturating_sub(expanded_ns);
    if ns > 0 {
        table.add(PartKind::Joint, joint, ns, None, false);
    }
}

/// Finds the commands run by `$(…)` and `` `…` `` in a prompt, in their order; gives how many there are.
pub(crate) fn substitutions(prompt: &[u8], found: &mut [Name]) -> usize {
    let (mut n, mut i) = (0, 0);
    while i < prompt.len() {
        let rest = &prompt[i..];
        let (lead, length) = if rest.starts_with(b"$((") {
            (3, 0)
        } else if rest.starts_with(b"$(") {
            (2, to_parenthesis(&rest[2..]))
        } else if rest[0] == b'`' {
            (1, to_backtick(&rest[1..]))
        } else if rest[0] == b'\\' || rest.starts_with(b"$$") {
            // Escaped, or the process number: what follows opens nothing.
            i += 2;
            continue;
        } else {
            i += 1;
            continue;
        };
        if !rest.starts_with(b"$((") {
            if let Some(slot) = found.get_mut(n) {
                *slot = names::command(rest.get(lead..lead + length).unwrap_or_default());
            }
            n += 1;
        }
        i += lead + length + usize::from(length > 0);
    }
    n
}

/// Bytes up to the parenthesis that closes.
fn to_parenthesis(text: &[u8]) -> usize {
    let (mut depth, mut quote, mut escaped) = (0usize, 0u8, false);
    for (at, b) in text.iter().enumerate() {
        match (*b, quote) {
            _ if escaped => escaped = false,
            (b'\\', 0 | b'"') => escaped = true,
            (b @ (b'\'' | b'"'), 0) => quote = b,
            (b, q) if q != 0 => quote = if b == q { 0 } else { q },
            (b'(', _) => depth += 1,
            (b')', _) if depth == 0 => return at,
            (b')', _) => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Bytes up to the backtick that closes.
fn to_backtick(text: &[u8]) -> usize {
    let mut escaped = false;
    for (at, b) in text.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'`' => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(prompt: &str) -> Vec<String> {
        let mut found = [Name::default(); SUBSTITUTIONS_MAX];
        let n = substitutions(prompt.as_bytes(), &mut found);
        let text = |name: &Name| String::from_utf8_lossy(name.bytes()).into_owned();
        found.iter().take(n).map(text).collect()
    }

    #[test]
    fn finds_what_a_prompt_runs() {
        let check = |prompt: &str, expect: &[&str]| assert_eq!(found(prompt), expect, "{prompt}");
        check(r"\u@\h:\w$(__git_ps1 ' (%s)')\$ ", &["__git_ps1"]);
        check("`date` $(kube-ps1)> ", &["date", "kube-ps1"]);
        check("$(a $(b) 'c)') $(d)", &["a", "d"]);
        check("$((1+2)) \\$(no) ", &[]);
        check("$$(no) $$$(yes)", &["yes"]);
        check("$ ", &[]);
        check("$( ", &[""]);
        check("$(", &[""]);
    }

    fn parts(ps1: &str, forks: &[u64], all: usize) -> Vec<(PartKind, String, u64)> {
        let mut table = Table::default();
        divide(&mut table, ps1.as_bytes(), forks, all, 100);
        let text = |name: &Name| String::from_utf8_lossy(name.bytes()).into_owned();
        table
            .rows()
            .map(|row| (row.kind, text(&row.name), row.ns))
            .collect()
    }

    #[test]
    fn forks_are_the_substitutions_in_their_order() {
        use PartKind::{Joint, Substitution};
        let both = [(Substitution, "a".into(), 30), (Substitution, "b".into(), 60)];
        assert_eq!(parts("$(a) $(b)", &[10, 40], 2), both);
        assert_eq!(parts("$(a) ${x:-$(b)}", &[10], 1), [(Joint, "a, b".into(), 90)]);
        assert_eq!(parts("$x", &[10], 1), [(Joint, "$(...)".into(), 90)]);
        assert_eq!(parts("$(a)", &[10; 16], 40), [(Joint, "a".into(), 90)]);
        assert_eq!(parts("$(a)", &[], 0), []);
    }

    #[test]
    fn what_runs_in_the_shell_itself_is_counted_once() {
        let check = |ns: u64, forks: &[u64], expect: &[(PartKind, u64)]| {
            let mut table = Table::default();
            table.add(PartKind::Expanded, Name::of("b"), ns, None, true);
            divide(&mut table, b"$(a) ${ b; }", forks, forks.len(), 100);
            let rows: Vec<_> = table.rows().map(|row| (row.kind, row.ns)).collect();
            assert_eq!(rows, expect, "{ns} {forks:?}");
            assert!(rows.iter().map(|row| row.1).sum::<u64>() <= 100);
        };
        check(60, &[10], &[(PartKind::Expanded, 60), (PartKind::Joint, 30)]);
        check(60, &[10, 50], &[(PartKind::Expanded, 60), (PartKind::Joint, 30)]);
        check(95, &[10], &[(PartKind::Expanded, 95)]);
    }
}
