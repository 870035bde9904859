//! Everything that is measured, each in one line of one table.
//!
//! The order is part of the file format: rows are added at the end and never moved or removed. A reader
//! takes the number of rows from the file, so a session older than the reader merely lacks the last
//! ones.

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds of elapsed time.
    Nanoseconds,
    /// Nanoseconds since 1970, by the wall clock.
    WallNanoseconds,
    /// Bytes.
    Bytes,
    /// A plain number of things.
    Count,
    /// 0 or 1.
    Flag,
}

impl Unit {
    /// How far a value is shifted left before it is bucketed: buckets are exact from 64 upwards, and
    /// bytes per paint start at 1.
    pub const fn shift(self) -> u32 {
        match self {
            Unit::Bytes | Unit::Count => super::bucket::FLOOR_BITS,
            _ => 0,
        }
    }

    /// The symbol written behind a number, as OpenMetrics has it.
    pub const fn symbol(self) -> &'static str {
        match self {
            Unit::Nanoseconds | Unit::WallNanoseconds => "ns",
            Unit::Bytes => "bytes",
            Unit::Count => "1",
            Unit::Flag => "bool",
        }
    }
}

macro_rules! table {
    ($(#[$doc:meta])* $table:ident { $($row:ident, $name:literal, $unit:ident, $about:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum $table { $(#[doc = $about] $row,)* }

        impl $table {
            /// Every row, in file order.
            pub const ALL: &[$table] = &[$($table::$row,)*];

            /// The stable name in lower case with underscores.
            pub const fn name(self) -> &'static str {
                match self { $($table::$row => $name,)* }
            }

            /// What the value counts.
            pub const fn unit(self) -> Unit {
                match self { $($table::$row => Unit::$unit,)* }
            }

            /// One sentence on what is measured.
            pub const fn about(self) -> &'static str {
                match self { $($table::$row => $about,)* }
            }
        }
    };
}

table! {
    /// Distributions, kept as log-linear histograms.
    Timer {
        KeyToPaint,    "key_to_paint",    Nanoseconds, "From reading a key to its last byte written to the terminal.";
        Highlight,     "highlight",       Nanoseconds, "Colouring the line after one change.";
        Suggestion,    "suggestion",      Nanoseconds, "Finding the suggestion for the line.";
        Completion,    "completion",      Nanoseconds, "From Tab to the arrival of the candidates.";
        HistoryAppend, "history_append",  Nanoseconds, "One record written to the history log.";
        HistorySearch, "history_search",  Nanoseconds, "One search of the history log.";
        Prompt,        "prompt",          Nanoseconds, "From the end of a command to the next prompt shown.";
        PromptCommand, "prompt_command",  Nanoseconds, "The part of the prompt spent in PROMPT_COMMAND.";
        PromptExpand,  "prompt_expand",   Nanoseconds, "The part of the prompt spent expanding PS1.";
        Command,       "command",         Nanoseconds, "From accepting a command line to its end.";
        PaintBytes,    "paint_bytes",     Bytes,       "Bytes written to the terminal by one paint.";
        Start,         "start",           Nanoseconds, "From the exec of bash to the first prompt.";
        Record,        "record",          Nanoseconds, "What recording one key costs.";
    }
}

table! {
    /// Steps of what a timer measures as a whole: how often, how long in all, the last time and at most.
    Stage {
        Readline,       "readline",        Nanoseconds, "From reading a key to readline's wish to show the text.";
        Paint,          "paint",           Nanoseconds, "From that wish to the last byte written, colouring included.";
        CompletionFork, "completion_fork", Nanoseconds, "From Tab to the child that completes.";
        CompletionWork, "completion_work", Nanoseconds, "Bash's completion itself, in the child.";
        PromptOwn,      "prompt_own",      Nanoseconds, "The part of the prompt that LLE and what the configuration has it run take.";
    }
}

