//! The editor's state: one per bash, owned by the main thread, reached from readline's hooks.
//!
//! Invariant: no borrow of the state is held while bash runs code that can come back into LLE or `longjmp` past it:
//! signals, readline's own commands, `rl_forced_update_display`. Those calls stand in [`crate::hooks`] and
//! [`crate::keys`], outside every borrow and outside `catch_unwind`.

mod color;
mod prompt;

use crate::cache::Cache;
use crate::clock;
use crate::complete::{Completed, Job};
use crate::configured::Configured;
use crate::frame::Frame;
use crate::hooks::Hooks;
use crate::idle::Idle;
use crate::keys::Commands;
use crate::lexer::{End, Known, Lexer};
use crate::menu::Menu;
use crate::names::Names;
use crate::painter::Painter;
use crate::parts::Parts;
use crate::prompt_clock::PromptClock;
use crate::recall::Recall;
use crate::rounds::Round;
use crate::session::Session;
use crate::symbols::Bash;
use crate::theme::{Role, Theme};
use crate::view::{self, Below, Extent, Octal, Picture};
use lle_core::lever::Lever;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Lines longer than this are neither looked up in history nor checked name by name: they were pasted.
const LONG_LINE: usize = 8 * 1024;

/// What the user can switch, `lle set`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) suggest: bool,
    pub(crate) multiline: bool,
    pub(crate) highlight: bool,
    pub(crate) complete: bool,
    /// Ctrl-R searches the log.
    pub(crate) search: bool,
    /// Other sessions' commands come into bash's own list.
    pub(crate) share: bool,
    /// Nothing typed is kept: not in history, draft or flight file.
    pub(crate) private: bool,
    /// What prompts spend their time on is recorded.
    pub(crate) attribute: bool,
}

/// Everything LLE knows.
pub(crate) struct Lle {
    pub(crate) bash: Bash,
    pub(crate) hooks: Hooks,
    pub(crate) commands: Commands,
    pub(crate) painter: Painter,
    pub(crate) settings: Settings,
    pub(crate) configured: Configured,
    pub(crate) session: Session,
    pub(crate) menu: Option<Menu>,
    pub(crate) job: Option<Job>,
    /// A search as one types, by Ctrl-R.
    pub(crate) recall: Option<Box<Recall>>,
    /// What the one before was for.
    pub(crate) last_search: Vec<u8>,
    /// What completions answered, for the line being typed.
    pub(crate) completed: Cache<Completed>,
    pub(crate) prompt_clock: PromptClock,
    /// What of the user's own prompt is put off.
    pub(crate) parts: Parts,
    pub(crate) round: Round,
    pub(crate) idle: Idle,
    /// The rest of a history entry, shown grey after the text.
    pub(crate) suggestion: Vec<u8>,
    pub(crate) names: Names,
    pub(crate) extent: Extent,
    /// A change of the text is not yet on the screen, since more keys were waiting.
    pub(crate) owed: bool,
    /// When the key that is being worked on arrived; 0 for none.
    pub(crate) key_at: u64,
    /// How often the shell had forked by then.
    pub(crate) key_forks: u64,
    /// The locale's characters are UTF-8.
    pub(crate) utf8: bool,
    octal: Octal,
    frame: Frame,
    /// The prompt's last row as it was laid out, its bytes, and those of the time before.
    prompt_frame: Frame,
    prompt_row: Vec<u8>,
    prompt_row_before: Vec<u8>,
    /// The newest command that goes on from what was typed when it was searched for.
    suggested: Vec<u8>,
    /// A name in the line has not been looked for on PATH, or the suggestion not been searched.
    pub(crate) names_open: bool,
    search_open: bool,
    lexer: Lexer,
    roles: Vec<Role>,
    /// The line that the roles belong to.
    colored: Vec<u8>,
    /// Why LLE leaves this terminal to readline.
    pub(crate) declined: Option<&'static str>,
    /// The user, or a panic, switched LLE off.
    pub(crate) switched_off: bool,
    /// The text is a history entry, changed. Readline forgets that before an accepted line is shown for the last time.
    modified: bool,
    /// The prompt shown was a message while readline was in a state that has one.
    in_message: bool,
    /// The user chose the theme by `lle theme`.
    pub(crate) theme_chosen: bool,
    /// The last completion changed the line, or has not answered: the next Tab completes, and does not list.
    pub(crate) completion_changed: bool,
    /// The next Tab is for readline's own completion: LLE's wants the terminal.
    pub(crate) complete_in_shell: bool,
    /// The process this session is; forked children are not.
    pub(crate) owner: u32,
    /// What private mode found switched on, to be switched on again.
    recorded_before: (libc::c_int, libc::c_int),
}

