//! What the worker wants of the sessions: one small text file in the runtime folder, `desired`, which every session
//! reads at its prompts and when it is woken.
//!
//! ```text
//! lusush-desired 1 <generation>
//! alert <id> <session> <severity> <text to the end of the line>
//! trim <token> <session>
//! set <name> <value to the end of the line>
//! trial <id> <lever> <value>
//! config <version>               and, behind it, the lines of a configuration: see [`in_force`](crate::in_force)
//! sum <of all lines before it>   absent in what earlier versions wrote
//! ```
//!
//! Numbers are decimal, a session is sixteen hex digits. The file is replaced by a rename, so that nobody reads half
//! of it, and it says what is wanted, not what changed: read twice it means the same.
//!
//! Invariants: encoding never exceeds [`BYTES_MAX`]; decoding takes any bytes; lines of a kind this version does not
//! know, and further words of those it knows, are passed over, so that the next version can add them.

use std::fmt::{self, Write};

use crate::in_force::{InForce, KEY_LINE_BYTES_MAX, SESSION_KEYS_MAX, THEME_LINE_BYTES_MAX};
use crate::severity::Severity;
use crate::sum;

/// The file's name in the runtime folder.
pub const FILE_NAME: &str = "desired";
/// Bytes of the whole file: a session reads it in one piece, between two keys.
pub const BYTES_MAX: usize = 80 * 1024;
/// Alerts in one file; what is beyond is left out. With as many trims, all of full length, the file stays below
/// [`BYTES_MAX`].
pub const ALERTS_MAX: usize = 96;
/// Trims in one file; what is beyond is left out.
pub const TRIMS_MAX: usize = 128;
/// Settings in one file; what is beyond is left out.
pub const SETTINGS_MAX: usize = 32;
/// Trials in one file; what is beyond is left out. A session compares two values of one lever at a time.
pub const TRIALS_MAX: usize = 1;
/// Bytes of a setting's name, and of its value.
pub const SETTING_BYTES_MAX: usize = 128;
/// Bytes of an alert's text: five rows of 80 columns.
pub const TEXT_BYTES_MAX: usize = 400;

/// The format written, and the newest that is read.
const FORMAT: u32 = 1;
const MAGIC: &str = "lusush-desired";
/// The longest number, 2^64 − 1.
const NUMBER_BYTES_MAX: usize = 20;
const SESSION_BYTES: usize = 16;
const SEVERITIES: [Severity; 6] = [
    Severity::Info,
    Severity::Warning,
    Severity::Minor,
    Severity::Major,
    Severity::Critical,
    Severity::Fatal,
];
/// The longest severity's name, "critical".
const SEVERITY_BYTES_MAX: usize = 8;

const HEAD_BYTES_MAX: usize = MAGIC.len() + 1 + 10 + 1 + NUMBER_BYTES_MAX + 1;
const ALERT_BYTES_MAX: usize =
    "alert    \n".len() + NUMBER_BYTES_MAX + SESSION_BYTES + SEVERITY_BYTES_MAX + TEXT_BYTES_MAX;
const TRIM_BYTES_MAX: usize = "trim  \n".len() + NUMBER_BYTES_MAX + SESSION_BYTES;
const SET_BYTES_MAX: usize = "set  \n".len() + 2 * SETTING_BYTES_MAX;
const TRIAL_BYTES_MAX: usize = "trial   \n".len() + NUMBER_BYTES_MAX + 2 * SETTING_BYTES_MAX;
const CONFIG_BYTES_MAX: usize =
    "config \n".len() + NUMBER_BYTES_MAX + SESSION_KEYS_MAX * KEY_LINE_BYTES_MAX + THEME_LINE_BYTES_MAX;
const _: () = assert!(
    HEAD_BYTES_MAX
        + ALERTS_MAX * ALERT_BYTES_MAX
        + TRIMS_MAX * TRIM_BYTES_MAX
        + SETTINGS_MAX * SET_BYTES_MAX
        + TRIALS_MAX * TRIAL_BYTES_MAX
        + CONFIG_BYTES_MAX
        + sum::LINE_BYTES
        <= BYTES_MAX
);