table! {
    /// Numbers that only grow.
    Counter {
        Keys,                  "keys",                    Count, "Keys read from the terminal.";
        Paints,                "paints",                  Count, "Paints of the line.";
        PaintBytes,            "paint_bytes",             Bytes, "Bytes written by all paints.";
        SuggestionsShown,      "suggestions_shown",       Count, "Suggestions shown.";
        SuggestionsAccepted,   "suggestions_accepted",    Count, "Suggestions accepted, whole or in part.";
        Completions,           "completions",             Count, "Completions asked for.";
        CompletionsLate,       "completions_late",        Count, "Completions that missed their deadline.";
        CompletionsFailed,     "completions_failed",      Count, "Completions whose child failed.";
        Commands,              "commands",                Count, "Command lines accepted.";
        HistoryAppends,        "history_appends",         Count, "Records written to the history log.";
        HistoryAppendFailures, "history_append_failures", Count, "Records that could not be written.";
        HistoryDamaged,        "history_damaged",         Count, "Damaged records met and skipped.";
        Resizes,               "resizes",                 Count, "Changes of the terminal's size.";
        Panics,                "panics",                  Count, "Panics inside LLE.";
        Fallbacks,             "fallbacks",               Count, "Times the line was handed back to readline.";
        Notices,               "notices",                 Count, "Messages shown above the prompt.";
        GetcPolls,             "getc_polls",              Count, "Waits for input; many without keys are idle wakeups.";
        TypeAheadKeys,         "type_ahead_keys",         Count, "Keys that were waiting before the prompt was.";
        MenuOpened,            "menu_opened",             Count, "Completion menus opened.";
        HighlightPathLookups,  "highlight_path_lookups",  Count, "Command names looked up in PATH to colour them.";
        PathLookupTooSlow,     "path_lookup_too_slow",    Count, "PATH look-ups given up because a directory is slow.";
        Trims,                 "trims",                   Count, "Times free memory was given back to the system.";
        WorkerStarts,          "worker_starts",           Count, "Times this session started the worker.";
        WorkerStartFailures,   "worker_start_failures",   Count, "Times this session could not start the worker.";
        Wakes,                 "wakes",                   Count, "Times another process woke this session.";
        PromptChanges,         "prompt_changes",          Count, "Commands that may have changed what makes the prompt.";
        SettingsRefused,       "settings_refused",        Count, "Settings that named no lever or value of this version.";
    }
}