static STATE: AtomicPtr<Lle> = AtomicPtr::new(std::ptr::null_mut());

/// Gives the state, once LLE is loaded.
///
/// The caller ends the borrow before anything the module's invariant names.
pub(crate) fn state() -> Option<&'static mut Lle> {
    // SAFETY: the pointer is null or a leaked box; bash has one thread, and the invariant above keeps borrows apart.
    unsafe { STATE.load(Ordering::Relaxed).as_mut() }
}

/// Installs the state; it lives as long as the process.
pub(crate) fn install(lle: Lle) {
    STATE.store(Box::leak(Box::new(lle)), Ordering::Relaxed);
}

impl Lle {
    pub(crate) fn new(bash: Bash, session: Session, theme: &'static Theme, utf8: bool) -> Self {
        Self {
            hooks: Hooks::new(),
            commands: Commands::default(),
            painter: Painter::new(theme),
            settings: Settings {
                suggest: true,
                multiline: true,
                highlight: true,
                complete: true,
                search: true,
                share: true,
                private: false,
                attribute: true,
            },
            configured: Configured::default(),
            session,
            menu: None,
            job: None,
            recall: None,
            last_search: Vec::new(),
            completed: Cache::new(0),
            prompt_clock: PromptClock::default(),
            parts: Parts::new(),
            round: Round::default(),
            idle: Idle::default(),
            suggestion: Vec::new(),
            names: Names::default(),
            extent: Extent::default(),
            owed: false,
            key_at: 0,
            key_forks: 0,
            utf8,
            octal: Octal::Nothing,
            frame: Frame::default(),
            prompt_frame: Frame::default(),
            prompt_row: Vec::new(),
            prompt_row_before: Vec::new(),
            suggested: Vec::new(),
            names_open: false,
            search_open: false,
            lexer: Lexer::default(),
            roles: Vec::new(),
            colored: Vec::new(),
            declined: None,
            switched_off: false,
            modified: false,
            in_message: false,
            theme_chosen: false,
            completion_changed: false,
            complete_in_shell: false,
            owner: std::process::id(),
            recorded_before: (1, 1),
            bash,
        }
    }

    /// Brings the screen up to date with readline's text. Calls nothing that comes back.
    ///
    /// Only what is known at once is shown; [`Lle::enrich`] adds what has to be looked up, while no key waits.
    pub(crate) fn paint(&mut self) {
        self.owed = false;
        if self.recall.is_some() {
            return self.paint_recall();
        }
        let instructions = self.session.instructions();
        let began = clock::now();
        let line = self.bash.line();
        if self.goes_on_with_word(line) {
            self.color_as_before(line);
        } else if line.len() < self.session.levers.size(Lever::HighlightFullBelowBytes) {
            self.color(line, false, began);
        } else {
            self.color_later(line);
        }
        self.keep_suggestion(line);
        self.drop_stale_menu(line);
        let written = self.show(line, self.bash.point());
        self.session.added_instructions(instructions);
        let hidden = self.draft_is_hidden(line);
        let suggested = !self.suggestion.is_empty();
        // What a key starts takes its own time: a completion, or whatever `bind -x` runs. It is no time of the editor's.
        let ran_programs = crate::attribution::forks() != self.key_forks;
        let key_at = if ran_programs { 0 } else { self.key_at };
        self.session
            .painted((key_at, began), written, line, hidden, suggested);
        self.key_at = 0;
        self.keep_parts(Some(began));
    }

