//! Histories under guard: what others did to them is written down, told above the next prompt, and undone where nothing
//! is lost by that and nobody wants to be asked.
//!
//! Invariant: a history is put back only after the audit log says that it will be.

use lle_core::config::Name;
use lle_core::error::Code;
use lle_core::health::component::Component;
use lle_core::health::finding::Finding;
use lle_core::policy::{self, Operation, Target, Who, sanitise};
use lle_core::severity::Severity;
use serde_json::{Value, json};

use super::audit::Entry;
use super::{Engine, SECOND_NS};
use crate::api::Fault;
use crate::world::{HistoryNews, Now, World};

/// How long what was found is shown as a finding, in nanoseconds: its alert stays until it was told.
const SHOWN_NS: u64 = 60 * SECOND_NS;
/// Findings kept: further ones push the oldest out.
const FINDINGS_MAX: usize = 8;
/// Sessions named as those that may have done it, and bytes of a terminal's name.
const SUSPECTS_MAX: usize = 3;
const TERMINAL_BYTES_MAX: usize = 64;
/// Bytes of what somebody says they do.
const DETAIL_BYTES_MAX: usize = 500;
/// What somebody does to a history by themselves, and has written down.
const NOTED: [&str; 3] = ["scrub", "import", "merge"];

/// What was found of late.
#[derive(Debug, Default)]
pub(crate) struct Guarded {
    findings: Vec<(u64, Finding)>,
    /// Numbers what was found, so that each is told for itself.
    last: u64,
    /// The kernel says that a history was changed.
    touched: bool,
}

impl Engine {
    /// A history was changed, says the kernel: it is looked at as soon as its turn comes.
    pub fn touch_history(&mut self) {
        self.guarded.touched = self.acts;
    }

    pub(super) fn history_is_touched(&self) -> bool {
        self.guarded.touched
    }

    /// Looks at the histories; follows what is new, and deals with what others did.
    pub(super) fn guard_history<W: World>(&mut self, world: &mut W, now: Now) {
        self.guarded.touched = false;
        self.guarded
            .findings
            .retain(|(at, _)| now.mono_ns.saturating_sub(*at) < SHOWN_NS);
        let news = world.history_news(now);
        if news.is_empty() {
            return;
        }
        for one in news {
            self.deal_with(world, now, one);
        }
        // It is told now and not with the next look.
        self.look(world, now);
    }

    fn deal_with<W: World>(&mut self, world: &mut W, now: Now, news: HistoryNews) {
        let evidence = format!("{}{}", news.evidence, suspects(world, &news.file));
        let noticed = self.record(world, now, &Entry::noticed(&news.title, &evidence));
        let mut title = news.title.clone();
        let mut remedy = news.remedy.clone();
        let is_wanted = self.configuration().word(Name::HistoryRestore) == "automatic";
        if news.undo && is_wanted {
            let who = Who::engine(self.config.uid);
            let done = match noticed {
                true => self.put_history_back(world, now, &who, &news.which),
                false => Err("the audit log cannot be written".into()),
            };
            match done {
                Ok(said) => {
                    title = format!("{title}: {said}");
                    remedy = "`lusush maint history scrub` takes out what is not to be kept".into();
                }
                Err(why) => {
                    title = format!("{title}, and not put back: {why}");
                    remedy = "`lusush maint history restore` tries again".into();
                }
            }
        }
        self.guarded.last += 1;
        if self.guarded.findings.len() >= FINDINGS_MAX {
            self.guarded.findings.remove(0);
        }
        let severity = match news.is_loss {
            true => Severity::Major,
            false => Severity::Warning,
        };
        let finding = Finding {
            // The moment, too: the next worker counts from one again.
            key: format!("history.harmed/{:x}-{}", now.wall_ns, self.guarded.last),
            severity,
            component: Component::History,
            session: None,
            title,
            evidence,
            remedy,
            before: None,
            after: None,
            unit: String::new(),
        };
        self.guarded.findings.push((now.mono_ns, finding));
    }

    /// Puts a history back, if `who` may, and writes down what came of it.
    fn put_history_back<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        who: &Who,
        which: &str,
    ) -> Result<String, String> {
        let asked = policy::authorise(*who, Operation::History, Target::All, (), &self.config.policy);
        let name = Operation::History.name();
        if let Err(refusal) = asked {
            let entry = Entry::refused(who, name, which, &refusal.to_string());
            self.record(world, now, &entry);
            return Err(refusal.to_string());
        }
        let intent = Entry::request("intent", who, name, which, "").because("restore");
        if !self.record(world, now, &intent) {
            return Err("the audit log cannot be written".into());
        }
        let done = world.restore_history(which);
        let outcome = match &done {
            Ok(said) => format!("done: {said}"),
            Err(why) => format!("failed: {why}"),
        };
        self.record(world, now, &Entry::request("outcome", who, name, which, &outcome));
        done
    }

    /// What was found of late.
    pub(super) fn history_findings(&self) -> impl Iterator<Item = Finding> {
        self.guarded.findings.iter().map(|(_, finding)| finding.clone())
    }

    /// Does what somebody asks for; that it is asked for and how it ended is written down by the caller.
    pub(super) fn change_history<W: World>(
        world: &mut W,
        what: &str,
        which: Option<&str>,
    ) -> Result<Value, Fault> {
        let failed = |why: String| {
            Fault::new(Code::Failed, why).with_hint("`lusush maint history check` says what there is")
        };
        match what {
            "restore" => {
                let said = world.restore_history(which.unwrap_or("log")).map_err(failed)?;
                Ok(json!({ "said": said }))
            }
            "accept" => {
                world
                    .accept_history()
                    .map_err(|error| failed(error.to_string()))?;
                Ok(json!({ "said": "taken as it is; the former mirror is kept beside the new one" }))
            }
            noted if NOTED.contains(&noted) => Ok(json!({ "said": "written down" })),
            _ => {
                let known = [&["restore", "accept"], &NOTED[..]].concat().join(", ");
                Err(Fault::new(
                    Code::InvalidParameters,
                    format!("what: one of {known}"),
                ))
            }
        }
    }
}

/// The sessions whose last command names the file: a hint, without the command.
fn suspects<W: World>(world: &mut W, file: &str) -> String {
    let mut terminals = Vec::new();
    if !file.is_empty() {
        world.look(&mut |look| {
            let named = |command: &[u8]| {
                command
                    .windows(file.len())
                    .any(|window| window == file.as_bytes())
            };
            if let Some(snapshot) = look.snapshot.filter(|snapshot| named(snapshot.last_command())) {
                terminals.push(sanitise(&snapshot.identity().tty, TERMINAL_BYTES_MAX).into_owned());
            }
        });
    }
    terminals.truncate(SUSPECTS_MAX);
    match terminals.is_empty() {
        true => String::new(),
        false => format!(
            "; last ran a command that names it: the session on {}",
            terminals.join(", ")
        ),
    }
}

/// What somebody asks for, in words for the audit log.
pub(super) fn details(what: &str, detail: Option<&str>) -> String {
    let detail = sanitise(detail.unwrap_or_default(), DETAIL_BYTES_MAX);
    match detail.is_empty() {
        true => sanitise(what, DETAIL_BYTES_MAX).into_owned(),
        false => format!("{}: {detail}", sanitise(what, DETAIL_BYTES_MAX)),
    }
}