table! {
    /// Values as they are now. One never set is unknown.
    Gauge {
        SeenWallNs,           "seen_wall_ns",            WallNanoseconds, "When the session last wrote anything here.";
        On,                   "on",                      Flag,            "LLE is in force.";
        Columns,              "columns",                 Count,           "Width of the terminal.";
        Rows,                 "rows",                    Count,           "Height of the terminal.";
        PrivateMode,          "private_mode",            Flag,            "Nothing typed is kept.";
        SuggestOn,            "suggest_on",              Flag,            "Suggestions are shown.";
        MultilineOn,          "multiline_on",            Flag,            "Enter on an incomplete command continues it.";
        HighlightOn,          "highlight_on",            Flag,            "The line is coloured.";
        LastStatus,           "last_status",             Count,           "Exit status of the last command.";
        CommandRunning,       "command_running",         Flag,            "A command is running.";
        CommandStartedWallNs, "command_started_wall_ns", WallNanoseconds, "When the running or last command started.";
        PromptLastNs,         "prompt_last_ns",          Nanoseconds,     "What the last prompt took.";
        PromptCommandLastNs,  "prompt_command_last_ns",  Nanoseconds,     "What PROMPT_COMMAND took of it.";
        PromptExpandLastNs,   "prompt_expand_last_ns",   Nanoseconds,     "What expanding PS1 took of it.";
        PromptBlameNs,        "prompt_blame_ns",         Nanoseconds,     "What the function blamed for it took.";
        InstructionsPerKey,   "instructions_per_key",    Count,           "Instructions LLE adds to one key; negative: unknown.";
        MemoryOnly,           "memory_only",             Flag,            "Nothing is kept on disk, for want of space or rights.";
        HistoryListCap,       "history_list_cap",        Count,           "Entries bash's own history list is held to.";
        ConfigGeneration,     "config_generation",       Count,           "Generation of the state last applied.";
        MallocArenaBytes,     "malloc_arena_bytes",      Bytes,           "What the allocator holds, used and free.";
        MallocUsedBytes,      "malloc_used_bytes",       Bytes,           "What of it is in use.";
        MallocFreeBytes,      "malloc_free_bytes",       Bytes,           "What of it is free.";
        AlertsShown,          "alerts_shown",            Count,           "Number of the last alert shown above the prompt.";
        TrimToken,            "trim_token",              Count,           "Number of the last trim asked for and dealt with.";
        TrimBeforeBytes,      "trim_before_bytes",       Bytes,           "Anonymous memory before that trim; negative: unknown.";
        TrimAfterBytes,       "trim_after_bytes",        Bytes,           "Anonymous memory after that trim; negative: unknown.";
        TrimNs,               "trim_ns",                 Nanoseconds,     "What that trim took; negative: not possible here.";
        TrialId,              "trial_id",                Count,           "Number of the trial that the following are of.";
        TrialPairs,           "trial_pairs",             Count,           "Pairs of lines compared, one with either value.";
        TrialLogSum,          "trial_log_sum",           Count,           "Sum of ln(candidate / current) over the pairs, in millionths.";
        TrialLogSquares,      "trial_log_squares",       Count,           "Sum of its squares, in millionths.";
        TrialCurrentNs,       "trial_current_ns",        Nanoseconds,     "Sum of the costs with the value in force, one a pair.";
        TrialCandidateNs,     "trial_candidate_ns",      Nanoseconds,     "Sum of the costs with the value tried, one a pair.";
        NamesCacheHits, "names_cache_hits", Count, "Questions that the names cache could answer.";
        NamesCacheMisses, "names_cache_misses", Count, "Questions that the names cache could not answer.";
        NamesCacheEvictions, "names_cache_evictions", Count, "Entries of the names cache that had to go for others.";
        NamesCacheGhostHits, "names_cache_ghost_hits", Count, "Misses of the names cache that more room would have made hits.";
        NamesCacheEntries, "names_cache_entries", Count, "Entries in the names cache.";
        NamesCacheBytes, "names_cache_bytes", Bytes, "Bytes in the names cache.";
        SuggestionCacheHits, "suggestion_cache_hits", Count, "Questions that the suggestion cache could answer.";
        SuggestionCacheMisses, "suggestion_cache_misses", Count, "Questions that the suggestion cache could not answer.";
        SuggestionCacheEvictions, "suggestion_cache_evictions", Count, "Entries of the suggestion cache that had to go for others.";
        SuggestionCacheGhostHits, "suggestion_cache_ghost_hits", Count, "Misses of the suggestion cache that more room would have made hits.";
        SuggestionCacheEntries, "suggestion_cache_entries", Count, "Entries in the suggestion cache.";
        SuggestionCacheBytes, "suggestion_cache_bytes", Bytes, "Bytes in the suggestion cache.";
        CompletionCacheHits, "completion_cache_hits", Count, "Questions that the completion cache could answer.";
        CompletionCacheMisses, "completion_cache_misses", Count, "Questions that the completion cache could not answer.";
        CompletionCacheEvictions, "completion_cache_evictions", Count, "Entries of the completion cache that had to go for others.";
        CompletionCacheGhostHits, "completion_cache_ghost_hits", Count, "Misses of the completion cache that more room would have made hits.";
        CompletionCacheEntries, "completion_cache_entries", Count, "Entries in the completion cache.";
        CompletionCacheBytes, "completion_cache_bytes", Bytes, "Bytes in the completion cache.";
        CachesChecked, "caches_checked", Count, "Entries of caches that were worked out anew to check them.";
        CachesWrong, "caches_wrong", Count, "Entries of those that were wrong.";
        AttributeOn,          "attribute_on",            Flag,            "What prompts spend their time on is recorded.";
        ConfigVersion,        "config_version",          Count,           "Version of the configuration that the session goes by.";
        ConfigBeganVersion,   "config_began_version",    Count,           "Version of the configuration that the session began with.";
        PartsCacheHits, "parts_cache_hits", Count, "Parts of a prompt that were shown older.";
        PartsCacheMisses, "parts_cache_misses", Count, "Parts of a prompt that nothing was known of yet in their folder.";
        PartsCacheEvictions, "parts_cache_evictions", Count, "Values of parts that had to go for others.";
        PartsCacheGhostHits, "parts_cache_ghost_hits", Count, "Unknown parts that more room would have kept.";
        PartsCacheEntries, "parts_cache_entries", Count, "Values of parts that are kept.";
        PartsCacheBytes, "parts_cache_bytes", Bytes, "Bytes of the values of parts.";
        PartsPrompts, "parts_prompts", Count, "Prompts of which a part was put off.";
        PartsFresh, "parts_fresh", Count, "Parts that came within the wait.";
        PartsLate, "parts_late", Count, "Parts that came when the prompt was shown.";
        PartsDiffered, "parts_differed", Count, "Parts that came then and were other than what was shown.";
        PartsGivenUp, "parts_given_up", Count, "Prompts whose parts never came: the line was quicker, or they were too slow.";
        PartsWorkNs, "parts_work_ns", Nanoseconds, "What the parts that came took in all.";
        PartsWaitedNs, "parts_waited_ns", Nanoseconds, "What their prompts spent on them in all.";
        PartsAgeNs, "parts_age_ns", Nanoseconds, "Age of the value that was shown older last.";
        PartsUnfit, "parts_unfit", Count, "Of the parts that may be put off, as bits in their order, those that fit nothing of PS1 that can be.";
        StartBeforeNs, "start_before_ns", Nanoseconds, "What the shell had taken before LLE was loaded.";
        PromptUnseen, "prompt_unseen", Count, "What runs besides the prompt and is not timed, as bits: PS0, PS2, a DEBUG trap.";
        TrialCurrentUsual, "trial_current_usual", Count, "Sum of the costs with the value in force, in thousandths of the usual, a line 64 times that at most.";
        TrialCandidateUsual, "trial_candidate_usual", Count, "Sum of the costs with the value tried, in the same.";
        TrialCurrentMost, "trial_current_most", Count, "The costliest line with the value in force, in the same.";
        TrialCandidateMost, "trial_candidate_most", Count, "The costliest line with the value tried, in the same.";
        TrialCurrentStalls, "trial_current_stalls", Count, "Lines with the value in force that took more than 16 times the usual.";
        TrialCandidateStalls, "trial_candidate_stalls", Count, "Lines with the value tried that took more than 16 times the usual.";
        PromptCommandSinceWallNs, "prompt_command_since_wall_ns", WallNanoseconds, "Since when the command of the configuration runs before the prompt; 0: it does not.";
        PromptCommandVersion, "prompt_command_version", Count, "Version of the configuration whose command that is; 0: it is a variable's.";
        PromptTextChanges, "prompt_text_changes", Count, "Commands that may have changed PS1 or PROMPT_COMMAND themselves, not only what they run.";
        PromptLooksAlone, "prompt_looks_alone", Count, "Which of the last commands that may have changed the prompt set how it looks and nothing else, as bits, the last one lowest.";
    }
}

