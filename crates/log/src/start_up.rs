//! The start-up files in a home folder: whose versions are kept, and which backups and drills take along.
//!
//! They are named here because logs, backups and drills have to mean the same files: one that is missing in one place is
//! one that does not come back.

/// What bash and readline read by themselves at a start, and what those of Debian read; last, what bash reads when a login
/// shell ends.
pub const ALL: &[&str] = &[
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".profile",
    ".bash_aliases",
    ".inputrc",
    ".bash_logout",
];

/// Those that are read before the first prompt.
pub const AT_START: &[&str] = ALL.split_at(ALL.len() - 1).0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_what_is_read_at_the_end_is_not_read_at_the_start() {
        let others: Vec<_> = ALL.iter().filter(|name| !AT_START.contains(name)).collect();
        assert_eq!(others, [&".bash_logout"]);
    }
}
