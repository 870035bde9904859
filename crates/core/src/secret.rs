//! Secrets in a command, by the shapes that their issuers gave them: facts about letters, no guesses by entropy.
//!
//! Invariant: what is found is named by its kind and its place; the secret itself is in no message.

/// One shape: fixed letters, then others of a set.
struct Shape {
    kind: &'static str,
    prefix: &'static str,
    /// Letters that follow, at least.
    least: usize,
    follows: fn(u8) -> bool,
}

const fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

const fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

const fn shape(kind: &'static str, prefix: &'static str, least: usize, follows: fn(u8) -> bool) -> Shape {
    Shape {
        kind,
        prefix,
        least,
        follows,
    }
}

/// The shapes, as their issuers document them.
const SHAPES: &[Shape] = &[
    shape("AWS access key", "AKIA", 16, upper),
    shape("AWS access key", "ASIA", 16, upper),
    shape("GitHub token", "ghp_", 36, alphanumeric),
    shape("GitHub token", "gho_", 36, alphanumeric),
    shape("GitHub token", "ghs_", 36, alphanumeric),
    shape("GitHub token", "github_pat_", 22, word),
    shape("GitLab token", "glpat-", 20, word),
    shape("Slack token", "xoxb-", 20, word),
    shape("Slack token", "xoxp-", 20, word),
    shape("Google API key", "AIza", 35, word),
    shape("Stripe key", "sk_live_", 24, alphanumeric),
    shape("npm token", "npm_", 36, alphanumeric),
    shape("PyPI token", "pypi-AgEI", 40, word),
    shape("JSON web token", "eyJ", 40, |byte| word(byte) || byte == b'.'),
    shape("private key", "-----BEGIN ", 0, |_| true),
];

/// Names the first secret in a command, if there is one.
pub fn find(command: &[u8]) -> Option<&'static str> {
    SHAPES
        .iter()
        .find(|shape| shape.is_in(command))
        .map(|shape| shape.kind)
        .or_else(|| url_password(command))
}

impl Shape {
    fn is_in(&self, command: &[u8]) -> bool {
        let prefix = self.prefix.as_bytes();
        command.windows(prefix.len()).enumerate().any(|(at, window)| {
            // Within a longer word it is something else.
            let begins = at == 0 || !word(command[at - 1]);
            let rest = &command[at + prefix.len()..];
            window == prefix
                && begins
                && rest.iter().take_while(|byte| (self.follows)(**byte)).count() >= self.least
                && (self.kind != "private key" || contains(rest, b"PRIVATE KEY"))
        })
    }
}

/// `scheme://user:password@host`.
fn url_password(command: &[u8]) -> Option<&'static str> {
    let at = command.windows(3).position(|three| three == b"://")?;
    let rest = &command[at + 3..];
    let end = rest
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || *byte == b'/');
    let authority = &rest[..end.unwrap_or(rest.len())];
    let user = authority
        .iter()
        .rposition(|byte| *byte == b'@')
        .map(|at| &authority[..at])?;
    let password = user
        .iter()
        .position(|byte| *byte == b':')
        .map(|at| &user[at + 1..])?;
    // A variable is no secret.
    (!password.is_empty() && !password.starts_with(b"$")).then_some("password in an address")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_and_what_only_looks_like_one() {
        let check =
            |command: &str, expect: Option<&str>| assert_eq!(find(command.as_bytes()), expect, "{command}");
        let of = |prefix: &str, more: usize| format!("curl -H 'x: {prefix}{}'", "A1".repeat(more));
        check(&of("AKIA", 8), Some("AWS access key"));
        check(&of("ghp_", 18), Some("GitHub token"));
        check(&of("github_pat_", 20), Some("GitHub token"));
        check(&of("glpat-", 10), Some("GitLab token"));
        check(&of("eyJ", 30), Some("JSON web token"));
        check("echo '-----BEGIN RSA PRIVATE KEY-----' > k", Some("private key"));
        check(
            "git clone https://me:hunter2@example.org/x.git",
            Some("password in an address"),
        );
        check("git clone https://me:$TOKEN@example.org/x.git", None);
        check("git clone https://example.org:8080/x.git", None);
        check("echo -----BEGIN CERTIFICATE-----", None);
        check(&of("AKIA", 3), None);
        check(&of("MYAKIA", 8), None);
        check("", None);
    }
}
