//! The round from prompt to prompt: what is told, logged and shared when a line begins and when one is accepted.
//!
//! Invariant: an accepted command is in the log before bash sees the line, or waits in memory for there to be room.

mod others;

use crate::attribution;
use crate::attribution::table::OWN_MAX;
use crate::cache::Account;
use crate::clock;
use crate::drafts;
use crate::file_size::as_error;
use crate::folders::Folders;
use crate::histfile::Named;
use crate::lle::{Lle, state};
use crate::prompt_clock::{self, PromptClock};
use crate::prompt_command;
use crate::prompt_text::{Acts, By, Private, PromptText, Unseen, acts};
use crate::rules::{self, Expanded};
use crate::shared_list;
use crate::theme::Role;
use crate::unparsed;
use crate::unseen;
use lle_core::history_builtin;
use lle_core::lever::{Cost, Lever};
use lle_log::history::{Cursor, History};
use lle_metrics::Parted;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Commands taken over from the log at start: what sessions that were killed had not written to HISTFILE.
const RECOVERED_MAX: usize = 500;

/// What is told after `history -c` or `-d`, which take nothing out of the log.
const TAKEN_OUT: &str =
    "what `history` took out of bash's list is still in the log of LLE, which suggests it";

/// What a prompt was spent on, until it is painted.
struct Due {
    /// What is divided by its names; none if nothing is.
    of: Option<Parted>,
    /// What the configuration's own command took, before the line began; none of the first prompt.
    configured_ns: Option<u64>,
    /// From the end of the command to the beginning of the line.
    before_ns: Option<u64>,
    /// When the line began, and when LLE had done what it does then.
    began: u64,
    ended: u64,
    /// What the history log took of that.
    history_ns: u64,
    /// What the parts of PS1 that are put off cost before.
    put_off_ns: u64,
}

/// What is under way between two prompts.
#[derive(Default)]
pub(crate) struct Round {
    /// The command that runs: its number in the log, and when it began.
    running: Option<(u64, u64)>,
    /// Bash was told to keep no history, as [`rules::keeps_nothing`] has it, when the prompt was shown.
    pub(crate) keeps_nothing: bool,
    /// Where bash keeps its own history, as it was written down last.
    pub(crate) named: Named,
    /// The first line of this command is private, so its further lines are.
    unlogged: bool,
    previous: Vec<u8>,
    /// What its further lines do to the shell, if it has any.
    more: Option<Acts>,
    /// The command that runs is the one before once more, and so not kept again.
    is_repeated: bool,
    /// What makes the prompt, as it was at the last one.
    prompt_text: PromptText,
    /// Those that prompts were shown in.
    folders: Folders,
    /// What is known of the line that ran, if nobody may see it.
    unseen: Unseen,
    /// The line went to an editor, and what came of it ran.
    pub(crate) edited: bool,
    cursor: Option<Cursor>,
    /// The first prompt is on its way to the screen, and [`Lle::settle_in`] has still to be called.
    pub(crate) starting: bool,
    /// What the prompt was spent on that is about to be painted.
    due: Option<Due>,
    /// The launcher's start-up files have been read.
    files_read: bool,
    /// Where the launcher wants to be told that a prompt was reached.
    pub(crate) start_dir: Option<std::path::PathBuf>,
    /// The launcher, if it said which program it is: then what stands beside the shared object is not this session's.
    pub(crate) program: Option<std::path::PathBuf>,
}

