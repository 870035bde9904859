//! What a process costs right now, from `/proc`.

use std::fs;

use lle_metrics::Identity;
use lle_metrics::identity::start_ticks;

use crate::world::Cost;

/// Asks the kernel what a session's process costs.
///
/// # Errors
/// The reason why it cannot be known.
pub fn cost(identity: &Identity) -> Result<Cost, String> {
    let pid = identity.pid;
    match start_ticks(pid) {
        Some(started) if started == identity.start_ticks => {}
        // The number is used by another process, or counted in another namespace.
        Some(_) => return Err(format!("process {pid} is another here: a container's session?")),
        None => return Err(format!("process {pid} is not visible here")),
    }
    cost_of(pid)
}

/// Asks the kernel what the process of that number costs, whoever it is.
///
/// # Errors
/// The reason why it cannot be known.
pub fn cost_of(pid: u32) -> Result<Cost, String> {
    let read = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    };
    let rss_anon_bytes = parse_private_bytes(&read("status")?).ok_or("the kernel tells no RssAnon")?;
    let cpu_ns = parse_cpu_ns(&read("schedstat")?).ok_or("the kernel tells no processor time")?;
    Ok(Cost {
        cpu_ns,
        rss_anon_bytes,
    })
}

/// Processor time of the children that this process has waited for, and of theirs, in nanoseconds; 0 if the kernel
/// does not tell.
pub(crate) fn children_cpu_ns() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = parse_children_ticks(&stat).unwrap_or(0);
    ticks.saturating_mul(1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))
}

/// Fields 16 and 17. The second, the command's name, may hold spaces and brackets: count from its end.
fn parse_children_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(13);
    let (user, system) = (times.next()?, times.next()?);
    user.parse::<u64>().ok()?.checked_add(system.parse().ok()?)
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
    fn processor_time_of_children() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 30 12 15 16";
        assert_eq!(parse_children_ticks(stat), Some(42));
        assert_eq!(parse_children_ticks("12 (a"), None);
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