/// What the worker wants of all sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Grows with every change; sessions say which they have seen.
    pub generation: u64,
    /// What to tell users.
    pub alerts: Vec<Alert>,
    /// Who is to give free memory back to the system.
    pub trims: Vec<Trim>,
    /// What every session is to use instead of its own default.
    pub settings: Vec<Setting>,
    /// What sessions are to compare with what they use.
    pub trials: Vec<Trial>,
    /// The configuration that running sessions are to go by; none leaves them theirs.
    pub config: Option<InForce>,
}

/// A value of a lever that is compared with the one in force: sessions use the one and the other by turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Tells this trial from every other.
    pub id: u64,
    /// The lever and the value that is tried.
    pub setting: Setting,
}

/// A value that sessions are to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The setting; without blanks.
    pub name: String,
    /// The value, in one line.
    pub value: String,
}

/// Something to tell the user of one session, once, above a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Grows from alert to alert: a session tells those beyond the last one it told.
    pub id: u64,
    /// The session.
    pub session: u64,
    /// How bad it is.
    pub severity: Severity,
    /// One line of text.
    pub text: String,
}

/// A session that is to give free memory back to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// Grows from request to request: a session does those beyond the last one it did.
    pub token: u64,
    /// The session.
    pub session: u64,
}

/// Why bytes are no [`Desired`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The first line is not this file's.
    Foreign,
    /// A newer version's file.
    TooNew {
        /// Its format.
        format: u32,
    },
    /// Longer than [`BYTES_MAX`].
    TooLong,
    /// Not as it was written.
    Damaged,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Foreign => write!(f, "is not a file of what the worker wants"),
            Refused::TooNew { format } => write!(f, "has format {format}; this version reads {FORMAT}"),
            Refused::TooLong => write!(f, "is longer than {BYTES_MAX} bytes"),
            Refused::Damaged => write!(f, "is not as it was written"),
        }
    }
}

impl std::error::Error for Refused {}

impl Desired {
    /// Writes the file's text: of alerts and trims the first [`ALERTS_MAX`] and [`TRIMS_MAX`], of an alert's text the
    /// first [`TEXT_BYTES_MAX`] bytes, in one line.
    pub fn encode(&self) -> String {
        let mut out = format!("{MAGIC} {FORMAT} {}\n", self.generation);
        for alert in self.alerts.iter().take(ALERTS_MAX) {
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                "alert {} {:016x} {} {}",
                alert.id,
                alert.session,
                alert.severity.name(),
                one_line(&alert.text)
            );
        }
        for trim in self.trims.iter().take(TRIMS_MAX) {
            let _ = writeln!(out, "trim {} {:016x}", trim.token, trim.session);
        }
        let fits = |setting: &&Setting| is_name(&setting.name) && setting.value.len() <= SETTING_BYTES_MAX;
        for setting in self.settings.iter().filter(fits).take(SETTINGS_MAX) {
            let _ = writeln!(out, "set {} {}", setting.name, one_line(&setting.value));
        }
        let trials = self.trials.iter().filter(|trial| fits(&&trial.setting));
        for Trial { id, setting } in trials.take(TRIALS_MAX) {
            let _ = writeln!(out, "trial {id} {} {}", setting.name, one_line(&setting.value));
        }
        if let Some(config) = &self.config {
            let _ = writeln!(out, "config {}", config.version);
            config.write_lines(&mut out, SESSION_KEYS_MAX);
        }
        sum::add(&mut out);
        out
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// The bytes are too many, another file's, a newer version's, or not as they were written.
    pub fn decode(bytes: &[u8]) -> Result<Desired, Refused> {
        if bytes.len() > BYTES_MAX {
            return Err(Refused::TooLong);
        }
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split('\n');
        let mut desired = Desired {
            generation: head(lines.next().unwrap_or_default())?,
            ..Desired::default()
        };
        for line in lines {
            match line.split_once(' ') {
                Some(("alert", rest)) if desired.alerts.len() < ALERTS_MAX => {
                    desired.alerts.extend(alert(rest));
                }
                Some(("trim", rest)) if desired.trims.len() < TRIMS_MAX => desired.trims.extend(trim(rest)),
                Some(("set", rest)) if desired.settings.len() < SETTINGS_MAX => {
                    desired.settings.extend(setting(rest));
                }
                Some(("trial", rest)) if desired.trials.len() < TRIALS_MAX => {
                    desired.trials.extend(trial(rest));
                }
                Some(("config", rest)) => {
                    let version = rest.split(' ').next().and_then(|word| word.parse().ok());
                    desired.config = version.map(|version| InForce {
                        version,
                        ..InForce::default()
                    });
                }
                Some((kind, rest)) => {
                    if let Some(config) = &mut desired.config {
                        config.read_line(kind, rest);
                    }
                }
                None => {}
            }
        }
        // Last: what a newer version sums up otherwise is told as newer.
        match sum::holds(bytes) {
            true => Ok(desired),
            false => Err(Refused::Damaged),
        }
    }
}