impl Lle {
    /// A `readline()` call has begun.
    pub(crate) fn line_begins(&mut self) {
        let bash = self.bash;
        // For the first line it can wait until the prompt is there.
        if self.hooks.armed() && self.session.reached_prompt() {
            self.commands.wrap(&bash);
        }
        if !bash.at_first_prompt() {
            return;
        }
        self.keep_parts(None);
        let spent = self.prompt_clock.prompt(clock::now());
        // SAFETY: a plain read.
        let status = unsafe { *bash.last_status };
        let began = clock::now();
        let ps1 = attribution::quietly(|| bash.variable(c"PS1")).unwrap_or_default();
        // What the prompt waited for what is put off is no part of what stands last in PS1.
        let (fork_ns, wait_ns) = self.parts.spent_ns();
        let divided = attribution::finish(began.saturating_sub(wait_ns), self.expanded_ps1(ps1));
        if divided == Some(Parted::Prompt) {
            self.mark_parts(self.expanded_ps1(ps1));
            self.session.runs_unseen(unseen::of(&bash));
        }
        let private = self.watch_prompt_text(ps1);
        if divided == Some(Parted::Prompt) {
            attribution::with_parts(|parts| parts.hide(private));
        }
        let blame = prompt_clock::blame(&bash, &spent, divided.is_some(), private);
        let ahead = self.keys_waiting();
        if ahead > 0 {
            self.session.typed_ahead(ahead);
        }
        let first = self.session.prompt(spent, status, &blame);
        if !first && (PromptClock::has_command() || !self.has_prompt_command()) {
            let folder = attribution::quietly(|| bash.variable(c"PWD")).unwrap_or_default();
            self.session
                .prompt_timed(spent, self.round.folders.number(folder));
        }
        if first {
            self.first_prompt();
        } else {
            crate::doubt::is_over();
        }
        prompt_command::is_over();
        let history_began = clock::now();
        if !first && self.session.retry_log() {
            self.log_is_there();
        }
        self.command_ended(status, spent.command);
        self.log_what_ran_instead(status);
        if self.declined == Some(crate::load::OTHER_LOCALE) {
            self.session
                .say_once(crate::load::OTHER_LOCALE, "readline paints");
        }
        // What was there when the log was opened, just now, bash's list has by its own file.
        if !first {
            self.share();
        }
        self.round.keeps_nothing = rules::keeps_nothing(&bash);
        if !(first && self.round.starting) {
            // Otherwise behind the first prompt.
            self.name_history_file();
        }
        let history_ns = clock::now().saturating_sub(history_began);
        self.prompt_for_idle(first);
        self.turn_levers();
        prompt_clock::hang(&bash);
        self.show_notices();
        self.round.due = Some(Due {
            of: divided,
            configured_ns: (!first).then(prompt_command::took_ns),
            before_ns: spent.prompt,
            began,
            history_ns,
            put_off_ns: fork_ns.saturating_add(wait_ns),
            ended: clock::now(),
        });
    }

    /// Whether bash runs something before a prompt. If it does and that was not timed, as at the first prompt after the
    /// variable was made, what is known of the prompt is its end alone.
    fn has_prompt_command(&self) -> bool {
        attribution::quietly(|| self.bash.variable(c"PROMPT_COMMAND"))
            .is_some_and(|command| !command.is_empty())
    }

    /// Notices that the command that ended may have changed what makes the prompt: if prompts take longer from now
    /// on, it is to be named. Gives what may not be named itself.
    fn watch_prompt_text(&mut self, ps1: &[u8]) -> Private {
        let command = attribution::quietly(|| self.bash.variable(c"PROMPT_COMMAND")).unwrap_or_default();
        let unseen = std::mem::take(&mut self.round.unseen);
        let by = By {
            // After an empty line, or one that nobody may see, nothing can be named.
            line: match self.round.running.is_some() || self.round.is_repeated {
                true => &self.round.previous[..],
                false => b"",
            },
            more: self.round.more.take(),
            unseen,
        };
        self.round.is_repeated = false;
        let set = self.round.prompt_text.private(command, ps1, unseen);
        if let Some(changed) = self.round.prompt_text.see(command, ps1, by) {
            self.session.prompt_changed(by.line, changed);
        }
        // What bash last printed may be the line that nobody may see.
        if self.settings.private || unseen != Unseen::No {
            Private::BOTH
        } else {
            set
        }
    }

    /// The prompt is on the screen, or readline is about to put it there: what it took, and on what, is recorded.
    /// `paint` is when its paint began.
    pub(crate) fn keep_parts(&mut self, paint: Option<u64>) {
        let Some(due) = self.round.due.take() else {
            return;
        };
        let end = paint.map_or(due.ended, |_| clock::now());
        // What is put off stands last: most prompts have none of it.
        let own: [_; OWN_MAX] = [
            ("history log", due.history_ns),
            (
                "the rest of LLE",
                (due.ended - due.began).saturating_sub(due.history_ns),
            ),
            ("paint", paint.map_or(0, |began| end.saturating_sub(began))),
            ("PS1, put off", due.put_off_ns),
        ];
        let [log, rest, paint, put_off] = own.map(|(_, ns)| ns);
        let own_ns = log + rest + paint;
        let before_ns = match due.of {
            Some(Parted::Start) => Some(due.began.saturating_sub(self.session.loaded_at())),
            _ => due.before_ns,
        };
        let divided = due.of.zip(before_ns.map(|before| before + own_ns));
        let told = if put_off > 0 { &own[..] } else { &own[..3] };
        let own_ns = due
            .configured_ns
            .map(|configured| own_ns.saturating_add(configured));
        self.session.prompt_took(own_ns, divided, told);
    }