    /// True if nobody else may see the line: private mode, bash keeps no history, a leading blank, or no command at all but an answer to
    /// `read -e`.
    pub(crate) fn draft_is_hidden(&self, line: &[u8]) -> bool {
        let is_private = self.settings.private || self.round.keeps_nothing;
        is_private || line.first() == Some(&b' ') || !self.bash.reads_commands()
    }

    /// Looks up what the last paint left open, names on PATH and the suggestion, and paints again if that changes
    /// anything. Called when no key waits; in the middle of a command of several keys it waits for its end, since the
    /// text may be half changed.
    pub(crate) fn enrich(&mut self) {
        if !self.owes_lookups() {
            return;
        }
        let (names, search) = (
            std::mem::take(&mut self.names_open),
            std::mem::take(&mut self.search_open),
        );
        if !self.painter.is_valid() {
            return;
        }
        let line = self.bash.line();
        if names {
            self.color(line, true, clock::now());
        }
        if search {
            self.session.suggest(line, &mut self.suggested);
            self.keep_suggestion(line);
            self.search_open = false;
        }
        self.show(line, self.bash.point());
    }

    /// True if the last paint left something for [`Lle::enrich`] to look up.
    pub(crate) fn owes_lookups(&self) -> bool {
        (self.names_open || self.search_open) && self.bash.is(crate::abi::state::READCMD)
    }

    /// Shows the line as it is under what is in force now: the theme, colours and suggestion. Called when no key waits.
    pub(crate) fn paint_again(&mut self) {
        if !self.hooks.armed() || !self.painter.is_valid() {
            return;
        }
        let line = self.bash.line();
        if line.len() < self.session.levers.size(Lever::HighlightFullBelowBytes) {
            self.color(line, true, clock::now());
        } else {
            self.color_later(line);
        }
        self.keep_suggestion(line);
        self.show(line, self.bash.point());
        self.enrich();
    }

    /// Takes note that a key is read for the message that is shown.
    pub(crate) fn note_message(&mut self) {
        self.in_message |= self.bash.is(crate::abi::state::MESSAGES) && !self.bash.prompt_is_own();
    }

    /// After some searches readline's pointer stays at the message of what is over, while readline itself shows the
    /// prompt again; LLE goes by the pointer, so it is set right.
    fn end_stale_message(&mut self) {
        if self.bash.prompt_is_own() {
            self.in_message = false;
        } else if self.bash.is(crate::abi::state::MESSAGES) {
            self.in_message = true;
        } else if std::mem::take(&mut self.in_message) {
            self.bash.show_own_prompt();
        }
    }

    /// Shows a line as the state says; gives the bytes written.
    pub(crate) fn show(&mut self, line: &[u8], point: usize) -> usize {
        self.end_stale_message();
        let bash = self.bash;
        let size = bash.size();
        self.lay_prompt(size);
        self.begin(size);
        let home = || bash.variable(c"HOME").unwrap_or_default();
        let (region, below) = match (&self.recall, &self.menu) {
            (Some(recall), _) => (recall.matched(), Below::List(recall.list(home()))),
            (None, Some(menu)) => (bash.region(), Below::Menu(menu)),
            (None, None) => (bash.region(), Below::Nothing),
        };
        let picture = Picture {
            prompt: &self.prompt_frame,
            line,
            roles: &self.roles,
            point,
            region,
            suggestion: &self.suggestion,
            below,
            size,
            utf8: self.utf8,
            octal: self.octal,
        };
        self.extent = view::compose(&mut self.frame, &picture, &mut self.painter.marks);
        self.painter.paint(&mut self.frame);
        let written = self.flush();
        self.tell_readline();
        written
    }

    /// Says whether Enter may submit the line.
    pub(crate) fn line_end(&mut self, line: &[u8]) -> End {
        self.colored.clear();
        self.lexer.lex(line, &mut self.roles, |_| Known::Unasked)
    }

    /// Keeps the suggestion if it still goes on from the text; otherwise leaves the search open.
    fn keep_suggestion(&mut self, line: &[u8]) {
        self.suggestion.clear();
        self.search_open = false;
        if !self.wants_suggestion(line) {
            return;
        }
        match self.suggested.strip_prefix(line) {
            Some(rest) if !rest.is_empty() => self.suggestion.extend_from_slice(rest),
            _ => self.search_open = true,
        }
    }

