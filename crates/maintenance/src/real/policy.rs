//! The policy: the machine's rules, which no user can weaken, and the user's own, which can only tighten.
//!
//! Invariant: fail closed. Rules of the machine that are there and cannot be read or understood forbid everything
//! but looking.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use lle_core::mode::Mode;
use lle_core::policy::{Class, Operation, Policy, PolicyRules};

/// The machine's rules. A constant: a variable could name another file.
pub const SYSTEM: &str = "/etc/lusush/policy.toml";
/// Bytes of a file of rules.
const BYTES_MAX: u64 = 64 * 1024;

/// The rules in force, and what is wrong with them.
pub struct Loaded {
    /// The rules.
    pub policy: Policy,
    /// What is wrong, in sentences.
    pub problems: Vec<String>,
}

/// What the files say.
pub(crate) struct Rules {
    /// The machine's.
    pub(crate) system: PolicyRules,
    /// The user's.
    pub(crate) user: PolicyRules,
    /// What is wrong with them, in sentences.
    pub(crate) problems: Vec<String>,
}

/// Reads the machine's rules and the user's.
pub fn load(user: Option<&Path>) -> Loaded {
    let rules = rules(user);
    Loaded {
        policy: Policy::combine(rules.system, rules.user),
        problems: rules.problems,
    }
}

/// Reads both files; one that is not understood forbids everything but looking.
pub(crate) fn rules(user: Option<&Path>) -> Rules {
    let mut problems = Vec::new();
    let mut understood = |read: Result<Option<PolicyRules>, String>, name: &str| match read {
        Ok(rules) => rules.unwrap_or_default(),
        Err(why) => {
            problems.push(format!("{name} is not understood, so nothing is changed: {why}"));
            look_only()
        }
    };
    let system = understood(read(Path::new(SYSTEM), Some(0)), SYSTEM);
    let user = understood(user.map_or(Ok(None), |path| read(path, None)), "your policy.toml");
    Rules {
        system,
        user,
        problems,
    }
}

fn look_only() -> PolicyRules {
    let changes = Operation::all().filter(|operation| operation.class() != Class::Read);
    let mut denied: Vec<String> = changes.map(|operation| operation.name().to_owned()).collect();
    denied.sort_unstable();
    denied.dedup();
    PolicyRules {
        mode_max: [("*".to_owned(), Mode::Observe)].into(),
        denied_operations: denied,
        ..PolicyRules::default()
    }
}

/// Reads rules; none if there is no file.
fn read(path: &Path, owner: Option<u32>) -> Result<Option<PolicyRules>, String> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
        Ok(found) => found,
    };
    if owner.is_some_and(|owner| found.uid() != owner) || found.mode() & 0o022 != 0 {
        return Err("others than its owner may write to it".into());
    }
    if found.len() > BYTES_MAX {
        return Err(format!("it is longer than {BYTES_MAX} bytes"));
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let rules: PolicyRules = toml::from_str(&text).map_err(|error| error.to_string())?;
    match rules.problems().first() {
        None => Ok(Some(rules)),
        Some(problem) => Err(format!("{problem}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lle_core::policy::{Target, Who, authorise};
    use std::os::unix::fs::PermissionsExt;

    fn check(text: &str, mode: u32, expect: Result<(), &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match (read(&path, None), expect) {
            (Ok(rules), Ok(())) => assert!(rules.is_some()),
            (Err(why), Err(expect)) => assert!(why.contains(expect), "{why}"),
            (found, expect) => panic!("{text}: {found:?}, not {expect:?}"),
        }
    }

    #[test]
    fn rules_are_read_or_refused() {
        check("", 0o600, Ok(()));
        check(
            "denied_operations = [\"stop\"]\n[mode_max]\n\"*\" = \"advise\"\n",
            0o644,
            Ok(()),
        );
        check(
            "denied_operations = [\"stop\"]",
            0o666,
            Err("others than its owner"),
        );
        check("denied = [\"stop\"]", 0o600, Err("unknown field `denied`"));
        check("denied_operations = [\"nonsense\"]", 0o600, Err("nonsense"));
        assert_eq!(read(Path::new("/nonexistent/policy.toml"), None), Ok(None));
    }

    #[test]
    fn rules_that_are_not_understood_allow_looking_only() {
        let policy = Policy::combine(look_only(), PolicyRules::default());
        let who = Who::peer(7, None, 7);
        for operation in Operation::all() {
            let allowed = authorise(who, operation, Target::All, (), &policy).is_ok();
            assert_eq!(allowed, operation.class() == Class::Read, "{}", operation.name());
        }
    }
}