    /// Puts the values of the levers in force that the line about to be typed is for.
    fn turn_levers(&mut self) {
        let levers = self.session.begin_line();
        let on_trial = self.session.arms.tries(Lever::NamesKeep);
        let began = clock::now();
        self.names.line_begins(&self.bash, &levers, on_trial);
        // Keeping names has its price here, and it counts.
        let spent = clock::now().saturating_sub(began);
        self.session.arms.spent(Cost::Highlight, spent);
        // What was completed may look otherwise after a command.
        self.completed.forget();
        self.completed.resize(levers.size(Lever::CompletionCacheEntries));
        let completion = Account::of(&self.completed, |kept| kept.answer.capacity());
        self.session.record_caches(self.names.account(), completion);
    }

    fn first_prompt(&mut self) {
        crate::instead::end(&self.bash);
        crate::replaced::end(&self.bash);
        if self.hooks.leaving() {
            return self.tell_launcher();
        }
        let bash = self.bash;
        let file = bash.variable(c"HISTFILE").filter(|f| !f.is_empty());
        self.session
            .open_history(file.map(|f| Path::new(OsStr::from_bytes(f))));
        self.session.size(bash.size());
        self.round.cursor = self.session.history.as_ref().map(History::cursor_at_end);
        self.round.starting = true;
        if !self.hooks.armed() {
            // Readline paints and reads: there is no later moment.
            self.settle_in(false);
        }
        self.tell_launcher();
        if self.session.has_others {
            self.session.take_drafts_over();
        }
        let drafts = self.session.places.drafts();
        let kept = drafts.map_or(0, |dir| as_error(|| drafts::take_news(&dir)));
        if kept > 0 {
            let lines = if kept == 1 { "a line was" } else { "lines were" };
            self.session.notice(format!(
                "lusush: {lines} being typed when a terminal closed or a shell died: `lle draft` shows it"
            ));
        }
    }

    /// Whether the launcher is still to be told of a first prompt: of none without readline, once the files are read.
    pub(crate) fn awaits_first_prompt(&self) -> bool {
        let sees_none = self.round.files_read && self.bash.flag(self.bash.no_line_editing);
        self.round.start_dir.is_some() && !self.session.reached_prompt() && !sees_none
    }

    /// Says that a prompt is there, and how far the start-up files were read.
    fn tell_launcher(&mut self) {
        let cut_short = attribution::was_cut_short();
        // Before the prompt: whoever sees one and closes the terminal at once must not make the start a failure.
        if let Some(dir) = &self.round.start_dir {
            let unparsed = attribution::unparsed();
            let text = match (cut_short, &unparsed) {
                (true, _) => "partial\n",
                (false, Some(_)) => "unparsed\n",
                (false, None) => "ready\n",
            };
            if let Err(e) = as_error(|| std::fs::write(dir.join("reached"), text)) {
                self.session.notice(format!(
                    "lusush: cannot record that your start-up files work: {e}"
                ));
            }
            if let Some((file, line)) = unparsed {
                let home = self.bash.variable(c"HOME").unwrap_or_default();
                let home = Path::new(OsStr::from_bytes(home));
                self.session.notice(unparsed::told(&file, line, dir, home));
            }
        }
        if self.round.start_dir.is_some() && cut_short {
            self.session.notice(interrupted());
        }
    }

    /// Does what a start needs and the prompt need not wait for: once, when the first prompt is on the screen and before
    /// the first key is read, which may wait for it.
    pub(crate) fn settle_in(&mut self, key_waits: bool) {
        if !std::mem::take(&mut self.round.starting) {
            return;
        }
        if self.hooks.armed() {
            self.commands.wrap(&self.bash);
            // It may wait for another session; the next prompt does it as well.
            if !key_waits {
                self.name_history_file();
            }
        }
        self.session.settle_in();
        if let Some(history) = &self.session.history {
            shared_list::add_missing(&self.bash, &history.unsaved(RECOVERED_MAX));
        }
    }

    /// Logs how the command that ran has ended.
    fn command_ended(&mut self, status: i32, duration: Option<u64>) {
        self.round.unlogged = false;
        let Some((seq, began)) = self.round.running.take() else {
            return;
        };
        let duration = duration.unwrap_or_else(|| clock::now().saturating_sub(began));
        if history_builtin::calls_with(&self.round.previous, b"cd") {
            self.session
                .say_once(TAKEN_OUT, "`maint history scrub TEXT` takes it out of both");
        }
        self.session.command_finished(seq, status, duration);
    }