    fn wants_suggestion(&self, line: &[u8]) -> bool {
        use crate::abi::state::{NUMERICARG, SEARCHING};
        let bash = &self.bash;
        self.settings.suggest
            && !line.is_empty()
            && line.len() <= LONG_LINE
            && bash.point() == line.len()
            && bash.at_first_prompt()
            && bash.prompt_is_own()
            && self.menu.is_none()
            && !bash.is_done()
            && !bash.is(SEARCHING | NUMERICARG)
            && !bash.in_vi_command_mode()
    }

    fn drop_stale_menu(&mut self, line: &[u8]) {
        let point = self.bash.point();
        if self
            .menu
            .as_ref()
            .is_some_and(|m| m.line != line || m.point != point)
        {
            self.menu = None;
        }
    }

    /// True if the cursor was put on a fresh row by somebody else: LLE always leaves readline's column at 1 or more.
    pub(crate) fn starts_fresh_row(&self) -> bool {
        // SAFETY: a plain read; see readline.rs.
        unsafe { *self.bash.last_c_pos == 0 }
    }

    /// Writes what the painter has; gives the bytes.
    pub(crate) fn flush(&mut self) -> usize {
        let n = self.painter.out.len();
        write_all(self.bash.out_fd(), &self.painter.out);
        self.painter.out.clear();
        n
    }

    /// Keeps readline's own idea of the screen true, so that what it still does itself lands right.
    fn tell_readline(&self) {
        let pos = self.painter.pos();
        let int = |n: usize| libc::c_int::try_from(n).unwrap_or(0);
        // SAFETY: plain writes to readline's display variables. The column is at least 1: 0 is how a fresh row is told.
        unsafe {
            *self.bash.last_c_pos = int(pos.col).max(1);
            *self.bash.last_v_pos = int(pos.row);
            *self.bash.vis_botlin = int(self.extent.text_rows) - 1;
            *self.bash.display_fixed = 0;
        }
    }

    /// Shows the line once more as it was accepted: without suggestion or menu, the cursor at its end.
    pub(crate) fn paint_last(&mut self, line: &[u8]) {
        self.color(line, true, clock::now());
        self.show(line, line.len());
    }

    /// Switches private mode: neither the log nor bash's own list nor the draft keeps what is typed.
    pub(crate) fn set_private(&mut self, on: bool) {
        self.settings.private = on;
        let (Some(remember), Some(list)) = (self.bash.remember_on_history, self.bash.enable_history_list)
        else {
            return;
        };
        // SAFETY: bash's own flags, as `set +o history` sets them.
        unsafe {
            if on {
                self.recorded_before = (*remember, *list);
                (*remember, *list) = (0, 0);
            } else {
                (*remember, *list) = self.recorded_before;
            }
        }
    }

    /// Takes over what the shell's variables say now: start-up files and users set them after LLE was loaded.
    pub(crate) fn follow_environment(&mut self) {
        let environment = crate::load::environment(&self.bash);
        self.declined = environment.declined;
        self.utf8 = environment.utf8;
        self.octal = environment.octal;
        self.configure();
    }

    /// Closes whatever hangs on the line being typed: menu, completion, suggestion.
    pub(crate) fn drop_line_state(&mut self) {
        self.menu = None;
        self.recall = None;
        self.suggestion.clear();
        self.suggested.clear();
        (self.names_open, self.search_open) = (false, false);
        if let Some(job) = self.job.take() {
            job.cancel();
        }
    }
}

/// Writes everything, waiting where the terminal is slow; a terminal that is gone ends it.
pub(crate) fn write_all(fd: libc::c_int, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the pointer and length are of one slice.
        let n = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(n) {
            Ok(n) => bytes = &bytes[n..],
            Err(_) => match std::io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN) => {
                    let mut wait = libc::pollfd {
                        fd,
                        events: libc::POLLOUT,
                        revents: 0,
                    };
                    // SAFETY: one valid pollfd.
                    unsafe { libc::poll(&raw mut wait, 1, -1) };
                }
                _ => return,
            },
        }
    }
}