/// Reads the first line; gives the generation.
fn head(line: &str) -> Result<u64, Refused> {
    let mut words = line.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(Refused::Foreign);
    }
    match words.next().and_then(|word| word.parse().ok()) {
        None | Some(0) => Err(Refused::Foreign),
        Some(FORMAT) => words
            .next()
            .and_then(|word| word.parse().ok())
            .ok_or(Refused::Foreign),
        Some(format) => Err(Refused::TooNew { format }),
    }
}

fn alert(line: &str) -> Option<Alert> {
    let mut words = line.splitn(4, ' ');
    let id = words.next()?.parse().ok()?;
    let session = session(words.next()?)?;
    let severity = words.next()?;
    Some(Alert {
        id,
        session,
        // A severity that only a later version knows is still worth telling.
        severity: SEVERITIES
            .into_iter()
            .find(|known| known.name() == severity)
            .unwrap_or(Severity::Warning),
        text: one_line(words.next().unwrap_or_default()),
    })
}

fn trim(line: &str) -> Option<Trim> {
    let mut words = line.split(' ');
    let token = words.next()?.parse().ok()?;
    let session = session(words.next()?)?;
    Some(Trim { token, session })
}

fn setting(line: &str) -> Option<Setting> {
    let (name, value) = line.split_once(' ')?;
    let fits = is_name(name) && value.len() <= SETTING_BYTES_MAX;
    fits.then(|| Setting {
        name: name.to_owned(),
        value: one_line(value),
    })
}

