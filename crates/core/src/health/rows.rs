//! The table of metrics.
//!
//! Absolute limits say what is bad for anybody; they are wide, since what is usual for a user is learned.

use lle_metrics::{Counter, Gauge, Timer};

use super::component::Component::{self, *};
use super::metric::{CachePart, Limits, Metric, Source, Statistic, Unit, Wording, WorkerFact};
use crate::severity::Severity;

const MS: f64 = 1e6;
const MIB: f64 = 1024.0 * 1024.0;

const fn row(name: &'static str, unit: Unit, component: Component, source: Source) -> Metric {
    Metric {
        name,
        unit,
        component,
        source,
        limits: None,
    }
}

impl Metric {
    const fn limited(self, limits: Limits) -> Metric {
        Metric {
            limits: Some(limits),
            ..self
        }
    }
}

impl Limits {
    /// Slow from `warn_ms` on, or from three times the usual; worse from `critical_ms` or thirty times on. Three times
    /// is what people notice; two happens by itself on a loaded machine.
    const fn slow(
        key: &'static str,
        what: &'static str,
        ms: (f64, f64, f64),
        remedy: &'static str,
    ) -> Limits {
        let (warn_ms, critical_ms, least_ms) = ms;
        Limits {
            key,
            wording: Wording::Last(what),
            warn: Some(warn_ms * MS),
            critical: Some(critical_ms * MS),
            times_warn: Some(3.0),
            times_critical: Some(30.0),
            least: least_ms * MS,
            severity: Severity::Warning,
            worse: Severity::Major,
            remedy,
        }
    }

    /// From `warn` on, whatever is usual.
    const fn from(
        key: &'static str,
        wording: Wording,
        warn: f64,
        severity: Severity,
        remedy: &'static str,
    ) -> Limits {
        Limits {
            key,
            wording,
            warn: Some(warn),
            critical: None,
            times_warn: None,
            times_critical: None,
            least: 0.0,
            severity,
            worse: severity,
            remedy,
        }
    }

    const fn worse_from(self, critical: f64, worse: Severity) -> Limits {
        Limits {
            critical: Some(critical),
            worse,
            ..self
        }
    }

    /// Only the absolute limit makes it worse: many times very little is still little.
    const fn never_worse_by_times(self) -> Limits {
        Limits {
            times_critical: None,
            ..self
        }
    }
}

/// The four statistics of a timer over the window, and the mean of its last samples, which is what is judged.
macro_rules! table {
    ($($timer:ident, $component:ident, $stem:literal, $limits:expr;)* => $($more:expr,)*) => {
        /// Every metric there is.
        pub static METRICS: &[Metric] = &[
            $(
                row(concat!($stem, "_ns_mean"), Unit::Nanoseconds, $component, Source::Timer(Timer::$timer, Statistic::Mean)),
                row(concat!($stem, "_ns_max"), Unit::Nanoseconds, $component, Source::Timer(Timer::$timer, Statistic::Max)),
                row(concat!($stem, "_ns_p50"), Unit::Nanoseconds, $component, Source::Timer(Timer::$timer, Statistic::P50)),
                row(concat!($stem, "_ns_p99"), Unit::Nanoseconds, $component, Source::Timer(Timer::$timer, Statistic::P99)),
                Metric {
                    limits: $limits,
                    ..row(concat!($stem, "_ns_recent"), Unit::Nanoseconds, $component, Source::Recent(Timer::$timer))
                },
            )*
            $($more,)*
        ];
    };
}

const PROMPT_REMEDY: &str = "`declare -p PROMPT_COMMAND PS1` shows what runs before each prompt; take the slow part out \
     or let it run in the background, then `lusush maint health` shows the difference";
const HISTORY_REMEDY: &str = "`lusush doctor` says whether the history log can be written, and by whom";
const CONTROL_REMEDY: &str = "`lusush maint audit show` lists who asked for what";

