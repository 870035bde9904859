//! What is found of a session's prompts, whatever its clock does and however often it is looked at.

use super::super::blame::{Change, ChangeKind, Measured, Suspect};
use super::super::reach::{Reach, suspects};
use super::*;

const S: i64 = 1_000_000_000;
const OWN: &str = "000000000000000a";
const MATTERS: Matters = Matters {
    least: 5e6,
    share: 0.2,
};

/// A session whose rings never lose anything, and whose clock can be set.
struct Session {
    wall_ns: i64,
    prompts: Vec<TimedPrompt>,
    lines: Vec<(i64, &'static str)>,
}

impl Rows for Session {
    fn timed(&self) -> Option<u64> {
        Some(self.prompts.len() as u64)
    }

    fn typed(&self) -> u64 {
        self.lines.len() as u64
    }

    fn prompts_since(&self, from: u64) -> impl Iterator<Item = TimedPrompt> {
        self.prompts.iter().skip(from as usize).copied()
    }

    fn lines_since(&self, from: u64) -> impl Iterator<Item = PromptChange<'_>> {
        let lines = self.lines.iter().enumerate().skip(from as usize);
        lines.map(|(number, (at_ns, text))| PromptChange {
            number: number as u64,
            wall_ns: at_ns.cast_unsigned(),
            text: text.as_bytes(),
            looks_alone: false,
        })
    }
}

impl Session {
    fn prompt(&mut self, ms: u64) {
        self.wall_ns += S;
        let number = self.prompts.len() as u64;
        self.prompts.push(TimedPrompt {
            number,
            wall_ns: self.wall_ns.cast_unsigned(),
            took_ns: ms * 1_000_000 + number * 7 % 5 * 100_000,
            changes: self.lines.len() as u64,
            folder: 1,
            command_us: None,
        });
    }

    fn types(&mut self, line: &'static str) {
        self.wall_ns += S / 2;
        self.lines.push((self.wall_ns, line));
    }
}

/// What somebody does who tries a prompt out: of three lines the second makes it slower.
const STORY: [Option<&str>; 7] = [
    None,
    Some("decoy one"),
    None,
    Some("slow line"),
    None,
    Some("decoy two"),
    None,
];

/// Tells the story, with the clock set by so much before the step of that number, and looks after each of some prompts.
/// Gives who was suspected of what was found.
fn told(set_at: usize, set_by_ns: i64, looks: impl Fn(u64) -> bool) -> Vec<Vec<Suspect>> {
    let mut session = Session {
        wall_ns: 1_795_000_000 * S,
        prompts: Vec::new(),
        lines: Vec::new(),
    };
    let mut prompts = Prompts::default();
    let mut changes = Vec::new();
    let mut found = Vec::new();
    let mut look = |session: &Session, changes: &mut Vec<Change>| {
        prompts.fold(session.wall_ns, session.prompts.len() as u64, session, MATTERS);
        changes.extend(prompts.typed.drain(..).map(|line| Change {
            at_ns: line.at_ns,
            what: line.what,
            kind: ChangeKind::Rc,
            session: Some(OWN.into()),
            number: Some(line.number),
        }));
        found.extend(prompts.moved.drain(..).map(|found| {
            let reach = Reach::Session {
                id: OWN,
                lines: found.lines,
                none: found.none,
                in_command: found.in_command,
            };
            suspects(&found.changepoint, reach, Measured::Session, &*changes)
        }));
    };
    let (mut is_slow, mut number) = (false, 0);
    for (step, line) in STORY.iter().enumerate() {
        if step == set_at {
            session.wall_ns += set_by_ns;
        }
        if let Some(line) = line {
            session.types(line);
            is_slow |= line.starts_with("slow");
            continue;
        }
        let many = if step == 0 || step == STORY.len() - 1 {
            16
        } else {
            1
        };
        for _ in 0..many {
            session.prompt(if is_slow { 60 } else { 3 });
            number += 1;
            if looks(number) {
                look(&session, &mut changes);
            }
        }
    }
    look(&session, &mut changes);
    found
}

#[test]
fn a_clock_that_is_set_puts_no_line_on_the_other_side() {
    let year_ns = 365 * 24 * 3_600 * S;
    for set_by_ns in [-year_ns, -3_600 * S, -10 * S, -2 * S, -S, S, 3_600 * S, year_ns] {
        for set_at in 0..STORY.len() {
            for every in [1, 3, 7, 100] {
                let found = told(set_at, set_by_ns, |number| number % every == 0);
                let what = format!("set by {set_by_ns} at {set_at}, looked every {every}: {found:?}");
                let [suspects] = &found[..] else {
                    panic!("{what}");
                };
                let named: Vec<_> = suspects
                    .iter()
                    .filter_map(|suspect| suspect.what.as_deref())
                    .collect();
                assert_eq!(named, ["`slow line` was typed"], "{what}");
                assert!(suspects[0].confidence > 0.9, "{what}");
            }
        }
    }
}

#[test]
fn the_same_line_typed_again_is_another() {
    let line = |number| Change {
        at_ns: S,
        what: "`slow line` was typed".into(),
        kind: ChangeKind::Rc,
        session: Some(OWN.into()),
        number,
    };
    let mut noticed = noticed::Noticed::default();
    noticed.note(line(Some(3)));
    assert!(noticed.knows(&line(Some(3))));
    assert!(
        !noticed.knows(&line(Some(4))),
        "within a second, or by a clock that was set back"
    );
    assert!(
        noticed.knows(&line(None)),
        "as a version before this one tells it"
    );
}

#[test]
fn numbers_that_make_no_sense_are_survived() {
    struct Liar(Vec<TimedPrompt>);
    impl Rows for Liar {
        fn timed(&self) -> Option<u64> {
            Some(u64::MAX)
        }
        fn typed(&self) -> u64 {
            u64::MAX
        }
        fn prompts_since(&self, _from: u64) -> impl Iterator<Item = TimedPrompt> {
            self.0.iter().copied()
        }
        fn lines_since(&self, from: u64) -> impl Iterator<Item = PromptChange<'_>> {
            [from, 0, u64::MAX].into_iter().map(|number| PromptChange {
                number,
                wall_ns: u64::MAX,
                text: b"\xff\x1b[2J",
                looks_alone: false,
            })
        }
    }
    let numbers = [0, u64::MAX, 1 << 63, 7, u64::MAX - 1, 3];
    let prompts = numbers
        .iter()
        .cycle()
        .take(200)
        .enumerate()
        .map(|(at, number)| TimedPrompt {
            number: number.rotate_left(at as u32),
            wall_ns: number.rotate_right(at as u32),
            took_ns: *number,
            changes: number.rotate_left(3 * at as u32),
            folder: number.rotate_left(at as u32 / 7),
            command_us: None,
        });
    let rows = Liar(prompts.collect());
    let mut prompts = Prompts::default();
    for _ in 0..3 {
        prompts.fold(i64::MIN, u64::MAX, &rows, MATTERS);
    }
    assert!(prompts.typed.len() <= 3 * 4 * 201, "{}", prompts.typed.len());
}
