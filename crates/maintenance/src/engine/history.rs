//! Histories under guard: what others did to them is written down, told above the next prompt, and undone where nothing
//! is lost by that and nobody wants to be asked.
//!
//! Invariants:
//! - A history is put back only after the audit log says that it will be.
//! - What waits for somebody's word is found and told until that was given, by this worker and the next; then no longer.

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
use crate::world::{Answer, HistoryNews, Now, World};

/// What all of the keys begin with. Then, if somebody may answer, comes how and to what, and last a number.
const HARMED: &str = "history.harmed/";
const AWAITED: &str = "history.harmed/awaited/";
const POSSIBLE: &str = "history.harmed/possible/";
/// What the key of one begins with that was put back: nobody has to do anything.
pub(super) const PUT_BACK: &str = "history.harmed/put-back/";
/// How long what was found is shown as a finding, in nanoseconds: its alert stays until it was told. What waits for
/// somebody's word is shown until it was given.
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
        self.guarded.findings.retain(|(at, finding)| {
            now.mono_ns.saturating_sub(*at) < SHOWN_NS || finding.key.starts_with(AWAITED)
        });
        let news = world.history_news(now);
        if self.close_answered(world, now, None) {
            self.publish(world, now);
        }
        if news.is_empty() {
            return;
        }
        for one in news {
            self.deal_with(world, now, one);
        }
        // It is told now and not with the next look.
        self.look(world, now);
    }

    /// Takes back what was told of a history and is not so any more: of what was just put back, if that is said, and of what
    /// waited for an answer that was given, to whomever. Says whether there was any.
    fn close_answered<W: World>(&mut self, world: &mut W, now: Now, put_back: Option<&str>) -> bool {
        let mut is_answered = |key: &str| match (about(key, AWAITED), about(key, POSSIBLE)) {
            (Some(which), _) => world.history_waits(which) == Some(false),
            (_, Some(which)) => Some(which) == put_back,
            (None, None) => false,
        };
        self.guarded
            .findings
            .retain(|(_, finding)| !is_answered(&finding.key));
        let open = self.state.alerts.open().map(|alert| &alert.key);
        let answered: Vec<String> = open.filter(|key| is_answered(key)).cloned().collect();
        let wall_ns = now.wall_ns.max(0).cast_unsigned();
        for key in &answered {
            let _resolved = self.state.alerts.close(key, wall_ns);
        }
        if !answered.is_empty() {
            self.keep_alerts(world, now);
        }
        !answered.is_empty()
    }

    /// What an earlier worker told of this history, if it still waits for an answer: that one saw when it was done, and
    /// what was lost.
    fn told_by_an_earlier(&self, which: &str) -> Option<Finding> {
        let mut open = self.state.alerts.open();
        let alert = open.find(|alert| about(&alert.key, AWAITED) == Some(which))?;
        Some(Finding {
            key: alert.key.clone(),
            severity: alert.severity,
            component: alert.component,
            session: alert.session,
            title: alert.title.clone(),
            evidence: alert.evidence.clone(),
            remedy: alert.remedy.clone(),
            before: None,
            after: None,
            unit: String::new(),
        })
    }

    fn deal_with<W: World>(&mut self, world: &mut W, now: Now, news: HistoryNews) {
        let is_wanted = self.configuration().word(Name::HistoryRestore) == "automatic";
        let puts_back = news.undo && is_wanted;
        if news.answer == Answer::Awaited
            && !puts_back
            && let Some(finding) = self.told_by_an_earlier(&news.which)
        {
            self.found(now, finding);
            return;
        }
        let evidence = format!("{}{}", news.evidence, suspects(world, &news.file));
        let noticed = self.record(world, now, &Entry::noticed(&news.title, &evidence));
        let mut title = news.title.clone();
        let mut remedy = news.remedy.clone();
        let mut answer = news.answer;
        let mut is_put_back = false;
        if puts_back {
            let who = Who::engine(self.config.uid);
            let done = match noticed {
                true => self.put_history_back(world, now, &who, &news.which),
                false => Err("the audit log cannot be written".into()),
            };
            match done {
                Ok(said) => {
                    title = format!("{title}: {said}");
                    (answer, is_put_back) = (Answer::None, true);
                    // By an earlier worker it may have been told that this waits.
                    self.close_answered(world, now, None);
                    remedy = "`lusush maint history scrub` takes out what is not to be kept".into();
                }
                Err(why) => {
                    title = format!("{title}, and not put back: {why}");
                    remedy = "`lusush maint history restore` tries again".into();
                }
            }
        }
        let severity = match news.is_loss {
            true => Severity::Major,
            false => Severity::Warning,
        };
        self.guarded.last += 1;
        let which = &news.which;
        let about = match answer {
            Answer::None if is_put_back => PUT_BACK.to_owned(),
            Answer::None => HARMED.to_owned(),
            Answer::Possible => format!("{POSSIBLE}{which}/"),
            Answer::Awaited => format!("{AWAITED}{which}/"),
        };
        let finding = Finding {
            // The moment, too: the next worker counts from one again.
            key: format!("{about}{:x}-{}", now.wall_ns, self.guarded.last),
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
        self.found(now, finding);
    }

    fn found(&mut self, now: Now, finding: Finding) {
        if self.guarded.findings.len() >= FINDINGS_MAX {
            self.guarded.findings.remove(0);
        }
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
        &mut self,
        world: &mut W,
        now: Now,
        what: &str,
        which: Option<&str>,
    ) -> Result<Value, Fault> {
        let failed = |why: String| {
            Fault::new(Code::Failed, why).with_hint("`lusush maint history check` says what there is")
        };
        match what {
            "restore" => {
                let which = which.unwrap_or("log");
                let said = world.restore_history(which).map_err(failed)?;
                self.close_answered(world, now, Some(which));
                Ok(json!({ "said": said }))
            }
            "accept" => {
                world
                    .accept_history()
                    .map_err(|error| failed(error.to_string()))?;
                self.close_answered(world, now, None);
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

/// What a key of a finding is about, if somebody may answer it so.
fn about<'k>(key: &'k str, answer: &str) -> Option<&'k str> {
    let (which, _number) = key.strip_prefix(answer)?.rsplit_once('/')?;
    Some(which)
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use lle_log::history::History;

    use super::*;
    use crate::api::Request;
    use crate::engine::tests::started_at;
    use crate::real::RealWorld;

    /// A worker that asks, a history of one command that it has mirrored, and the time.
    fn asking(folder: &Path) -> (RealWorld, Engine, Now, PathBuf) {
        let file = folder.join("config.toml");
        fs::write(&file, "[history]\nrestore = \"ask\"\n").unwrap();
        let (mut world, mut engine, now) = started_at(folder, Some(&file));
        engine.sync_configuration(&mut world, now);
        assert_eq!(engine.configuration().word(Name::HistoryRestore), "ask");
        let log = folder.join("s/history/m.log");
        let mut session = History::open(&log, 1, 0, None).unwrap().history;
        session.started(1, b"/", b"echo kept").unwrap();
        let now = looked(&mut engine, &mut world, now);
        (world, engine, now, log)
    }

    /// Looks at the histories, long after the last look.
    fn looked(engine: &mut Engine, world: &mut RealWorld, now: Now) -> Now {
        let later = 10 * SHOWN_NS;
        let now = Now {
            wall_ns: now.wall_ns + later.cast_signed(),
            mono_ns: now.mono_ns + later,
        };
        engine.guard_history(world, now);
        engine.look(world, now);
        now
    }

    fn open(engine: &Engine) -> Vec<String> {
        let alerts = engine.state.alerts.open();
        let harmed = alerts.filter(|alert| alert.key.starts_with(HARMED));
        harmed.map(|alert| alert.title.clone()).collect()
    }

    fn answer(engine: &mut Engine, world: &mut RealWorld, now: Now, what: &str) {
        let request = Request::History {
            what: what.into(),
            which: None,
            detail: None,
        };
        engine
            .request(world, now, &Who::peer(7, None, 7), &request)
            .unwrap();
    }

    #[test]
    fn a_cut_is_told_until_it_is_answered_and_then_no_longer() {
        for what in ["restore", "accept", "by hand"] {
            let folder = tempfile::tempdir().unwrap();
            let (mut world, mut engine, mut now, log) = asking(folder.path());
            let was = fs::read(&log).unwrap();
            fs::write(&log, "").unwrap();
            // However long nobody answers, it is told and found once.
            for _ in 0..3 {
                now = looked(&mut engine, &mut world, now);
                assert_eq!(open(&engine), ["the history log was emptied by another program"]);
                assert_eq!(engine.history_findings().count(), 1);
            }
            match what {
                "by hand" => {
                    fs::write(&log, &was).unwrap();
                    now = looked(&mut engine, &mut world, now);
                }
                _ => answer(&mut engine, &mut world, now, what),
            }
            assert_eq!(
                open(&engine),
                [""; 0],
                "{what}: at once, whether or not it stood above a prompt"
            );
            assert_eq!(engine.history_findings().count(), 0, "{what}");
            looked(&mut engine, &mut world, now);
            assert_eq!(open(&engine), [""; 0], "{what}");
        }
    }

    #[test]
    fn the_next_worker_tells_the_same_and_closes_what_was_answered_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let (mut world, mut engine, now, log) = asking(folder.path());
        fs::write(&log, "").unwrap();
        let now = looked(&mut engine, &mut world, now);
        let told: Vec<_> = engine.state.alerts.open().cloned().collect();
        assert_eq!(told.len(), 1);
        drop((world, engine));
        let again = || started_at(folder.path(), Some(&folder.path().join("config.toml")));
        let (mut world, mut engine, _) = again();
        engine.sync_configuration(&mut world, now);
        let now = looked(&mut engine, &mut world, now);
        let after: Vec<_> = engine.state.alerts.open().cloned().collect();
        assert_eq!(
            (after.len(), after[0].id, &after[0].evidence),
            (1, told[0].id, &told[0].evidence)
        );
        assert_eq!(engine.history_findings().count(), 1);
        drop((world, engine));
        let mut mirror = lle_log::mirror::Mirror::new(&log);
        let lock = lle_log::mirror::Lock::take(&log).unwrap();
        mirror.restore(&lock, 1_000).unwrap();
        drop(lock);
        let (mut world, mut engine, _) = again();
        engine.sync_configuration(&mut world, now);
        looked(&mut engine, &mut world, now);
        assert_eq!(open(&engine), [""; 0]);
    }
}
