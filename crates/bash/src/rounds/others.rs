//! What other sessions ran, and other programs did to the log, as it is told and taken over at a prompt.

use super::RECOVERED_MAX;
use crate::lle::Lle;
use crate::shared_list;
use lle_log::Disturbance;

/// Commands of other sessions taken over at one prompt.
const SHARED_MAX: usize = 200;

impl Lle {
    /// The log could be opened late: what was typed elsewhere until now is taken over as at a start.
    pub(super) fn log_is_there(&mut self) {
        let Some(history) = &self.session.history else {
            return;
        };
        self.round.cursor = Some(history.cursor_at_end());
        if self.settings.share && !self.settings.private {
            let mut others = history.unsaved(RECOVERED_MAX);
            // What of one's own is not in bash's list any more was taken out of it.
            others.retain(|command| command.session != history.session());
            shared_list::add_missing(&self.bash, &others);
        }
    }

    /// Takes over what other sessions ran meanwhile.
    pub(super) fn share(&mut self) {
        let (Some(history), Some(cursor)) = (self.session.history.as_mut(), self.round.cursor.as_mut())
        else {
            return;
        };
        let refreshed = history.refresh();
        // One that an append came upon is told here, too.
        let disturbed = history.take_disturbance().and_then(told);
        match refreshed {
            // Whether it grew says nothing: an own append takes in what others wrote before it.
            Ok(_) => {}
            Err(e) => {
                self.session
                    .notice(format!("lusush: the history log cannot be read: {e}"));
                return;
            }
        }
        let own = history.session();
        let is_mirrored = disturbed.is_some() && history.has_longer_mirror();
        let new: Vec<_> = history
            .since(cursor, SHARED_MAX)
            .into_iter()
            .filter(|c| c.session != own)
            .collect();
        if let Some(what) = disturbed {
            let remedy = match is_mirrored {
                true => "the worker has a mirror of it: `lusush maint history restore`",
                false => "no mirror has more than it: `lusush maint backup list` says what was saved",
            };
            self.session.notice(format!(
                "lusush: another program {what} the history log; {remedy}"
            ));
        }
        if self.settings.share && !self.settings.private {
            shared_list::add(&self.bash, &new);
        }
    }
}

/// What another program did to the log, in a word; none if all is there again.
fn told(disturbance: Disturbance) -> Option<&'static str> {
    match disturbance {
        Disturbance::Truncated { .. } => Some("cut"),
        Disturbance::Replaced => Some("replaced"),
        Disturbance::Removed => Some("removed"),
        Disturbance::Lost => Some("took away"),
        Disturbance::Restored => None,
    }
}
