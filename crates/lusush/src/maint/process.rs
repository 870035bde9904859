//! What a session costs right now, from `/proc`.

use std::fs;

use lle_metrics::Identity;
use lle_metrics::identity::start_ticks;
use serde::Serialize;

/// The current cost of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cost {
    /// Private memory in use: `RssAnon`.
    pub(crate) private_bytes: u64,
    /// Time spent on a processor since the process started.
    pub(crate) cpu_ns: u64,
}

/// Asks the kernel what a session's process costs.
///
/// # Errors
/// The reason why it cannot be known.
pub(crate) fn cost(identity: &Identity) -> Result<Cost, String> {
    let pid = identity.pid;
    match start_ticks(pid) {
        Some(started) if started == identity.start_ticks => {}
        // The number is used by another process, or counted in another namespace.
        Some(_) => return Err(format!("process {pid} is another here: a container's session?")),
        None => return Err(format!("process {pid} is not visible here")),
    }
    let read = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    };
    let private_bytes = parse_private_bytes(&read("status")?).ok_or("the kernel tells no RssAnon")?;
    let cpu_ns = parse_cpu_ns(&read("schedstat")?).ok_or("the kernel tells no processor time")?;
    Ok(Cost {
        private_bytes,
        cpu_ns,
    })
}

fn parse_private_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1024)
}

/// The first field: nanoseconds of the main thread, the only one bash has.
fn parse_cpu_ns(schedstat: &str) -> Option<u64> {
    schedstat.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_memory() {
        fn check(status: &str, expect: Option<u64>) {
            assert_eq!(parse_private_bytes(status), expect, "{status}");
        }
        check(
            "Name:\tbash\nRssAnon:\t    1688 kB\nRssFile:\t 1 kB\n",
            Some(1688 * 1024),
        );
        check("Name:\tbash\n", None);
        check("RssAnon:\tmuch kB\n", None);
    }

    #[test]
    fn processor_time() {
        fn check(schedstat: &str, expect: Option<u64>) {
            assert_eq!(parse_cpu_ns(schedstat), expect, "{schedstat}");
        }
        check("123456 7890 12\n", Some(123_456));
        check("", None);
    }
}
