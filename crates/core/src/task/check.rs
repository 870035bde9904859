//! The limits of a task, and who may be called what.
//!
//! What a user registers is stored, listed in terminals and run for months. So its size is bounded, its name can be
//! typed, and nothing in what is listed is a control character.

use super::{Task, TaskKind};
use crate::schedule::ScheduleError;

/// Longest name, in bytes, as in the source document.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest description, in bytes, as in the source document.
pub const DESCRIPTION_BYTES_MAX: usize = 256;
/// Most parameters. No task that comes with the system has as many as ten.
pub const PARAMETERS_MAX: usize = 32;
/// Longest value of a parameter, in bytes: a long path fits.
pub const VALUE_BYTES_MAX: usize = 4_096;
/// Shortest time for one run, in milliseconds: what starting a process takes on a busy machine, many times over.
pub const BUDGET_MS_MIN: u64 = 100;
/// Longest time for one run, in milliseconds: six hours, for a first backup over a slow line.
pub const BUDGET_MS_MAX: u64 = 6 * 60 * 60 * 1_000;
/// Most retries after one due time. What fails eleven times in a row waits for its next due time.
pub const RETRIES_MAX: u32 = 10;
/// Shortest wait before a retry, in milliseconds: a command that fails at once is not run in a loop.
pub const RETRY_DELAY_MS_MIN: u64 = 1_000;
/// Longest wait before a retry, in milliseconds: a day.
pub const RETRY_DELAY_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// Most words of a command, its program among them.
pub const ARGUMENTS_MAX: usize = 64;
/// Longest word of a command, in bytes: a page, which holds any path.
pub const ARGUMENT_BYTES_MAX: usize = 4_096;

/// Why a task is refused, and what would be allowed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// The name, or that of a parameter, cannot be one.
    #[error("{name:?} is no name; expected 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -, the first not a -")]
    Name {
        /// The name.
        name: String,
    },
    /// A registered task has the name of one that comes with the system.
    #[error("{name} is a task that comes with the system; choose another name")]
    Reserved {
        /// The name.
        name: String,
    },
    /// A task that comes with the system has another name than its kind.
    #[error("{name} is not the name of the kind {kind}", kind = kind.name())]
    Renamed {
        /// The name.
        name: String,
        /// Its kind.
        kind: TaskKind,
    },
    /// A registered task has nothing to run.
    #[error("{name} has no command; expected a program and its arguments")]
    NoCommand {
        /// The task.
        name: String,
    },
    /// A task that comes with the system has a command, which would never be run.
    #[error("{name} comes with the system and takes no command; register a task of your own")]
    Command {
        /// The task.
        name: String,
    },
    /// A text is empty, too long, or has a control character in it.
    #[error("{field} is {bytes} bytes long; expected {min} to {max}, none of them a control character")]
    Text {
        /// Which text.
        field: &'static str,
        /// How long it is.
        bytes: usize,
        /// Shortest allowed.
        min: usize,
        /// Longest allowed.
        max: usize,
    },
    /// A command cannot be run.
    #[error(
        "the {field} cannot be run; expected a program and up to {most} arguments, each at most {ARGUMENT_BYTES_MAX} \
         bytes without a zero byte",
        most = ARGUMENTS_MAX - 1
    )]
    Words {
        /// `command` or `cleanup`.
        field: &'static str,
    },
    /// A number is out of its range.
    #[error("{field} is {found}; expected {min} to {max}")]
    Range {
        /// Which number.
        field: &'static str,
        /// What it is.
        found: u64,
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
    },
    /// It is never due, or nobody can tell when.
    #[error("the schedule of {name} is wrong")]
    Schedule {
        /// The task.
        name: String,
        /// What is wrong with it.
        source: ScheduleError,
    },
}

impl Task {
    /// Checks every field against its limit.
    ///
    /// # Errors
    /// Names the first that is beyond, and what is allowed.
    pub fn check(&self) -> Result<(), TaskError> {
        check_name(&self.name)?;
        self.check_kind()?;
        if self.is_hosts() {
            let name = self.name.clone();
            return Err(TaskError::NoCommand { name });
        }
        self.check_hosts()
    }

    /// Whether it is a callback of the program that embeds the engine: registered, and without a command.
    pub fn is_hosts(&self) -> bool {
        self.kind.is_none() && self.command.is_none()
    }