table! {
    /// What the event ring tells of.
    EventKind {
        Started,           "started",             Count, "The session reached its first prompt.";
        Off,               "off",                 Count, "LLE was switched off.";
        On,                "on",                  Count, "LLE was switched on again.";
        Panic,             "panic",               Count, "LLE panicked; readline paints on.";
        Fallback,          "fallback",            Count, "The line was handed back to readline.";
        Notice,            "notice",              Count, "A message was shown above the prompt.";
        HistoryFailed,     "history_failed",      Count, "A history record could not be written; the code is errno.";
        HistoryDamaged,    "history_damaged",     Count, "Damaged history was met; the value is its bytes.";
        CompletionLate,    "completion_late",     Count, "A completion missed its deadline.";
        CompletionFailed,  "completion_failed",   Count, "A completion child failed; the code is its status.";
        SlowPrompt,        "slow_prompt",         Count, "A prompt was slow; the value is nanoseconds.";
        SlowPath,          "slow_path",           Count, "A PATH directory was too slow to look into.";
        MemoryOnly,        "memory_only",         Count, "Keeping things on disk failed; the code is errno.";
        Rehomed,           "rehomed",             Count, "The flight file was registered again.";
        Signal,            "signal",              Count, "A signal ended the session; the code is its number.";
        Ended,             "ended",               Count, "The session ended by itself; the code is its status.";
        PromptChanged,     "prompt_changed",      Count, "A command may have changed what makes the prompt; what is told of it.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_file_order_under_distinct_names() {
        fn check(rows: Vec<(usize, &str, &str)>) {
            for (at, (number, name, about)) in rows.iter().enumerate() {
                assert_eq!(at, *number, "{name}");
                assert!(about.ends_with('.'), "{name}: {about}");
                assert!(
                    rows.iter().filter(|row| row.1 == *name).count() == 1,
                    "{name} twice"
                );
            }
        }
        check(
            Timer::ALL
                .iter()
                .map(|row| (*row as usize, row.name(), row.about()))
                .collect(),
        );
        check(
            Stage::ALL
                .iter()
                .map(|row| (*row as usize, row.name(), row.about()))
                .collect(),
        );
        check(
            Counter::ALL
                .iter()
                .map(|row| (*row as usize, row.name(), row.about()))
                .collect(),
        );
        check(
            Gauge::ALL
                .iter()
                .map(|row| (*row as usize, row.name(), row.about()))
                .collect(),
        );
        check(
            EventKind::ALL
                .iter()
                .map(|row| (*row as usize, row.name(), row.about()))
                .collect(),
        );
    }
}
