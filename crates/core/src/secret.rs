//! Secrets in a command, by the shapes that their issuers gave them, or by the names under which they are handed over: facts
//! about letters and names, no guesses by entropy.
//!
//! Invariant: what is found is named by its kind and its place; the secret itself is in no message.

mod handed;
mod words;

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
    // 36 characters, with or without hyphens between them.
    shape("key of a Lusush backup", "lbk1-", 36, word),
    shape("key of a Lusush backup", "LBK1-", 36, word),
    shape("OpenAI key", "sk-proj-", 20, word),
    shape("OpenAI key", "sk-", 40, alphanumeric),
    shape("Anthropic key", "sk-ant-", 20, word),
    shape("Hugging Face token", "hf_", 30, alphanumeric),
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
        .or_else(|| handed::find(command))
}

/// The first word of a command that assigns nothing: `make` of `TOKEN=x make`. None if there is none, or if it seems to be a
/// secret itself.
pub fn program(command: &[u8]) -> Option<Vec<u8>> {
    handed::program(command).filter(|program| !program.is_empty() && find(program).is_none())
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
    let mut places = command
        .windows(3)
        .enumerate()
        .filter(|(_, three)| *three == b"://");
    places
        .any(|(at, _)| has_password(&command[at + 3..]))
        .then_some("password in an address")
}

/// Whether what stands behind `://` has one.
fn has_password(rest: &[u8]) -> bool {
    let end = rest
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || *byte == b'/');
    let authority = &rest[..end.unwrap_or(rest.len())];
    let user = authority
        .iter()
        .rposition(|byte| *byte == b'@')
        .map(|at| &authority[..at]);
    let password = user.and_then(|user| {
        let at = user.iter().position(|byte| *byte == b':')?;
        Some(&user[at + 1..])
    });
    password.is_some_and(|text| {
        // A variable is no secret.
        let expands = text.starts_with(b"$");
        handed::is_secret(words::Value { text, expands })
    })
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
        check(
            "lusush maint backup key import lbk1-mpjtb9-d5mpjt-b9d5mp-jtb9d5-mpjtb9-d5v3z3",
            Some("key of a Lusush backup"),
        );
        check(
            "RESTIC_PASSWORD=lbk1-mpjtb9-d5mpjt-b9d5mp-jtb9d5-mpjtb9-d5v3z3 restic check",
            Some("key of a Lusush backup"),
        );
        check("RESTIC_PASSWORD=lbk1-… restic check", None);
        check(&of("sk-proj-", 12), Some("OpenAI key"));
        check("ls task-proj-0123456789012345678901234567890123456789", None);
    }

    #[test]
    fn what_is_handed_over_under_a_name_and_what_only_stands_for_it() {
        let variable = Some("secret in a variable");
        let option = Some("password on a command line");
        let header = Some("token in a header");
        for (command, expect) in [
            ("export PASSWORD=hunter2", variable),
            ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG aws s3 ls", variable),
            ("docker run -e 'DB_PASSWORD=hunter 2' db", variable),
            ("echo 'token=abc' >> .env", variable),
            ("cd /x && PGPASSWORD='$x' psql", variable),
            ("mysql -u root -psecret db", option),
            ("sudo mysqldump -psecret db", option),
            ("/usr/bin/sshpass -p x ssh me@host", option),
            ("sshpass -px ssh me@host", option),
            ("curl -u me:pw https://host", option),
            ("curl -sSu me:pw https://host", option),
            ("curl --user me:pw https://host", option),
            ("make && curl -ume:pw https://host", option),
            ("deploy --token hunter2", option),
            ("deploy --api-key=hunter2", option),
            ("curl -H 'Authorization: Bearer abcdef' x", header),
            // What stands for another.
            ("export PASSWORD=$PW", None),
            ("export PASSWORD=\"$(pass show x)\"", None),
            ("PASSWORD=`pass x` run", None),
            ("export PASSWORD=", None),
            ("export PASSWORD", None),
            ("read -rs PASSWORD", None),
            ("export PASSWORD=<yours>", None),
            ("export PASSWORD=xxxxx", None),
            ("export TOKEN=...", None),
            ("export API_KEY=your-key", None),
            ("MAX_TOKEN=4096 run", None),
            ("TOKEN=/run/secrets/token run", None),
            ("PASSWORD_FILE=/etc/x run", None),
            ("mysql -p db", None),
            ("mysql -P3306 db", None),
            ("mysql -p\"$PW\" db", None),
            ("ssh -p2222 host", None),
            ("mkdir -p secret", None),
            ("sshpass -p \"$PW\" ssh host", None),
            ("sshpass -f file ssh host", None),
            ("curl -u me https://host", None),
            ("curl -u me: https://host", None),
            ("curl -u \"me:$PW\" https://host", None),
            ("sort -u a:b", None),
            ("docker login --password-stdin", None),
            ("docker service create --secret mine", None),
            ("deploy --token \"$TOKEN\"", None),
            ("deploy --token --verbose", None),
            ("curl -H \"Authorization: Bearer $TOKEN\" x", None),
            ("[ $password == x ]", None),
            ("grep PASSWORD= file", None),
        ] {
            assert_eq!(find(command.as_bytes()), expect, "{command}");
        }
    }

    #[test]
    fn the_program_is_no_assignment_and_no_secret() {
        let check = |command: &str, expect: Option<&str>| {
            let program = program(command.as_bytes());
            let program = program.map(|program| String::from_utf8(program).unwrap());
            assert_eq!(program.as_deref(), expect, "{command}");
        };
        check("git log", Some("git"));
        check("RESTIC_PASSWORD='a b' X=1 restic check", Some("restic"));
        check("PASSWORD=hunter2", None);
        check("lbk1-mpjtb9-d5mpjt-b9d5mp-jtb9d5-mpjtb9-d5v3z3", None);
        check("", None);
    }
}