    /// Checks every field as [`Task::check`] does, of a task that may also be the host's own.
    ///
    /// # Errors
    /// The same.
    pub fn check_hosts(&self) -> Result<(), TaskError> {
        check_name(&self.name)?;
        self.check_kind()?;
        check_text("the description", &self.description, 1, DESCRIPTION_BYTES_MAX)?;
        check_range(
            "the number of parameters",
            self.parameters.len() as u64,
            0,
            PARAMETERS_MAX as u64,
        )?;
        for (name, value) in &self.parameters {
            check_name(name)?;
            check_text("the value of a parameter", value, 0, VALUE_BYTES_MAX)?;
        }
        check_range("budget_ms", self.budget_ms, BUDGET_MS_MIN, BUDGET_MS_MAX)?;
        check_range("retries", self.retries.into(), 0, RETRIES_MAX.into())?;
        let delay_min = if self.retries > 0 { RETRY_DELAY_MS_MIN } else { 0 };
        check_range(
            "retry_delay_ms",
            self.retry_delay_ms,
            delay_min,
            RETRY_DELAY_MS_MAX,
        )?;
        check_words("command", self.command.as_deref())?;
        check_words("cleanup", self.cleanup.as_deref())?;
        let schedule = self.schedule.check();
        schedule.map_err(|source| TaskError::Schedule {
            name: self.name.clone(),
            source,
        })
    }

    fn check_kind(&self) -> Result<(), TaskError> {
        let name = self.name.clone();
        match self.kind {
            None if TaskKind::named(&name).is_some() => Err(TaskError::Reserved { name }),
            Some(kind) if kind.name() != name => Err(TaskError::Renamed { name, kind }),
            Some(_) if self.command.is_some() => Err(TaskError::Command { name }),
            _ => Ok(()),
        }
    }
}

fn check_name(name: &str) -> Result<(), TaskError> {
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    // A leading dash would be read as a flag on the command line.
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.starts_with('-');
    match fits && name.bytes().all(allowed) {
        true => Ok(()),
        false => Err(TaskError::Name {
            name: name.to_owned(),
        }),
    }
}

fn check_text(field: &'static str, text: &str, min: usize, max: usize) -> Result<(), TaskError> {
    match (min..=max).contains(&text.len()) && !text.contains(char::is_control) {
        true => Ok(()),
        false => Err(TaskError::Text {
            field,
            bytes: text.len(),
            min,
            max,
        }),
    }
}

fn check_range(field: &'static str, found: u64, min: u64, max: u64) -> Result<(), TaskError> {
    match (min..=max).contains(&found) {
        true => Ok(()),
        false => Err(TaskError::Range {
            field,
            found,
            min,
            max,
        }),
    }
}

