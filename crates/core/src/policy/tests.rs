//! Who may do what: every layer of rules only tightens.

use proptest::prelude::*;

use super::*;

const OWNER: Who = Who::peer(1000, Some(42), 1000);
const STRANGER: Who = Who::peer(1001, Some(43), 1000);
const ENGINE: Who = Who::engine(1000);

fn rules(json: &str) -> PolicyRules {
    serde_json::from_str(json).expect("the rules of a test can be read")
}

fn refused(who: Who, operation: Operation, target: Target<'_>, policy: &Policy) -> Option<(Layer, Rule)> {
    let refusal = authorise(who, operation, target, (), policy).err()?;
    Some((refusal.layer, refusal.rule))
}

#[test]
fn operations_have_distinct_names() {
    for operation in Operation::all() {
        let twins = Operation::all().filter(|other| other.name() == operation.name());
        let expect = if matches!(operation, Operation::SetMode(_)) {
            3
        } else {
            1
        };
        assert_eq!(twins.count(), expect, "{}", operation.name());
        assert!(operation.is_named(operation.name()));
    }
    for kind in TaskKind::ALL {
        assert!(Operation::Act(*kind).name().ends_with(kind.name()));
        assert!(Operation::Measure(*kind).name().ends_with(kind.name()));
        assert!(Operation::Act(*kind).is_named("act") && !Operation::Act(*kind).is_named("measure"));
    }
}

#[test]
fn without_rules_the_owner_may_do_all_the_engine_its_work_and_others_nothing() {
    let policy = Policy::default();
    for operation in Operation::all() {
        assert_eq!(refused(OWNER, operation, Target::All, &policy), None);
        let caller = Some((Layer::BuiltIn, Rule::Caller));
        assert_eq!(refused(STRANGER, operation, Target::All, &policy), caller);
        let administers = operation.class() == Class::Administer;
        let expect = administers.then_some((Layer::BuiltIn, Rule::Administration));
        assert_eq!(refused(ENGINE, operation, Target::All, &policy), expect);
    }
    let root = Who::peer(0, None, 1000);
    let refusal = authorise(root, Operation::Status, Target::All, (), &policy).unwrap_err();
    assert_eq!(refusal.code, Code::Unauthorized);
}

#[test]
fn each_rule_of_the_system_refuses() {
    let policy = Policy::combine(
        rules(
            r#"{
                "mode_max": { "*": "advise", "backup": "automatic", "security-scan": "observe" },
                "denied_operations": ["register", "act-plugin-update"],
                "required_tasks": ["backup"]
            }"#,
        ),
        PolicyRules::default(),
    );
    let check = |who, operation, target: Target<'_>, expect: Option<Rule>| {
        let expect = expect.map(|rule| (Layer::System, rule));
        assert_eq!(
            refused(who, operation, target, &policy),
            expect,
            "{operation:?} {target:?}"
        );
    };
    let (backup, scan) = (Target::Task("backup"), Target::Area(TaskKind::SecurityScan));
    check(
        OWNER,
        Operation::Register,
        Target::Task("mine"),
        Some(Rule::DeniedOperation),
    );
    check(
        ENGINE,
        Operation::Act(TaskKind::PluginUpdate),
        Target::All,
        Some(Rule::DeniedOperation),
    );

    for held in [
        Operation::Disable,
        Operation::Cancel,
        Operation::Pause,
        Operation::Schedule,
        Operation::SetMode(Mode::Advise),
    ] {
        check(OWNER, held, backup, Some(Rule::RequiredTask));
        check(
            OWNER,
            held,
            Target::Area(TaskKind::Backup),
            Some(Rule::RequiredTask),
        );
    }
    check(OWNER, Operation::Stop, Target::All, Some(Rule::RequiredTask));
    check(OWNER, Operation::Pause, Target::All, Some(Rule::RequiredTask));
    check(OWNER, Operation::Pause, Target::Task("performance"), None);
    check(OWNER, Operation::Run, backup, None);
    check(OWNER, Operation::SetMode(Mode::Automatic), backup, None);

    check(OWNER, Operation::SetMode(Mode::Advise), scan, Some(Rule::ModeMax));
    check(OWNER, Operation::SetMode(Mode::Observe), scan, None);
    check(
        OWNER,
        Operation::SetMode(Mode::Automatic),
        Target::All,
        Some(Rule::ModeMax),
    );
    check(
        ENGINE,
        Operation::Act(TaskKind::SecurityScan),
        Target::All,
        Some(Rule::ModeMax),
    );
    check(
        ENGINE,
        Operation::Act(TaskKind::Performance),
        Target::All,
        Some(Rule::ModeMax),
    );
    check(ENGINE, Operation::Act(TaskKind::Backup), Target::All, None);
    check(
        ENGINE,
        Operation::Measure(TaskKind::SecurityScan),
        Target::All,
        None,
    );
    // A mode is about what is done without being asked.
    check(OWNER, Operation::Act(TaskKind::Performance), Target::All, None);
    let command = Target::Command {
        task: "mine",
        command: "true",
    };
    check(ENGINE, Operation::Run, command, Some(Rule::ModeMax));
    check(OWNER, Operation::Run, command, None);
}

