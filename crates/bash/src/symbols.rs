//! What LLE takes from the bash it is loaded into, each name looked up with `dlsym`.
//!
//! Nothing is linked by name, for three reasons: a bash that misses a symbol is declined with a sentence instead
//! of a crash, `lle symbols` can say what was found, and the unit tests of this crate run without a bash.
//!
//! Invariant: a [`Bash`] exists only if every required symbol was found; optional ones are `Option`.

use crate::abi::{
    AttemptFn, Builtin, CommandFn, CompSpec, DisplayMatchesFn, Function, GetcFn, HistEntry, HookFn, Input,
    KeymapEntry, PrepFn, QuoteFn, ShellVar, VoidFn,
};
use libc::{FILE, c_char, c_int, c_ulong, c_void};

/// Declares the table once: the struct, the loader and the listing come from it.
macro_rules! symbols {
    (required { $($r:ident $rn:literal : $rt:ty = $rw:literal;)* } optional { $($o:ident $on:literal : $ot:ty = $ow:literal;)* }) => {
        /// The symbols of the running bash; see the table in this file for what each serves.
        #[allow(missing_docs)]
        #[derive(Clone, Copy)]
        pub(crate) struct Bash { $(pub(crate) $r: $rt,)* $(pub(crate) $o: Option<$ot>,)* }

        impl Bash {
            /// Looks every symbol up.
            ///
            /// # Errors
            /// The names of the required symbols that this bash does not export.
            pub(crate) fn find() -> Result<Self, Vec<&'static str>> {
                let mut missing = Vec::new();
                $(let $r = address($rn); if $r.is_null() { missing.push(name($rn)); })*
                if !missing.is_empty() { return Err(missing); }
                // SAFETY: every address is non-null and bash declares the symbol with the type given in the table,
                // unchanged in 5.1, 5.2 and 5.3; data symbols and functions both fit a pointer.
                Ok(unsafe { Self {
                    $($r: std::mem::transmute_copy::<*mut c_void, $rt>(&$r),)*
                    $($o: { let p = address($on); (!p.is_null()).then(|| std::mem::transmute_copy::<*mut c_void, $ot>(&p)) },)*
                } })
            }
        }

        /// Every symbol with what it is for, whether it is required, and whether this process exports it.
        pub(crate) fn listing() -> Vec<(&'static str, &'static str, bool, bool)> {
            vec![$((name($rn), $rw, true, !address($rn).is_null()),)* $((name($on), $ow, false, !address($on).is_null()),)*]
        }
    };
}

