//! The bash that would be started, and whether LLE loads into it.

use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lle_core::report::Check;
use lle_core::severity::Severity;

use crate::launch::{self, Bash};

/// The oldest bash LLE is tried in.
const OLDEST: (u32, u32) = (5, 1);

/// How long a bash may take to answer: a hundred times what a slow one takes.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// The most of an answer that is read: ten times what there is to say.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Looks at the bash, the shared object, and the two together.
pub(super) fn checks() -> Vec<Check> {
    let program = match Bash::find() {
        Ok(bash) => bash.program().to_owned(),
        Err(_) => {
            let remedy = "install bash, or name it: LUSUSH_BASH=/path/to/bash";
            return vec![Check::found(
                Severity::Fatal,
                "bash",
                "there is none in PATH",
                remedy,
            )];
        }
    };
    let mut checks = vec![version(&program)];
    let library = match launch::library() {
        Ok(library) => library,
        Err(places) => {
            let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
            let evidence = format!("there is no shared object; looked for {}", places.join(", "));
            let remedy = "cargo build --release, or lusush install --prefix DIR";
            checks.push(Check::found(Severity::Major, "line editor", evidence, remedy));
            return checks;
        }
    };
    checks.extend(symbols(&program, &library));
    checks
}

fn version(program: &Path) -> Check {
    let shown = program.display();
    let answer = match ask(
        program,
        Command::new(program).args(["-c", "echo \"$BASH_VERSION\""]),
    ) {
        Ok(answer) => answer,
        Err(why) => {
            let remedy = "name another: LUSUSH_BASH=/path/to/bash";
            return Check::found(
                Severity::Fatal,
                "bash",
                format!("{shown} does not start: {why}"),
                remedy,
            );
        }
    };
    let version = answer.trim();
    let linked = match is_dynamic(program) {
        Some(true) => "dynamic",
        Some(false) => {
            let evidence = format!("{shown}, {version}, is static: it cannot load a shared object");
            return Check::found(Severity::Major, "bash", evidence, "use a bash linked dynamically");
        }
        None => "not known to be dynamic",
    };
    let evidence = format!("{shown}, {version}, {linked}");
    match parse_version(version) {
        Some(found) if found >= OLDEST => Check::fine("bash", evidence),
        Some(_) => {
            let remedy = format!("use bash {}.{} or newer", OLDEST.0, OLDEST.1);
            Check::found(Severity::Major, "bash", evidence, remedy)
        }
        None => Check::found(
            Severity::Major,
            "bash",
            format!("{shown} is not a bash: {version:?}"),
            "",
        ),
    }
}

/// Loads LLE into the bash and asks what it found there.
fn symbols(program: &Path, library: &Path) -> Vec<Check> {
    let shown = library.display();
    let scratch = match Scratch::new() {
        Ok(scratch) => scratch,
        Err(why) => {
            return vec![Check::unknown(
                "line editor",
                format!("no folder to try it in: {why}"),
            )];
        }
    };
    let mut command = Command::new(program);
    command
        .args(["-c", "enable -f \"$0\" lle && lle symbols"])
        .arg(library)
        .env("LUSUSH_HOME", &scratch.0)
        .env_remove("LLE_LOADED");
    let answer = match ask(program, &mut command) {
        Ok(answer) => answer,
        Err(why) => {
            let evidence = format!("{shown} does not load: {why}");
            let remedy = "use the bash LLE was built beside, or name another: LUSUSH_BASH=/path/to/bash";
            return vec![Check::found(Severity::Major, "line editor", evidence, remedy)];
        }
    };
    let symbols = Symbols::parse(&answer);
    vec![
        Check::fine("line editor", format!("{shown} loads")),
        symbols.check(),
    ]
}

/// What LLE found of what it looks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Symbols {
    found: usize,
    /// Name, and what for.
    required_missing: Vec<(String, String)>,
    optional_missing: Vec<(String, String)>,
}

impl Symbols {
    /// Reads the rows of `lle symbols`: name, found or missing, required or optional, what for.
    fn parse(answer: &str) -> Symbols {
        let mut symbols = Symbols::default();
        for row in answer.lines() {
            let mut fields = row.split('\t');
            let (Some(name), Some(state)) = (fields.next(), fields.next()) else {
                continue;
            };
            let need = fields.next().unwrap_or("required");
            let row = (name.to_owned(), fields.next().unwrap_or_default().to_owned());
            match (state, need) {
                ("found", _) => symbols.found += 1,
                (_, "optional") => symbols.optional_missing.push(row),
                _ => symbols.required_missing.push(row),
            }
        }
        symbols
    }

