//! Which of the tasks that are due goes first.

use super::Priority;

/// A task that is due and waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which task.
    pub name: String,
    /// How urgent it is.
    pub priority: Priority,
    /// When it was due, in nanoseconds since 1970 in UTC.
    pub due_wall_ns: i64,
}

/// Sorts higher priority first, then what has been due for longer; equals stay as they are.
///
/// Whether one may start at all is [`Task::may_start`](super::Task::may_start); what may not, keeps its place.
pub fn order(due: &mut [Waiting]) {
    due.sort_by_key(|waiting| (waiting.priority, waiting.due_wall_ns));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgent_then_old_then_as_they_came() {
        let waiting = |name: &str, priority, due_wall_ns| Waiting {
            name: name.into(),
            priority,
            due_wall_ns,
        };
        let mut due = [
            waiting("trim", Priority::Deferred, i64::MIN),
            waiting("new", Priority::High, 2),
            waiting("first", Priority::High, 1),
            waiting("second", Priority::High, 1),
            waiting("check", Priority::Critical, i64::MAX),
        ];
        order(&mut due);
        let names: Vec<&str> = due.iter().map(|waiting| waiting.name.as_str()).collect();
        assert_eq!(names, ["check", "first", "second", "new", "trim"]);
    }
}