table! {
    KeyToPaint, Display, "key_to_paint", Some(Limits::slow("display.slow", "a key takes", (16.0, 100.0, 5.0),
        "`lle set highlight off` in the session tells whether colouring is the cause; `lusush maint health` shows its share"));
    Highlight, Syntax, "highlight", Some(Limits::slow("syntax.slow", "colouring a change takes", (8.0, 50.0, 4.0),
        "`lle set highlight off` switches colouring off in the session"));
    Suggestion, Autosuggestion, "suggestion", Some(Limits::slow("suggestion.slow", "finding a suggestion takes",
        (50.0, 500.0, 20.0), "`lle set suggest off` switches suggestions off in the session"));
    Completion, Completion, "completion", Some(Limits::slow("completion.slow", "a completion takes",
        (500.0, 3_000.0, 100.0), "`complete -p` lists what completes which command; a function in it is slow"));
    HistorySearch, History, "history_search", Some(Limits::slow("history.slow", "a search of the history takes",
        (50.0, 500.0, 20.0), "`lusush doctor` shows the size of the history log"));
    HistoryAppend, Storage, "history_append", Some(Limits::slow("storage.slow", "writing a history record takes",
        (20.0, 500.0, 5.0), "`df` and `mount` show which disk holds the state folder; `lusush doctor` names the folder"));
    Prompt, Prompt, "prompt", Some(Limits::slow("prompt.slow", "prompt takes", (200.0, 2_000.0, 30.0), PROMPT_REMEDY)
        .never_worse_by_times());
    PromptCommand, Prompt, "prompt_command", None;
    PromptExpand, Prompt, "prompt_expand", None;
    Command, Host, "command", None;
    =>
    row("plugin_call_ns_p99", Unit::Nanoseconds, Plugins, Source::Nothing("plugins are not built yet")),
    row("paint_bytes_p99", Unit::Bytes, Terminal, Source::Timer(Timer::PaintBytes, Statistic::P99)).limited(Limits::from(
        "terminal.flooded", Wording::Last("one paint in a hundred writes"), 256.0 * 1024.0, Severity::Warning,
        "`stty size` tells whether the terminal is as large as it says")),
    row("terminal_resizes_per_s", Unit::PerSecond, Terminal, Source::Rate(Counter::Resizes)),
    row("line_buffer_bytes", Unit::Bytes, Buffer, Source::Nothing("the line belongs to readline, which counts nothing")),
    row("keys_per_s", Unit::PerSecond, Event, Source::Rate(Counter::Keys)),
    row("commands_per_s", Unit::PerSecond, Event, Source::Rate(Counter::Commands)),
    row("paints_per_s", Unit::PerSecond, Display, Source::Rate(Counter::Paints)),
    row("idle_wakeups_per_s", Unit::PerSecond, Event, Source::IdleWakeups).limited(Limits::from(
        "event.wakeups", Wording::Last("an idle session wakes up"), 5.0, Severity::Warning,
        "`lusush doctor` in that session; `lle off` stops it").worse_from(100.0, Severity::Minor)),
    row("cpu_percent", Unit::Percent, Host, Source::Cpu),
    row("idle_cpu_percent", Unit::Percent, Event, Source::IdleCpu).limited(Limits::from(
        "event.busy", Wording::Last("an idle session takes of a processor"), 5.0, Severity::Warning,
        "`lle off` in that session; if it stays busy, `ps -o pid,time,cmd` shows what of bash is")
        .worse_from(50.0, Severity::Major)),
    row("rss_anon_bytes", Unit::Bytes, Memory, Source::RssAnon).limited(Limits {
        times_warn: Some(4.0),
        least: 64.0 * MIB,
        ..Limits::from("memory.large", Wording::Last("private memory is"), 512.0 * MIB, Severity::Warning,
            "`lusush maint run memory-defrag` gives back what is free; `declare -p | wc -c` shows what variables hold")
            .worse_from(4_096.0 * MIB, Severity::Major)
    }),
    row("rss_peak_bytes", Unit::Bytes, Memory, Source::RssPeak),
    row("malloc_used_bytes", Unit::Bytes, Memory, Source::Gauge(Gauge::MallocUsedBytes)),
    row("malloc_free_bytes", Unit::Bytes, Memory, Source::Gauge(Gauge::MallocFreeBytes)).limited(Limits::from(
        "memory.fragmented", Wording::Last("the allocator holds for nothing"), 16.0 * MIB, Severity::Warning,
        "`lusush maint run memory-defrag` gives it back")),
    row("fragmentation_percent", Unit::Percent, Memory, Source::FreeShare),
    row("idle_floor_growth", Unit::BytesPerHour, Memory, Source::FloorGrowth).limited(Limits::from(
        "memory.leak", Wording::Last("the memory of an idle session grows by"), 4.0 * MIB, Severity::Warning,
        "`exec lusush` starts the shell anew in the same terminal; `lusush maint health` shows which session grows")
        .worse_from(64.0 * MIB, Severity::Major)),
    row("pool_hit_percent", Unit::Percent, Memory, Source::Nothing("there are no pools of our own, and glibc tells no hit rate")),
    row("cache_hits", Unit::Count, Cache, Source::Caches(CachePart::Hits)),
    row("cache_misses", Unit::Count, Cache, Source::Caches(CachePart::Misses)),
    row("cache_bytes", Unit::Bytes, Cache, Source::Caches(CachePart::Bytes)).limited(Limits::from(
        "cache.large", Wording::Last("the caches of a session take"), 4.0 * MIB, Severity::Warning,
        "`lusush maint optimize --history` shows how many entries each may have, `--reset` makes one small again")),
    row("names_cache_hit_percent", Unit::Percent, Cache, Source::CacheHits(0)),
    row("suggestion_cache_hit_percent", Unit::Percent, Cache, Source::CacheHits(1)),
    row("completion_cache_hit_percent", Unit::Percent, Cache, Source::CacheHits(2)),
    row("caches_wrong", Unit::Count, Cache, Source::Gauge(Gauge::CachesWrong)).limited(Limits::from(
        "cache.wrong", Wording::First("entries of caches were wrong when they were checked"), 10.0, Severity::Warning,
        "`lusush maint optimize --reset names.keep` forgets them at each prompt")),
    row("history_append_failures", Unit::Count, History, Source::Grown(Counter::HistoryAppendFailures)).limited(Limits::from(
        "history.failed", Wording::First("history records could not be written in the last minute"), 1.0, Severity::Major,
        HISTORY_REMEDY)),
    row("history_damaged", Unit::Count, History, Source::Grown(Counter::HistoryDamaged)).limited(Limits::from(
        "history.damaged", Wording::First("damaged history records were met in the last minute"), 1.0, Severity::Minor,
        HISTORY_REMEDY)),
    row("completions_late", Unit::Count, Completion, Source::Grown(Counter::CompletionsLate)).limited(Limits::from(
        "completion.late", Wording::First("completions missed their deadline in the last minute"), 3.0, Severity::Warning,
        "`complete -p` lists what completes which command; a function in it is slow")),
    row("completions_failed", Unit::Count, Completion, Source::Grown(Counter::CompletionsFailed)).limited(Limits::from(
        "completion.failed", Wording::First("completions failed in the last minute"), 3.0, Severity::Minor,
        "`complete -p` lists what completes which command; a function in it fails")),
    row("path_lookups_too_slow", Unit::Count, Syntax, Source::Grown(Counter::PathLookupTooSlow)).limited(Limits::from(
        "syntax.path", Wording::First("look-ups were given up in the last minute: a directory in PATH is slow"), 1.0,
        Severity::Warning, "`time ls` on each directory of `echo $PATH` finds it")),
    row("suggestions_shown", Unit::Count, Autosuggestion, Source::Grown(Counter::SuggestionsShown)),
    row("suggestions_accepted", Unit::Count, Autosuggestion, Source::Grown(Counter::SuggestionsAccepted)),
    row("menus_opened", Unit::Count, Completion, Source::Grown(Counter::MenuOpened)),
    row("panics", Unit::Count, Display, Source::Grown(Counter::Panics)).limited(Limits::from(
        "display.panicked", Wording::First("panics inside LLE in the last minute; readline paints on"), 1.0, Severity::Major,
        "`lle on` switches it on again; `lusush doctor` shows what it was")),
    row("recoveries", Unit::Count, Display, Source::Grown(Counter::Fallbacks)).limited(Limits::from(
        "display.fallbacks", Wording::First("lines were handed back to readline in the last minute"), 3.0, Severity::Minor,
        "`lusush doctor` in that session says why")),
    row("memory_only", Unit::Flag, Storage, Source::Gauge(Gauge::MemoryOnly)).limited(Limits::from(
        "storage.memory_only", Wording::Alone("nothing is kept on disk"), 1.0, Severity::Major,
        "`lusush doctor` says which folder cannot be written; `df` whether the disk is full")),
    row("config_lag", Unit::Count, Config, Source::ConfigLag).limited(Limits::from(
        "config.lag", Wording::First("versions of the configuration wait to be applied in an idle session"), 1.0,
        Severity::Info, "press Enter there; `lusush maint status` shows what each session applied")
        .worse_from(3.0, Severity::Warning)),
    row("off", Unit::Flag, Host, Source::Off).limited(Limits::from(
        "host.off", Wording::Alone("LLE is switched off"), 1.0, Severity::Info, "`lle on` switches it on again")),
    row("uptime_ns", Unit::Nanoseconds, Host, Source::Uptime),
    row("active_plugins", Unit::Count, Plugins, Source::Nothing("plugins are not built yet")),
    row("active_widgets", Unit::Count, Plugins, Source::Nothing("plugins are not built yet")),
    row("worker_cpu_percent", Unit::Percent, Event, Source::Worker(WorkerFact::Cpu)).limited(Limits::from(
        "worker.busy", Wording::Last("the worker takes of a processor"), 5.0, Severity::Warning,
        "`lusush maint tasks` shows what it does; `lusush maint pause` stops it").worse_from(50.0, Severity::Major)),
    row("worker_rss_anon_bytes", Unit::Bytes, Memory, Source::Worker(WorkerFact::RssAnon)).limited(Limits::from(
        "worker.large", Wording::Last("the worker's private memory is"), 16.0 * MIB, Severity::Warning,
        "`lusush maint stop` and `lusush maint start` begin anew").worse_from(128.0 * MIB, Severity::Major)),
    row("worker_uptime_ns", Unit::Nanoseconds, Event, Source::Worker(WorkerFact::Uptime)),
    row("worker_panics", Unit::Count, Event, Source::Worker(WorkerFact::Panics)).limited(Limits::from(
        "worker.panicked", Wording::First("panics inside the worker in the last hour"), 1.0, Severity::Major,
        "`lusush maint audit show` names the task")),
    row("worker_recoveries", Unit::Count, Event, Source::Worker(WorkerFact::Recoveries)),
    row("worker_damaged_records", Unit::Count, Storage, Source::Worker(WorkerFact::DamagedRecords)).limited(Limits::from(
        "storage.damaged", Wording::First("damaged records in the worker's logs"), 1.0, Severity::Major,
        "`lusush maint audit verify` finds them")),
    row("failed_authentications", Unit::Count, Host, Source::Worker(WorkerFact::FailedAuthentications)).limited(Limits::from(
        "security.strangers", Wording::First("strangers were turned away at the control socket in the last hour"), 1.0,
        Severity::Warning, CONTROL_REMEDY).worse_from(100.0, Severity::Major)),
    row("blocked_operations", Unit::Count, Host, Source::Worker(WorkerFact::BlockedOperations)).limited(Limits::from(
        "security.refused", Wording::First("operations were refused in the last hour"), 1.0, Severity::Info,
        CONTROL_REMEDY).worse_from(100.0, Severity::Warning)),
    row("security_events", Unit::Count, Host, Source::Worker(WorkerFact::SecurityEvents)).limited(Limits::from(
        "security.events", Wording::First("security findings in the last hour"), 1.0, Severity::Warning, CONTROL_REMEDY)),
}