    fn check(&self) -> Check {
        let remedy = "use Debian's or your distribution's bash, or build it with shared symbols (-rdynamic)";
        let list = |missing: &[(String, String)]| {
            let rows: Vec<_> = missing
                .iter()
                .map(|(name, about)| format!("{name} ({about})"))
                .collect();
            rows.join(", ")
        };
        let found = self.found;
        if !self.required_missing.is_empty() {
            let evidence = format!(
                "{found} found; without {} readline paints",
                list(&self.required_missing)
            );
            return Check::found(Severity::Major, "symbols", evidence, remedy);
        }
        if !self.optional_missing.is_empty() {
            let evidence = format!(
                "{found} found; works less without {}",
                list(&self.optional_missing)
            );
            return Check::found(Severity::Warning, "symbols", evidence, remedy);
        }
        match found {
            0 => Check::unknown("symbols", "LLE told nothing of them"),
            _ => Check::fine("symbols", format!("all {found} found in this bash")),
        }
    }
}

/// A folder that goes away again.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Scratch> {
        let name = format!("lusush-doctor-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Fails if it is there already, whosever it is.
        std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&path)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left_in_tmp = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a command without input; answers with its output, or says why there is none.
fn ask(program: &Path, command: &mut Command) -> Result<String, String> {
    let mut child = command
        .env_remove("BASH_ENV")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let deadline = Instant::now() + ANSWER_TIME_MAX;
    // Its output fits into the pipes, so it can end before it is read.
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
            _ => {
                let _ended_meanwhile = child.kill();
                let _ended_meanwhile = child.wait();
                return Err(format!("no answer within {} s", ANSWER_TIME_MAX.as_secs()));
            }
        }
    };
    let mut answer = Vec::new();
    let mut complaint = Vec::new();
    let read = |from: Option<&mut dyn Read>, into: &mut Vec<u8>| {
        from.map(|from| from.take(ANSWER_BYTES_MAX).read_to_end(into))
            .transpose()
    };
    read(
        child.stdout.as_mut().map(|pipe| pipe as &mut dyn Read),
        &mut answer,
    )
    .map_err(|e| e.to_string())?;
    read(
        child.stderr.as_mut().map(|pipe| pipe as &mut dyn Read),
        &mut complaint,
    )
    .map_err(|e| e.to_string())?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&answer).into_owned());
    }
    let complaint = String::from_utf8_lossy(&complaint);
    Err(complaint
        .lines()
        .last()
        .map_or_else(|| status.to_string(), str::to_owned))
}

/// Reads "5.2.15(1)-release".
fn parse_version(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Whether an ELF program asks for a dynamic linker; none if it cannot be read.
fn is_dynamic(program: &Path) -> Option<bool> {
    const PT_INTERP: u32 = 3;
    let file = std::fs::File::open(program).ok()?;
    let mut head = [0; 64];
    file.read_exact_at(&mut head, 0).ok()?;
    // 64-bit, little-endian: what Lusush is built for. Anything else is left unknown.
    head.starts_with(b"\x7fELF\x02\x01").then_some(())?;
    let table = u64::from_le_bytes(*head.get(32..)?.first_chunk()?);
    let size = u16::from_le_bytes(*head.get(54..)?.first_chunk()?);
    let rows = u16::from_le_bytes(*head.get(56..)?.first_chunk()?);
    for row in 0..rows {
        let mut kind = [0; 4];
        let at = table.checked_add(u64::from(row) * u64::from(size))?;
        file.read_exact_at(&mut kind, at).ok()?;
        if u32::from_le_bytes(kind) == PT_INTERP {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        fn check(version: &str, expect: Option<(u32, u32)>) {
            assert_eq!(parse_version(version), expect, "{version}");
        }
        check("5.2.15(1)-release", Some((5, 2)));
        check("5.3.0(1)-alpha", Some((5, 3)));
        check("zsh", None);
        check("", None);
    }

    #[test]
    fn what_lle_found() {
        fn check(answer: &str, outcome: &str, evidence: &str) {
            let check = Symbols::parse(answer).check();
            assert_eq!(
                (check.outcome.word(), check.evidence.as_str()),
                (outcome, evidence),
                "{answer}"
            );
        }
        let (a, b) = (
            "rl_point\tfound\trequired\tthe cursor\n",
            "funmap\tmissing\toptional\tTab\n",
        );
        check(a, "ok", "all 1 found in this bash");
        check(
            &[a, b].concat(),
            "warning",
            "1 found; works less without funmap (Tab)",
        );
        check(
            "rl_end\tmissing\trequired\ttext\n",
            "problem",
            "0 found; without rl_end (text) readline paints",
        );
        check("", "unknown", "LLE told nothing of them");
        check("rubbish\n", "unknown", "LLE told nothing of them");
    }

    #[test]
    fn programs() {
        assert_eq!(is_dynamic(Path::new("/proc/self/exe")), Some(true));
        assert_eq!(is_dynamic(Path::new("/etc/passwd")), None);
        assert_eq!(is_dynamic(Path::new("/does/not/exist")), None);
    }
}
