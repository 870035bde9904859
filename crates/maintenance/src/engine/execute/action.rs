//! Actions: how each is done, and how it is seen that it held.
//!
//! Invariant: an action that undoes another is absolute and may be done twice: after a crash nobody knows whether it was.

use lle_core::plan::{Action, Check};

use super::wait::Wait;
use crate::engine::Engine;
use crate::state::Change;
use crate::world::{Job, Now, World};

/// What became of a step.
pub(super) enum Stepped {
    Held,
    Waits(Wait),
    Failed(String),
}

impl Engine {
    /// Does one action.
    pub(super) fn apply<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        id: u64,
        action: &Action,
    ) -> Result<(), String> {
        match action {
            Action::CheckHealth => {
                // As it is now, not as it was at the last look, which may be a minute ago.
                self.look(world, now);
                Ok(())
            }
            Action::TrimSession { session, token } => self.ask_to_trim(world, now, *session, *token),
            Action::OpenSegment { segment, .. } => self
                .audit
                .open_segment(world, now, *segment)
                .map_err(|error| format!("segment {segment} cannot be begun: {error}")),
            Action::RemoveSegmentsBelow { segment, .. } => self
                .audit
                .remove_below(world, *segment)
                .map_err(|error| format!("a segment cannot be removed: {error}")),
            Action::UseSetting { name, value } => self.use_setting(world, now, name, value.as_deref()),
            Action::SyncConfig => self.sync_now(world, now, id),
            Action::UseConfig { version, instead_of } => self.use_config(world, now, *version, *instead_of),
            Action::OpenTrial { .. } => self.open_trial(world, now, action),
            Action::WithdrawTrial { trial } => {
                self.withdraw_trial(world, now, *trial, "its plan was taken back")
            }
            Action::RunCommand { command, .. } | Action::FitModels { command } => world
                .start_job(&Job {
                    plan: id,
                    command: command.clone(),
                })
                .map_err(|error| format!("{} cannot be started: {error}", command.join(" "))),
            Action::RunOwn { words } => {
                let own = std::iter::once("lusush".to_owned());
                let command = own.chain(words.iter().cloned()).collect();
                world
                    .start_own_job(&Job { plan: id, command })
                    .map_err(|error| format!("lusush {} cannot be started: {error}", words.join(" ")))
            }
            Action::CallHost { task } => world
                .call_host(id, task)
                .map_err(|error| format!("{task} cannot be called: {error}")),
        }
    }

    /// Records a setting and publishes it.
    fn use_setting<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), String> {
        let change = Change::Setting {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        };
        self.log
            .commit(world, now, &mut self.state, change)
            .map_err(|error| format!("the setting cannot be recorded: {error}"))?;
        self.note_size(name);
        self.publish_now(world, now)
    }

    /// Sees whether an action held, or what it waits for.
    pub(super) fn verify(&self, now: Now, action: &Action, check: Check) -> Stepped {
        match (check, action) {
            (Check::SessionAnswered { within_ms }, Action::TrimSession { session, token }) => {
                Stepped::Waits(Wait::Session {
                    session: *session,
                    token: *token,
                    until_ns: now.mono_ns.saturating_add(within_ms.saturating_mul(1_000_000)),
                    before: self
                        .sessions
                        .get(session)
                        .and_then(|session| session.rss_anon_bytes()),
                })
            }
            (
                Check::ExitZero,
                Action::RunCommand { .. } | Action::RunOwn { .. } | Action::FitModels { .. },
            ) => Stepped::Waits(Wait::Job),
            (Check::Returned, Action::CallHost { .. }) => Stepped::Waits(Wait::Call),
            (Check::SegmentOpen, Action::OpenSegment { segment, .. }) if self.audit.segment() != *segment => {
                Stepped::Failed(format!("the audit log did not go on in segment {segment}"))
            }
            (Check::SegmentsGone, Action::RemoveSegmentsBelow { segment, .. })
                if self
                    .audit
                    .oldest_segment()
                    .is_some_and(|oldest| oldest < *segment) =>
            {
                Stepped::Failed("a segment is still there".into())
            }
            (Check::Published, Action::UseSetting { name, value })
                if !self.is_published(name, value.as_deref()) =>
            {
                Stepped::Failed(format!("{name} was not published"))
            }
            (Check::Published, Action::OpenTrial { trial, .. }) if !self.is_trial_published(*trial) => {
                Stepped::Failed("the trial was not published".into())
            }
            _ => Stepped::Held,
        }
    }
}
