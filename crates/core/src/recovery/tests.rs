//! The table of scenarios held against homes that lack one thing each.

use super::*;

/// A home in which everything is as it should be.
fn sound() -> Signs {
    Signs {
        home_exists: true,
        history: HistorySigns {
            log_bytes: Some(1_000),
            mirror_bytes: Some(900),
            ..HistorySigns::default()
        },
        config: ConfigSigns {
            exists: true,
            last_good: Some(7),
            ..ConfigSigns::default()
        },
        state: StateSigns {
            exists: true,
            audit_faults: Some(0),
            ..StateSigns::default()
        },
        archive: Archive::Open {
            snapshots: 3,
            newest_age_ns: Some(60),
        },
        disk: DiskSigns {
            free_bytes: Some(1 << 40),
            total_bytes: Some(1 << 41),
            spare_bytes: 1 << 20,
        },
        ..Signs::default()
    }
}

fn detected(change: impl Fn(&mut Signs)) -> Vec<&'static str> {
    let mut signs = sound();
    change(&mut signs);
    let found = TABLE
        .iter()
        .filter_map(|row| (row.detect)(&signs).map(|found| (row, found)));
    found
        .map(|(row, found)| {
            assert!(!found.evidence.is_empty() && !found.evidence.ends_with('.'));
            row.name
        })
        .collect()
}

#[test]
fn each_disaster_is_told_by_its_signs_and_by_no_others() {
    let check = |change: &dyn Fn(&mut Signs), expect: &[&str]| assert_eq!(detected(change), expect);
    check(&|_| {}, &[]);
    check(&|signs| signs.history.log_bytes = None, &["history-lost"]);
    check(
        &|signs| {
            signs.history.log_bytes = None;
            signs.history.mirror_bytes = None;
        },
        &["history-lost"],
    );
    // Somebody typed on after the loss.
    check(
        &|signs| signs.history.saved_bytes = Some(1_001),
        &["history-lost"],
    );
    check(&|signs| signs.history.saved_bytes = Some(1_000), &[]);
    // For longer than what was saved.
    check(
        &|signs| {
            signs.history.saved_bytes = Some(500);
            signs.history.saved_missing = Some(7);
        },
        &["history-lost"],
    );
    check(&|signs| signs.history.saved_missing = Some(0), &[]);
    // The mirror has them still: that comes first.
    check(
        &|signs| {
            signs.history.log_bytes = Some(500);
            signs.history.differs_at = Some(500);
            signs.history.saved_missing = Some(7);
        },
        &["history-cut"],
    );
    // Nobody may read it: that is no damage.
    check(
        &|signs| signs.history.refused = Some("chmod".into()),
        &["history-corrupt"],
    );
    check(
        &|signs| {
            signs.history.log_bytes = Some(64);
            signs.history.differs_at = Some(64);
        },
        &["history-cut"],
    );
    check(
        &|signs| {
            signs.history.log_bytes = Some(500);
            signs.history.differs_at = Some(500);
        },
        &["history-cut"],
    );
    check(
        &|signs| signs.history.differs_at = Some(123),
        &["history-corrupt"],
    );
    check(
        &|signs| signs.history.unreadable = Some("no header".into()),
        &["history-corrupt"],
    );
    // What a crash left is in the mirror as well.
    check(&|signs| signs.history.damaged_bytes = 9, &[]);
    check(
        &|signs| signs.config.problem = Some("line 3".into()),
        &["config-broken"],
    );
    check(&|signs| signs.config.exists = false, &["config-gone"]);
    check(&|signs| signs.state.damaged = 1, &["state-corrupt"]);
    check(&|signs| signs.state.audit_faults = Some(2), &["state-corrupt"]);
    check(
        &|signs| signs.plugins.broken = vec!["a.wasm".into()],
        &["plugins-damaged"],
    );
    check(
        &|signs| signs.plugins.missing = vec!["a.wasm".into()],
        &["plugins-damaged"],
    );
    check(
        &|signs| {
            signs.archive = Archive::Damaged {
                what: "a pack is gone".into(),
                lost: None,
            }
        },
        &["repository-damaged"],
    );
    check(&|signs| signs.disk.free_bytes = Some(0), &["disk-full"]);
    check(
        &|signs| {
            // A small disk has little to spare by nature.
            signs.disk.free_bytes = Some(3 << 20);
            signs.disk.total_bytes = Some(4 << 20);
        },
        &[],
    );
    check(&|signs| signs.crashes.level = 1, &["session-crashes"]);
    check(
        &|signs| signs.crashes.worker = WORKER_CRASHES_MIN,
        &["worker-crashes"],
    );
    check(&|signs| signs.crashes.worker = WORKER_CRASHES_MIN - 1, &[]);
    check(
        &|signs| {
            *signs = Signs {
                archive: signs.archive.clone(),
                ..Signs::default()
            }
        },
        &["home-gone"],
    );
    // With the home its key is gone.
    check(
        &|signs| {
            *signs = Signs {
                archive: Archive::NoKey,
                ..Signs::default()
            }
        },
        &["home-gone"],
    );
    check(&|signs| signs.archive = Archive::NoKey, &[]);
}