fn name(n: &'static std::ffi::CStr) -> &'static str {
    n.to_str().unwrap_or("?")
}

fn address(n: &'static std::ffi::CStr) -> *mut c_void {
    // SAFETY: the name is nul-terminated; RTLD_DEFAULT searches what is already loaded.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, n.as_ptr()) }
}

symbols! {
required {
    redisplay_function c"rl_redisplay_function": *mut Option<VoidFn> = "the painter's hook";
    getc_function c"rl_getc_function": *mut Option<GetcFn> = "the clock's hook";
    prep_term_function c"rl_prep_term_function": *mut Option<PrepFn> = "the beginning of every line";
    deprep_term_function c"rl_deprep_term_function": *mut Option<VoidFn> = "the end of every line";
    stock_redisplay c"rl_redisplay": VoidFn = "what paints when LLE does not";
    stock_getc c"rl_getc": GetcFn = "what reads when LLE does not";
    signal_event_hook c"rl_signal_event_hook": *mut Option<HookFn> = "bash's own signal work while waiting";
    check_signals c"rl_check_signals": VoidFn = "signals caught by readline";
    pending_signal c"rl_pending_signal": unsafe extern "C-unwind" fn() -> c_int = "which signal waits";
    instream c"rl_instream": *mut *mut FILE = "the terminal, reading";
    outstream c"rl_outstream": *mut *mut FILE = "the terminal, writing";
    line_buffer c"rl_line_buffer": *mut *mut c_char = "the text";
    point c"rl_point": *mut c_int = "the cursor";
    end c"rl_end": *mut c_int = "the text's length";
    mark c"rl_mark": *mut c_int = "the region";
    mark_active c"rl_mark_active_p": unsafe extern "C-unwind" fn() -> c_int = "the region";
    prompt c"rl_prompt": *mut *mut c_char = "the prompt";
    display_prompt c"rl_display_prompt": *mut *mut c_char = "the prompt or a search's message";
    state c"rl_readline_state": *mut c_ulong = "what readline is doing";
    display_fixed c"rl_display_fixed": *mut c_int = "whether readline ended the line itself";
    last_c_pos c"_rl_last_c_pos": *mut c_int = "readline's idea of the cursor column";
    last_v_pos c"_rl_last_v_pos": *mut c_int = "readline's idea of the cursor row";
    vis_botlin c"_rl_vis_botlin": *mut c_int = "readline's idea of the last row";
    echoing c"_rl_echoing_p": *mut c_int = "silent reads";
    screen_size c"rl_get_screen_size": unsafe extern "C-unwind" fn(*mut c_int, *mut c_int) = "rows and columns";
    on_new_line c"rl_on_new_line": unsafe extern "C-unwind" fn() -> c_int = "a fresh row";
    forced_update c"rl_forced_update_display": unsafe extern "C-unwind" fn() -> c_int = "repaint after a panic";
    insert_text c"rl_insert_text": unsafe extern "C-unwind" fn(*const c_char) -> c_int = "suggestions, completions, rows";
    delete_text c"rl_delete_text": unsafe extern "C-unwind" fn(c_int, c_int) -> c_int = "completions";
    begin_undo c"rl_begin_undo_group": unsafe extern "C-unwind" fn() -> c_int = "one undo for one completion";
    end_undo c"rl_end_undo_group": unsafe extern "C-unwind" fn() -> c_int = "one undo for one completion";
    ding c"rl_ding": unsafe extern "C-unwind" fn() -> c_int = "no completion";
    variable_value c"rl_variable_value": unsafe extern "C-unwind" fn(*const c_char) -> *mut c_char = "readline's settings";
    get_keymap c"rl_get_keymap": unsafe extern "C-unwind" fn() -> *mut KeymapEntry = "the keymap in force";
    editing_mode c"rl_editing_mode": *mut c_int = "emacs or vi";
    vi_movement_keymap c"vi_movement_keymap": *mut KeymapEntry = "vi command mode";
    undo_list c"rl_undo_list": *mut *mut c_void = "mark-modified-lines";
    read_key c"rl_read_key": unsafe extern "C-unwind" fn() -> c_int = "keys while one searches";
    execute_next c"rl_execute_next": unsafe extern "C-unwind" fn(c_int) -> c_int = "the key that ends a search";
    stuff_char c"rl_stuff_char": unsafe extern "C-unwind" fn(c_int) -> c_int = "the key that ends a search";
    current_history c"current_history": unsafe extern "C-unwind" fn() -> *mut HistEntry = "mark-modified-lines";
    string_value c"get_string_value": unsafe extern "C-unwind" fn(*const c_char) -> *mut c_char = "shell variables";
    last_status c"last_command_exit_value": *mut c_int = "a command's status";
    executing_builtin c"executing_builtin": *mut c_int = "read -e is not a command line";
    current_prompt_string c"current_prompt_string": *mut *mut c_char = "PS1 or PS2";
    ps1_prompt c"ps1_prompt": *mut *mut c_char = "PS1 or PS2";
    xmalloc c"xmalloc": unsafe extern "C-unwind" fn(usize) -> *mut c_void = "memory that bash will free";
}
optional {
    funmap c"funmap": *mut *mut *mut Function = "commands by name: accepting suggestions, Enter, Tab";
    emacs_keymap c"emacs_standard_keymap": *mut KeymapEntry = "the keys bound to those commands";
    emacs_meta_keymap c"emacs_meta_keymap": *mut KeymapEntry = "the keys bound to those commands";
    emacs_ctlx_keymap c"emacs_ctlx_keymap": *mut KeymapEntry = "the keys bound to those commands";
    vi_insertion_keymap c"vi_insertion_keymap": *mut KeymapEntry = "the keys bound to those commands";
    vi_insertion_mode c"rl_vi_insertion_mode": CommandFn = "Enter in vi command mode on an incomplete command";
    push_macro_input c"rl_push_macro_input": unsafe extern "C-unwind" fn(*mut c_char) = "the key that ends a search, in a macro";
    isearch_terminators c"_rl_isearch_terminators": *mut *mut c_char = "isearch-terminators";
    add_defun c"rl_add_defun": unsafe extern "C-unwind" fn(*const c_char, Option<CommandFn>, c_int) -> c_int = "lle-search-history";
    where_history c"where_history": unsafe extern "C-unwind" fn() -> c_int = "what a search found, in bash's list";
    previous_entry c"rl_get_previous_history": CommandFn = "what a search found, in bash's list";
    next_entry c"rl_get_next_history": CommandFn = "what a search found, in bash's list";
    timeout_remaining c"rl_timeout_remaining": unsafe extern "C-unwind" fn(*mut libc::c_uint, *mut libc::c_uint) -> c_int = "read -e -t";
    readline_version c"rl_readline_version": *mut c_int = "how an empty line ends";
    mark_modified_lines c"_rl_mark_modified_lines": *mut c_int = "mark-modified-lines";
    show_mode_in_prompt c"_rl_show_mode_in_prompt": *mut c_int = "show-mode-in-prompt";
    self_insert c"rl_insert": CommandFn = "keys that are pasted or typed ahead";
    term_autowrap c"_rl_term_autowrap": *mut c_int = "terminals that do not wrap";
    term_up c"_rl_term_up": *mut *mut c_char = "terminals that cannot go up";
    horizontal_scroll c"_rl_horizontal_scroll_mode": *mut c_int = "horizontal-scroll-mode";
    output_meta c"_rl_output_meta_chars": *mut c_int = "output-meta";
    last_func c"rl_last_func": *mut Option<CommandFn> = "commands that differ when repeated";
    command_line_count c"current_command_line_count": *mut c_int = "PS1 or PS2, both unset";
    history_quoting c"history_quoting_state": *mut c_int = "!! in a quote of several rows";
    explicit_arg c"rl_explicit_arg": *mut c_int = "M-5 C-f is not an acceptance";
    complete_internal c"rl_complete_internal": unsafe extern "C-unwind" fn(c_int) -> c_int = "completion in the child";
    find_completion_word c"_rl_find_completion_word": unsafe extern "C-unwind" fn(*mut c_int, *mut c_int) -> c_char = "completion in the child";
    display_matches_hook c"rl_completion_display_matches_hook": *mut Option<DisplayMatchesFn> = "completion in the child";
    completion_type c"rl_completion_type": *mut c_int = "COMP_TYPE in completion functions";
    completion_key c"rl_completion_invoking_key": *mut c_int = "COMP_KEY in completion functions";
    attempted_completion c"rl_attempted_completion_function": *mut Option<AttemptFn> = "COMP_TYPE in completion functions";
    attempted_completion_over c"rl_attempted_completion_over": *mut c_int = "what a pattern matches, at one Tab";
    default_completion c"bash_default_completion": unsafe extern "C-unwind" fn(*const c_char, c_int, c_int, c_int, c_int) -> *mut *mut c_char = "what a pattern matches, at one Tab";
    inhibit_completion c"rl_inhibit_completion": *mut c_int = "disable-completion";
    append_character c"rl_completion_append_character": *mut c_int = "completion in the child";
    suppress_append c"rl_completion_suppress_append": *mut c_int = "completion in the child";
    filename_desired c"rl_filename_completion_desired": *mut c_int = "completion in the child";
    filename_quoting_desired c"rl_filename_quoting_desired": *mut c_int = "completion in the child";
    filename_quoting c"rl_filename_quoting_function": *mut Option<QuoteFn> = "completion in the child";
    filename_quote_chars c"rl_filename_quote_characters": *mut *const c_char = "completion in the child";
    quote_character c"rl_completion_quote_character": *mut c_int = "completion in the child";
    restore_signals c"restore_original_signals": VoidFn = "completion in the child";
    reset_terminating_signals c"reset_terminating_signals": VoidFn = "completion in the child";
    without_job_control c"without_job_control": VoidFn = "completion in the child";
    parse_and_execute c"parse_and_execute": unsafe extern "C-unwind" fn(*mut c_char, *const c_char, c_int) -> c_int = "completion in the child";
    interactive c"interactive": *mut c_int = "completion in the child";
    job_control c"job_control": *mut c_int = "completion in the child";
    subshell_environment c"subshell_environment": *mut c_int = "completion in the child";
    remember_on_history c"remember_on_history": *mut c_int = "set +o history";
    enable_history_list c"enable_history_list": *mut c_int = "set +o history";
    history_control c"history_control": *mut c_int = "HISTCONTROL";
    strmatch c"strmatch": unsafe extern "C-unwind" fn(*mut c_char, *mut c_char, c_int) -> c_int = "HISTIGNORE";
    history_expansion c"history_expansion": *mut c_int = "!! in the log as what ran";
    history_expansion_inhibited c"history_expansion_inhibited": *mut c_int = "!! in the log as what ran";
    history_expand c"history_expand": unsafe extern "C-unwind" fn(*mut c_char, *mut *mut c_char) -> c_int = "!! in the log as what ran";
    hist_verify c"hist_verify": *mut c_int = "shopt -s histverify";
    history_list c"history_list": unsafe extern "C-unwind" fn() -> *mut *mut HistEntry = "other sessions' commands in bash's list";
    history_length c"history_length": *mut c_int = "other sessions' commands in bash's list";
    history_lines c"history_lines_this_session": *mut c_int = "own commands stay last in bash's list";
    history_stifled c"history_is_stifled": unsafe extern "C-unwind" fn() -> c_int = "bash's list stays capped";
    history_max c"history_max_entries": *mut c_int = "bash's list stays capped";
    add_history c"add_history": unsafe extern "C-unwind" fn(*const c_char) = "other sessions' commands in bash's list";
    add_history_time c"add_history_time": unsafe extern "C-unwind" fn(*const c_char) = "other sessions' commands in bash's list";
    using_history c"using_history": VoidFn = "other sessions' commands in bash's list";
    find_function c"find_function": unsafe extern "C-unwind" fn(*const c_char) -> *mut c_void = "unknown commands";
    find_builtin c"find_shell_builtin": unsafe extern "C-unwind" fn(*mut c_char) -> *mut c_void = "unknown commands";
    find_alias c"find_alias": unsafe extern "C-unwind" fn(*mut c_char) -> *mut c_void = "unknown commands";
    find_variable c"find_variable": unsafe extern "C-unwind" fn(*const c_char) -> *mut ShellVar = "when the prompt began";
    bind_variable c"bind_variable": unsafe extern "C-unwind" fn(*const c_char, *mut c_char, c_int) -> *mut ShellVar = "the cap of bash's list";
    variable_context c"variable_context": *mut c_int = "what a prompt spends its time on";
    running_trap c"running_trap": *mut c_int = "what a prompt spends its time on";
    last_background c"last_asynchronous_pid": *mut c_int = "what a prompt spends its time on";
    execute_level c"parse_and_execute_level": *mut c_int = "what a prompt spends its time on";
    command_string_index c"command_string_index": *mut c_int = "what a prompt spends its time on";
    printed c"the_printed_command": *mut *mut c_char = "what a prompt spends its time on";
    printed_except_trap c"the_printed_command_except_trap": *mut *mut c_char = "what a prompt spends its time on";
    array_reference c"array_reference": unsafe extern "C-unwind" fn(*mut c_void, i64) -> *mut c_char = "what a prompt spends its time on";
    line_number c"executing_line_number": unsafe extern "C-unwind" fn() -> c_int = "what a start spends its time on";
    execute_text c"execute_variable_command": unsafe extern "C-unwind" fn(*const c_char, *const c_char) = "prompt.command";
    this_builtin c"this_shell_builtin": *mut Option<unsafe extern "C-unwind" fn()> = "an exec in a start-up file";
    exec_builtin c"exec_builtin": unsafe extern "C-unwind" fn() = "an exec in a start-up file";
    executing c"executing": *mut c_int = "prompt.command";
    progcomp_search c"progcomp_search": unsafe extern "C-unwind" fn(*const c_char) -> *mut CompSpec = "what a completion spends its time on";
    signal_is_trapped c"signal_is_trapped": unsafe extern "C-unwind" fn(c_int) -> c_int = "what is not timed beside a prompt";
    shell_start c"shellstart": *mut libc::timeval = "what ran before LLE was loaded";
    input c"bash_input": *mut Input = "where a syntax error is";
    parsed_line c"line_number": *mut c_int = "where a syntax error is";
    source_level c"sourcelevel": *mut c_int = "how far a start has come";
    builtin_address c"builtin_address_internal": unsafe extern "C-unwind" fn(*const c_char, c_int) -> *mut Builtin = "a start with the last good files";
    decode_prompt c"decode_prompt_string": unsafe extern "C-unwind" fn(*mut c_char, c_int) -> *mut c_char = "parts of the prompt from a cache";
    set_prompt c"rl_set_prompt": unsafe extern "C-unwind" fn(*const c_char) -> c_int = "parts of the prompt from a cache";
    promptvars c"promptvars": *mut c_int = "parts of the prompt from a cache";
    no_line_editing c"no_line_editing": *mut c_int = "parts of the prompt from a cache";
    traces c"echo_command_at_execute": *mut c_int = "parts of the prompt from a cache";
    login_shell c"login_shell": *mut c_int = "lusush -l";
}
}