    /// `C-x C-e` and `fc` run what an editor made of a command; bash's list has it as its newest entry. Logged after
    /// the fact, since nobody tells before.
    fn log_what_ran_instead(&mut self, status: i32) {
        let by_fc = self.round.previous.trim_ascii_start().starts_with(b"fc");
        if !(std::mem::take(&mut self.round.edited) || by_fc) || self.settings.private {
            return;
        }
        let Some(ran) = shared_list::newest(&self.bash).filter(|ran| *ran != self.round.previous) else {
            return;
        };
        if !rules::keeps(&self.bash, &ran, &self.round.previous) {
            return;
        }
        self.round.previous.clone_from(&ran);
        let cwd = self.bash.variable(c"PWD").unwrap_or_default();
        if let Some(seq) = self.session.command_started(clock::now(), cwd, &ran) {
            self.session.command_finished(seq, status, 0);
        }
    }

    /// Prints what there is to say, each message on rows of its own above the prompt.
    fn show_notices(&mut self) {
        let notices = self.session.take_notices();
        if notices.is_empty() {
            return;
        }
        let sgr = self.painter.theme.sgr(Role::Notice);
        for text in notices.iter().flat_map(|text| text.lines()) {
            let text: String = text
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            let _ = if sgr.is_empty() {
                write!(self.painter.out, "\r{text}\x1b[K\r\n")
            } else {
                write!(self.painter.out, "\r\x1b[{sgr}m{text}\x1b[0m\x1b[K\r\n")
            };
        }
    }

    /// A line was accepted; bash has not seen it yet.
    pub(crate) fn accepted(&mut self, line: &[u8]) {
        let bash = self.bash;
        let now = clock::now();
        if !bash.at_first_prompt() {
            self.continued(line);
            return;
        }
        crate::doubt::accepted(&bash);
        (self.round.more, self.round.is_repeated) = (None, false);
        self.prompt_clock.accepted(now);
        prompt_command::accepted();
        self.session.line_accepted();
        if line.trim_ascii().is_empty() {
            self.session.line_dropped();
            return;
        }
        let expanded = rules::expand(&bash, line);
        let runs = match &expanded {
            Expanded::Same => line,
            Expanded::Into(text) => text,
            Expanded::NotRun => {
                self.round.unlogged = true;
                self.session.line_dropped();
                return;
            }
        };
        let keeps = !self.settings.private
            && !self.round.keeps_nothing
            && line.first() != Some(&b' ')
            && rules::keeps(&bash, runs, &self.round.previous);
        self.session.command_begins(runs, keeps);
        self.round.unlogged = !keeps;
        // One that is not kept since it was kept just before hides nothing.
        self.round.is_repeated = !keeps && !self.settings.private && runs == self.round.previous;
        if !keeps && !self.round.is_repeated {
            self.round.unseen = Unseen::of(runs);
        }
        if !keeps {
            return;
        }
        self.round.previous.clear();
        self.round.previous.extend_from_slice(runs);
        let cwd = bash.variable(c"PWD").unwrap_or_default();
        let seq = self.session.command_started(now, cwd, runs);
        self.round.running = seq.map(|seq| (seq, now));
    }

    /// A further line of the same command, at PS2.
    fn continued(&mut self, line: &[u8]) {
        // It is typed no more: a shell that is killed while the command runs leaves no half of it behind.
        self.session.line_dropped();
        if self.round.unlogged || self.settings.private {
            self.round.unseen = self.round.unseen.max(Unseen::of(line));
            return;
        }
        self.round.more = self.round.more.max(Some(acts(line)));
        if let Some((seq, _)) = self.round.running {
            self.session.command_continued(seq, line);
        }
    }
}

/// The launcher's start-up files have been read: bash goes on with its history and the first prompt.
pub(crate) fn start_up_files_are_read() {
    let Some(lle) = state() else { return };
    lle.round.files_read = true;
    if !lle.hooks.leaving() {
        crate::builtin::internal::cap_list(lle);
    }
    // Without readline LLE sees no prompt.
    if let Some(dir) = &lle.round.start_dir
        && lle.bash.flag(lle.bash.no_line_editing)
    {
        let _ = as_error(|| std::fs::write(dir.join("reached"), "ready\n"));
    }
}

/// Says that the start-up files did not run to their end, and what to do if they never do.
fn interrupted() -> String {
    let place = attribution::start_came_to().map(|(file, line)| {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        let below = home.and_then(|home| Some(Path::new("~").join(file.strip_prefix(home).ok()?)));
        format!(", behind line {line} of {}", below.unwrap_or(file).display())
    });
    format!(
        "lusush: the start-up files were interrupted{}. To undo what changed: `lusush maint rc restore`",
        place.unwrap_or_default()
    )
}

/// The process ends by `exit(3)`: bash's own end, or a child's, whose session this is not.
pub(crate) extern "C" fn at_exit() {
    if let Some(lle) = state()
        && lle.owner == std::process::id()
    {
        lle.doubt_ends();
        lle.parts.stop();
        lle.session.end();
        lle.idle.wake.remove();
    }
}