#[test]
fn a_backup_that_was_not_looked_at_is_no_backup_in_which_nothing_was_found() {
    assert_eq!(sound().archive.unseen(), None);
    assert_eq!(Archive::None.unseen(), None);
    let unseen = Archive::NoKey.unseen().expect("it was not looked at");
    assert!(unseen.contains("key import"), "{unseen}");
    assert_eq!(Archive::Unknown("busy".into()).unseen(), Some("busy".into()));
}

#[test]
fn every_plan_is_bounded_checked_and_of_its_scenario() {
    for row in TABLE {
        assert_eq!(named(row.name).map(|found| found.name), Some(row.name));
        assert!(
            row.name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        );
        for archive in [
            sound().archive,
            Archive::None,
            Archive::NoKey,
            Archive::Damaged {
                what: "x".into(),
                lost: None,
            },
        ] {
            for has_mirror in [true, false] {
                let mut signs = Signs {
                    archive: archive.clone(),
                    ..sound()
                };
                if !has_mirror {
                    signs.history.mirror_bytes = None;
                    signs.config.last_good = None;
                }
                match (row.plan)(&signs) {
                    Ok(plan) => {
                        assert_eq!(plan.scenario, row.name);
                        assert!((1..=PHASES_MAX).contains(&plan.phases.len()));
                        assert!(plan.phases.iter().all(|phase| !phase.step.about().is_empty()));
                    }
                    Err(why) => assert!(!why.is_empty(), "{}", row.name),
                }
            }
        }
    }
}

#[test]
fn without_a_mirror_the_history_comes_from_the_backup() {
    let mut signs = sound();
    let steps = |signs: &Signs| -> Vec<Step> {
        let row = named("history-lost").expect("it is in the table");
        let plan = (row.plan)(signs).expect("there is a way back");
        plan.phases.iter().map(|phase| phase.step).collect()
    };
    assert_eq!(steps(&signs), [Step::MirrorToLog]);
    signs.history.saved_bytes = Some(5_000);
    assert_eq!(
        steps(&signs),
        [Step::ArchiveToMirror, Step::MirrorToLog],
        "the mirror is of what was typed since"
    );
    signs.history.saved_bytes = Some(500);
    signs.history.saved_missing = Some(7);
    assert_eq!(steps(&signs), [Step::ArchiveToMirror, Step::MirrorToLog]);
    signs.history.saved_missing = None;
    signs.history.saved_bytes = None;
    signs.history.mirror_bytes = None;
    assert_eq!(steps(&signs), [Step::ArchiveToMirror, Step::MirrorToLog]);
}

#[test]
fn three_crashes_in_a_row_switch_features_off_and_one_session_that_lives_does_not() {
    const S: i64 = 1_000_000_000;
    let check = |sessions: &[(i64, bool)], since: i64, expect: bool| {
        let sessions: Vec<Early> = sessions
            .iter()
            .map(|(at, crashed)| Early {
                created_ns: at * S,
                crashed: *crashed,
            })
            .collect();
        assert_eq!(escalates(&sessions, since * S, 1_000 * S), expect, "{sessions:?}");
    };
    check(&[], 0, false);
    check(&[(990, true), (995, true)], 0, false);
    check(&[(985, true), (990, true), (995, true)], 0, true);
    check(&[(985, true), (990, false), (995, true), (996, true)], 0, false);
    // One that has lived for long is no witness for those of now.
    check(&[(100, false), (985, true), (990, true), (995, true)], 0, true);
    // Those before the last decision have been counted, and the clock may have jumped.
    check(&[(985, true), (990, true), (995, true)], 992, false);
    check(&[(985, true), (990, true), (2_000, true)], 0, false);
}

#[test]
fn only_a_log_that_is_worse_than_its_mirror_is_mended_unasked() {
    let check = |log: u64, mirror: u64, expect_sure: bool, expect: Step| {
        let mut signs = sound();
        signs.history.differs_at = Some(123);
        (signs.history.log_damage, signs.history.mirror_damage) = (log, mirror);
        let row = named("history-corrupt").expect("it is in the table");
        assert_eq!((row.detect)(&signs).expect("it is seen").is_sure, expect_sure);
        let plan = (row.plan)(&signs).expect("there is a way back");
        assert_eq!(plan.phases[0].step, expect);
    };
    check(9, 0, true, Step::MirrorToLog);
    check(0, 0, false, Step::MirrorToLog);
    check(9, 9, false, Step::MirrorToLog);
    check(0, 9, false, Step::MirrorAnew);
}

#[test]
fn a_log_that_may_not_be_read_is_neither_mended_nor_called_damaged() {
    let mut signs = sound();
    signs.history.refused = Some("m.log: `chmod 600 m.log`".into());
    let row = named("history-corrupt").expect("it is in the table");
    let found = (row.detect)(&signs).expect("it is seen");
    assert!(!found.is_sure && found.evidence.contains("chmod 600"));
    let why = (row.plan)(&signs).expect_err("there is nothing to mend");
    assert!(why.contains("chmod 600"), "{why}");
}

#[test]
fn what_a_damaged_repository_has_lost_is_part_of_its_plan() {
    for lost in [None, Some(LostSnapshots { snapshots: 2, of: 9 })] {
        let what = "a pack is gone".to_owned();
        let signs = Signs {
            archive: Archive::Damaged { what, lost },
            ..Signs::default()
        };
        let plan = (repository_damaged::SCENARIO.plan)(&signs).unwrap();
        assert_eq!(plan.point, Point::Former(lost));
    }
}
