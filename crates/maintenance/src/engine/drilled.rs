//! The last recovery drill, in the running engine: one that failed is told.
//!
//! A drill is a run of `lusush` itself, as a job or by hand; what it came to lies in a file, which is read when a job has
//! ended, every ten minutes, and by each new worker.

use lle_core::health::finding::Finding;
use lle_core::recovery::drilled::Drill;

use crate::world::World;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Drilled {
    last: Option<Drill>,
}

impl Drilled {
    /// Reads what the last drill came to; what cannot be read says nothing.
    pub(super) fn read<W: World>(&mut self, world: &mut W) {
        let read = |bytes: Vec<u8>| serde_json::from_slice::<Drill>(&bytes).ok();
        self.last = world.drill().and_then(read).and_then(Drill::understood);
    }

    /// What has to be told of it.
    pub(super) fn finding(&self) -> Option<Finding> {
        self.last.as_ref().and_then(Drill::finding)
    }
}

#[cfg(test)]
mod tests {
    use lle_core::recovery::drilled::{Row, VERSION};
    use lle_core::severity::Severity;

    use super::*;
    use crate::engine::tests::started_in;
    use crate::real::Places;

    #[test]
    fn a_drill_that_failed_is_a_critical_finding_until_one_passes() {
        let folder = tempfile::tempdir().unwrap();
        let below = |name: &str| folder.path().join(name);
        let mut places = Places::below(&below("s"), &below("d"), &below("c"), &below("r"), "m");
        places.metrics = None;
        let file = places.drill.clone();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let write = |failed: Option<&str>| {
            let row = Row {
                scenario: "history-lost".into(),
                failed: failed.map(str::to_owned),
                ..Row::default()
            };
            let drill = Drill {
                version: VERSION,
                at_wall_ns: 1,
                rows: vec![row],
            };
            std::fs::write(&file, serde_json::to_vec(&drill).unwrap()).unwrap();
        };
        write(Some("the log is another"));
        let (mut world, mut engine, now) = started_in(places);
        engine.check_health(&mut world, now);
        let found = |engine: &crate::engine::Engine| {
            let findings = &engine.assessment.as_ref().unwrap().findings;
            let drill = findings
                .iter()
                .find(|finding| finding.key.starts_with("recovery.drill/"));
            drill.map(|finding| (finding.severity, finding.evidence.clone()))
        };
        assert_eq!(
            found(&engine),
            Some((Severity::Critical, "the log is another".into()))
        );
        write(None);
        engine.drilled.read(&mut world);
        engine.check_health(&mut world, now);
        assert_eq!(found(&engine), None);
    }
}