#[test]
fn only_allowed_commands_run() {
    fn check(allowed: &str, command: &str, runs: bool) {
        let system = rules(&format!(r#"{{ "task_commands_allowed": {allowed} }}"#));
        let policy = Policy::combine(system, PolicyRules::default());
        let target = Target::Command {
            task: "mine",
            command,
        };
        for operation in [Operation::Register, Operation::Run] {
            let refused = refused(OWNER, operation, target, &policy);
            assert_eq!(refused.is_none(), runs, "{allowed}: {command}");
        }
        assert_eq!(refused(OWNER, Operation::Cancel, target, &policy), None);
    }
    check("true", "rm -rf /", true);
    check("false", "true", false);
    check("[]", "true", false);
    let some = r#"["/usr/bin/rsync", "/opt/team/", ""]"#;
    check(some, "/usr/bin/rsync", true);
    check(some, "/usr/bin/rsync -a 'my files' there", true);
    check(some, "/usr/bin/rsync-evil", false);
    check(some, "/opt/team/clean --all", true);
    check(some, "/opt/team/../../bin/sh", false);
    check(some, "sh -c /usr/bin/rsync", false);
    for more in [
        "; rm x", " && rm x", " | sh", " $(rm x)", " `rm x`", " > x", "\nrm x",
    ] {
        check(some, &format!("/usr/bin/rsync{more}"), false);
    }
}

#[test]
fn a_user_can_tighten_but_not_hold_back_what_the_machine_requires() {
    let policy = Policy::combine(
        rules(r#"{ "required_tasks": ["backup"] }"#),
        rules(
            r#"{
                "mode_max": { "*": "observe" },
                "denied_operations": ["act", "pause", "run"]
            }"#,
        ),
    );
    let by_user = |rule| Some((Layer::User, rule));
    let check = |who, operation, target: Target<'_>, expect| {
        assert_eq!(
            refused(who, operation, target, &policy),
            expect,
            "{operation:?} {target:?}"
        );
    };
    check(
        ENGINE,
        Operation::Act(TaskKind::Performance),
        Target::All,
        by_user(Rule::DeniedOperation),
    );
    check(
        OWNER,
        Operation::Pause,
        Target::Task("performance"),
        by_user(Rule::DeniedOperation),
    );
    check(
        OWNER,
        Operation::Run,
        Target::Task("performance"),
        by_user(Rule::DeniedOperation),
    );
    check(ENGINE, Operation::Act(TaskKind::Backup), Target::All, None);
    check(ENGINE, Operation::Run, Target::Task("backup"), None);
    assert_eq!(policy.mode_max("backup"), Mode::Automatic);
    assert_eq!(policy.mode_max("performance"), Mode::Observe);
}

#[test]
fn what_cannot_be_audited_is_not_done_where_that_is_wanted() {
    let strict = rules(r#"{ "audit_required": true }"#);
    let act = Operation::Act(TaskKind::LogRotation);
    assert_eq!(Policy::default().unaudited(act), Ok(()));
    let policy = Policy::combine(strict.clone(), PolicyRules::default());
    let refusal = policy.unaudited(act).unwrap_err();
    assert_eq!(
        (refusal.layer, refusal.rule),
        (Layer::System, Rule::AuditRequired)
    );
    assert_eq!(policy.unaudited(Operation::Health), Ok(()));
    let policy = Policy::combine(PolicyRules::default(), strict);
    assert_eq!(policy.unaudited(act).unwrap_err().layer, Layer::User);
}

#[test]
fn a_refusal_says_whose_rule_and_what_to_do() {
    let policy = Policy::combine(
        rules(r#"{ "denied_operations": ["stop"] }"#),
        PolicyRules::default(),
    );
    let refusal = authorise(OWNER, Operation::Stop, Target::All, (), &policy).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the operation is denied (system policy, denied_operations)"
    );
    assert_eq!(
        refusal.remedy(),
        "ask whoever looks after this machine to change its policy"
    );
    assert_eq!(refusal.code, Code::PolicyViolation);
}

#[test]
fn mistakes_in_a_policy_are_named() {
    let mistaken =
        rules(r#"{ "denied_operations": ["stop", "explode", "act"], "task_commands_allowed": ["ls", " "] }"#);
    assert_eq!(
        mistaken.problems(),
        [
            Problem::UnknownOperation("explode".to_owned()),
            Problem::EmptyPrefix
        ]
    );
    let long = PolicyRules {
        required_tasks: vec!["backup".to_owned(); RULES_MAX + 1],
        ..PolicyRules::default()
    };
    assert_eq!(long.problems(), [Problem::TooMany("required_tasks")]);
    assert_eq!(PolicyRules::default().problems(), []);
}

fn any_rules() -> impl Strategy<Value = PolicyRules> {
    let area = prop::sample::select(vec!["*", "backup", "performance", "security-scan", "mine"]);
    let mode = prop::sample::select(Mode::ALL);
    let names: Vec<&str> = Operation::all()
        .map(Operation::name)
        .chain(["act", "measure"])
        .collect();
    let task = prop::sample::select(vec!["backup", "performance", "health-check", "mine"]);
    let prefix = prop::sample::select(vec!["/usr/bin/rsync", "/opt/", "true"]);
    let owned = |of: Vec<&str>| of.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let commands = prop_oneof![
        any::<bool>().prop_map(Commands::All),
        prop::collection::vec(prefix, 0..3).prop_map(move |of| Commands::Prefixes(owned(of))),
    ];
    (
        prop::collection::btree_map(area.prop_map(str::to_owned), mode, 0..4),
        prop::collection::vec(prop::sample::select(names), 0..4).prop_map(owned),
        prop::collection::vec(task, 0..3).prop_map(owned),
        commands,
        any::<bool>(),
    )
        .prop_map(
            |(mode_max, denied_operations, required_tasks, task_commands_allowed, audit_required)| {
                PolicyRules {
                    mode_max,
                    denied_operations,
                    required_tasks,
                    task_commands_allowed,
                    audit_required,
                }
            },
        )
}

fn targets() -> impl Iterator<Item = Target<'static>> {
    let tasks = ["backup", "performance", "mine"].map(Target::Task);
    let commands = ["true", "/usr/bin/rsync -a", "/opt/x; rm"].map(|command| Target::Command {
        task: "mine",
        command,
    });
    let areas = [TaskKind::Backup, TaskKind::SecurityScan].map(Target::Area);
    [Target::All]
        .into_iter()
        .chain(tasks)
        .chain(commands)
        .chain(areas)
}

proptest! {
    #[test]
    fn whatever_the_user_says_nothing_is_allowed_that_the_system_forbids(system in any_rules(), user in any_rules()) {
        let alone = Policy::combine(system.clone(), PolicyRules::default());
        let both = Policy::combine(system, user);
        for who in [OWNER, ENGINE, STRANGER] {
            for operation in Operation::all() {
                for target in targets() {
                    let forbidden = authorise(who, operation, target, (), &alone).err();
                    let refused = authorise(who, operation, target, (), &both).err();
                    if forbidden.is_some() {
                        prop_assert_eq!(refused, forbidden, "{:?} {:?} {:?}", who, operation, target);
                    }
                }
                prop_assert!(alone.unaudited(operation).is_ok() || both.unaudited(operation).is_err());
            }
        }
        for area in ["backup", "performance", "security-scan", "mine", "other"] {
            prop_assert!(both.mode_max(area) <= alone.mode_max(area));
        }
    }

    #[test]
    fn the_engine_acts_exactly_as_far_as_the_mode_goes(system in any_rules(), user in any_rules()) {
        let policy = Policy::combine(system, user);
        for kind in TaskKind::ALL {
            let refused = refused(ENGINE, Operation::Act(*kind), Target::Area(*kind), &policy);
            if policy.mode_max(kind.name()) < Mode::Automatic {
                prop_assert!(refused.is_some());
            } else {
                prop_assert!(refused.is_none_or(|(_, rule)| rule == Rule::DeniedOperation));
            }
        }
    }

    #[test]
    fn rules_come_back_as_they_were_written(rules in any_rules()) {
        let text = serde_json::to_string(&rules).unwrap();
        prop_assert_eq!(serde_json::from_str::<PolicyRules>(&text).unwrap(), rules);
    }
}