fn trial(line: &str) -> Option<Trial> {
    let (id, rest) = line.split_once(' ')?;
    Some(Trial {
        id: id.parse().ok()?,
        setting: setting(rest)?,
    })
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=SETTING_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

fn session(word: &str) -> Option<u64> {
    let is_id = word.len() == SESSION_BYTES && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(word, 16).ok().filter(|_| is_id)
}

/// The beginning of a text, with blanks for what would end the line or move a terminal's cursor.
fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    line.truncate(line.floor_char_boundary(TEXT_BYTES_MAX));
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Desired {
        Desired {
            generation: 7,
            alerts: vec![Alert {
                id: 3,
                session: 0xabc,
                severity: Severity::Major,
                text: "the disk is full\nsince noon".into(),
            }],
            trims: vec![Trim {
                token: 9,
                session: u64::MAX,
            }],
            settings: vec![Setting {
                name: "highlight.mode".into(),
                value: "deferred above 4096".into(),
            }],
            trials: vec![Trial {
                id: 12,
                setting: Setting {
                    name: "names.keep".into(),
                    value: "path".into(),
                },
            }],
            config: Some(InForce {
                version: 5,
                keys: vec![crate::in_force::KeyValue {
                    name: "editor.theme".into(),
                    value: "light".into(),
                    locked: false,
                }],
                ..InForce::default()
            }),
        }
    }

    #[test]
    fn the_text() {
        insta::assert_snapshot!(sample().encode(), @"
        lusush-desired 1 7
        alert 3 0000000000000abc major the disk is full since noon
        trim 9 ffffffffffffffff
        set highlight.mode deferred above 4096
        trial 12 names.keep path
        config 5
        key editor.theme free light
        sum 27a44d94ab3fd2db
        ");
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        fn check(bytes: &[u8], expect: Refused) {
            let shown = String::from_utf8_lossy(bytes.get(..40).unwrap_or(bytes));
            assert_eq!(Desired::decode(bytes), Err(expect), "{shown:?}");
        }
        check(b"", Refused::Foreign);
        check(b"#!/bin/sh\n", Refused::Foreign);
        check(b"lusush-desired", Refused::Foreign);
        check(b"lusush-desired 0 1\n", Refused::Foreign);
        check(b"lusush-desired 1 \n", Refused::Foreign);
        check(b"lusush-desired 1 -1\n", Refused::Foreign);
        check(b"lusush-desired 2 1\n", Refused::TooNew { format: 2 });
        check(&vec![b'x'; BYTES_MAX + 1], Refused::TooLong);
    }

    #[test]
    fn a_later_version_s_lines_and_words_are_passed_over() {
        let text = "lusush-desired 1 7 more\n\
            moon 12\n\
            key editor.theme free behind no version\n\
            alert 3 0000000000000abc catastrophic x  y \n\
            trim 9 ffffffffffffffff at-once\n\
            \n\
            alert x 0000000000000abc info not a number\n\
            alert 4 abc info not a session\n\
            trim 10 +000000000000abc\n\
            trim";
        let decoded = Desired::decode(text.as_bytes()).expect("its format is known");
        assert_eq!(decoded.alerts.len(), 1);
        assert_eq!(
            (decoded.alerts[0].severity, decoded.alerts[0].text.as_str()),
            (Severity::Warning, "x  y ")
        );
        assert_eq!(decoded.trims, sample().trims);
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let mut many = sample();
        many.generation = u64::MAX;
        many.alerts[0].id = u64::MAX;
        many.alerts[0].severity = Severity::Critical;
        many.alerts[0].text = "é".repeat(TEXT_BYTES_MAX);
        many.trims[0].token = u64::MAX;
        many.alerts = vec![many.alerts[0].clone(); 10 * ALERTS_MAX];
        many.trims = vec![many.trims[0]; 10 * TRIMS_MAX];
        let text = many.encode();
        assert!(text.len() <= BYTES_MAX, "{}", text.len());
        let decoded = Desired::decode(text.as_bytes()).expect("just written");
        assert_eq!(
            (decoded.alerts.len(), decoded.trims.len()),
            (ALERTS_MAX, TRIMS_MAX)
        );
        assert_eq!(decoded.alerts[0].text, "é".repeat(TEXT_BYTES_MAX / 2));
    }

    fn alerts(text: &'static str) -> impl Strategy<Value = Vec<Alert>> {
        let one = (any::<u64>(), any::<u64>(), 0..SEVERITIES.len(), text);
        let one = one.prop_map(|(id, session, severity, text)| Alert {
            id,
            session,
            severity: SEVERITIES[severity],
            text,
        });
        prop::collection::vec(one, 0..8)
    }

    fn desired(text: &'static str) -> impl Strategy<Value = Desired> {
        let trim = (any::<u64>(), any::<u64>()).prop_map(|(token, session)| Trim { token, session });
        let parts = (any::<u64>(), alerts(text), prop::collection::vec(trim, 0..8));
        parts.prop_map(|(generation, alerts, trims)| Desired {
            generation,
            alerts,
            trims,
            settings: sample().settings,
            trials: sample().trials,
            config: sample().config,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(desired in desired("[ a-zéà漢]{0,90}")) {
            prop_assert_eq!(Desired::decode(desired.encode().as_bytes()), Ok(desired));
        }

        #[test]
        fn what_is_read_is_written_the_same(desired in desired(".{0,500}")) {
            let text = desired.encode();
            let read = Desired::decode(text.as_bytes());
            prop_assert_eq!(read.map(|read| read.encode()), Ok(text));
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Desired::decode(&bytes);
            let _ = Desired::decode(&[b"lusush-desired 1 1\nalert ", bytes.as_slice()].concat());
            let _ = Desired::decode(&[b"lusush-desired 1 1\ntrim ", bytes.as_slice()].concat());
        }
    }
}