fn check_words(field: &'static str, words: Option<&[String]>) -> Result<(), TaskError> {
    let Some(words) = words else { return Ok(()) };
    let runs = words.first().is_some_and(|program| !program.is_empty());
    let fits = |word: &String| word.len() <= ARGUMENT_BYTES_MAX && !word.contains('\0');
    match runs && words.len() <= ARGUMENTS_MAX && words.iter().all(fits) {
        true => Ok(()),
        false => Err(TaskError::Words { field }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Priority, backup};
    use super::*;
    use crate::schedule::Schedule;

    fn registered() -> Task {
        Task {
            name: "tidy-downloads".into(),
            kind: None,
            command: Some(vec!["/usr/bin/tidy".into(), String::new()]),
            priority: Priority::Low,
            ..backup::task()
        }
    }

    fn said(error: TaskError) -> String {
        match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }
    }

    #[test]
    fn within_the_limits() {
        let most = Task {
            name: "n".repeat(NAME_BYTES_MAX),
            description: "d".repeat(DESCRIPTION_BYTES_MAX),
            budget_ms: BUDGET_MS_MAX,
            retries: RETRIES_MAX,
            retry_delay_ms: RETRY_DELAY_MS_MAX,
            parameters: (0..PARAMETERS_MAX)
                .map(|at| (format!("p{at}"), "v".repeat(VALUE_BYTES_MAX)))
                .collect(),
            command: Some(vec!["a".repeat(ARGUMENT_BYTES_MAX); ARGUMENTS_MAX]),
            cleanup: Some(vec!["true".into()]),
            ..registered()
        };
        most.check().unwrap();
        let least = Task {
            budget_ms: BUDGET_MS_MIN,
            retries: 0,
            retry_delay_ms: 0,
            schedule: Schedule::Manual,
            ..registered()
        };
        least.check().unwrap();
    }

    #[test]
    fn only_a_host_registers_a_task_without_a_command() {
        let callback = Task {
            command: None,
            ..registered()
        };
        assert!(callback.is_hosts() && !registered().is_hosts() && !backup::task().is_hosts());
        callback.check_hosts().unwrap();
        assert!(matches!(callback.check(), Err(TaskError::NoCommand { .. })));
        let reserved = Task {
            name: "backup".into(),
            ..callback.clone()
        };
        assert!(matches!(reserved.check_hosts(), Err(TaskError::Reserved { .. })));
        assert!(matches!(reserved.check(), Err(TaskError::Reserved { .. })));
        let unbounded = Task {
            budget_ms: u64::MAX,
            ..callback
        };
        assert!(matches!(unbounded.check_hosts(), Err(TaskError::Range { .. })));
    }

    #[test]
    fn beyond_the_limits() {
        let ok = registered;
        let wrong = [
            Task {
                name: String::new(),
                ..ok()
            },
            Task {
                name: "-rf".into(),
                ..ok()
            },
            Task {
                name: "Tidy Up\x1b[2J".into(),
                ..ok()
            },
            Task {
                name: "n".repeat(NAME_BYTES_MAX + 1),
                ..ok()
            },
            Task {
                name: "backup".into(),
                ..ok()
            },
            Task {
                name: "save".into(),
                ..backup::task()
            },
            Task {
                command: None,
                ..ok()
            },
            Task {
                command: ok().command,
                ..backup::task()
            },
            Task {
                command: Some(vec![]),
                ..ok()
            },
            Task {
                command: Some(vec![String::new()]),
                ..ok()
            },
            Task {
                command: Some(vec!["true".into(); ARGUMENTS_MAX + 1]),
                ..ok()
            },
            Task {
                cleanup: Some(vec!["rm".into(), "a\0b".into()]),
                ..ok()
            },
            Task {
                description: String::new(),
                ..ok()
            },
            Task {
                description: "\x1b]0;owned\x07".into(),
                ..ok()
            },
            Task {
                parameters: [("a b".into(), String::new())].into(),
                ..ok()
            },
            Task {
                parameters: [("a".into(), "v".repeat(VALUE_BYTES_MAX + 1))].into(),
                ..ok()
            },
            Task { budget_ms: 0, ..ok() },
            Task {
                budget_ms: u64::MAX,
                ..ok()
            },
            Task {
                retries: u32::MAX,
                ..ok()
            },
            Task {
                retries: 1,
                retry_delay_ms: 0,
                ..ok()
            },
            Task {
                schedule: Schedule::Every { seconds: 0 },
                ..ok()
            },
            Task {
                schedule: Schedule::Cron {
                    text: "0 0 30 2 *".into(),
                },
                ..ok()
            },
        ];
        let said: Vec<String> = wrong.iter().map(|task| said(task.check().unwrap_err())).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        "" is no name; expected 1 to 64 of a-z, 0-9 and -, the first not a -
        "-rf" is no name; expected 1 to 64 of a-z, 0-9 and -, the first not a -
        "Tidy Up\u{1b}[2J" is no name; expected 1 to 64 of a-z, 0-9 and -, the first not a -
        "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" is no name; expected 1 to 64 of a-z, 0-9 and -, the first not a -
        backup is a task that comes with the system; choose another name
        save is not the name of the kind backup
        tidy-downloads has no command; expected a program and its arguments
        backup comes with the system and takes no command; register a task of your own
        the command cannot be run; expected a program and up to 63 arguments, each at most 4096 bytes without a zero byte
        the command cannot be run; expected a program and up to 63 arguments, each at most 4096 bytes without a zero byte
        the command cannot be run; expected a program and up to 63 arguments, each at most 4096 bytes without a zero byte
        the cleanup cannot be run; expected a program and up to 63 arguments, each at most 4096 bytes without a zero byte
        the description is 0 bytes long; expected 1 to 256, none of them a control character
        the description is 10 bytes long; expected 1 to 256, none of them a control character
        "a b" is no name; expected 1 to 64 of a-z, 0-9 and -, the first not a -
        the value of a parameter is 4097 bytes long; expected 0 to 4096, none of them a control character
        budget_ms is 0; expected 100 to 21600000
        budget_ms is 18446744073709551615; expected 100 to 21600000
        retries is 4294967295; expected 0 to 10
        retry_delay_ms is 0; expected 1000 to 86400000
        the schedule of tidy-downloads is wrong: an interval is between 1 s and 366 days
        the schedule of tidy-downloads is wrong: "0 0 30 2 *" is never due: no such day in 28 years
        "#);
    }
}
