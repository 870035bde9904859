//! Tables of records of starts, each with what the next start is to do.

use super::*;

const OLD: Version = 1;
const NEW: Version = 2;
const SECOND: i64 = 1_000_000_000;
const NOW: i64 = 1_000 * SECOND;

/// Starts, oldest first, a hundred seconds apart: version, then how it went. `r` ready, `p` partial, `i` interrupted after
/// seconds, `x` gone, `e` became another program that ended at once, `o` is another program, `O` was one, `h` alive and
/// old, `a` asks for something, `?` alive and young, `b` alive and from the future, `s` shows its first prompt, `d` showed it
/// and is gone.
fn starts(story: &[(Option<Version>, char)]) -> Vec<Start> {
    let count = story.len() as i64;
    let start = |(index, &(ran, went)): (usize, &(Option<Version>, char))| Start {
        began_ns: match went {
            '?' => NOW - 2 * SECOND,
            'b' => NOW + 500 * SECOND,
            _ => NOW - (count - index as i64) * 100 * SECOND,
        },
        ran,
        reached: match went {
            'r' => Some(Reached::Ready),
            'p' => Some(Reached::Partial),
            'i' => Some(Reached::Interrupted),
            'O' => Some(Reached::Became),
            's' | 'd' => Some(Reached::Shown),
            _ => None,
        },
        replaced: matches!(went, 'e' | 'o' | 'O'),
        process: match went {
            'x' | 'r' | 'e' | 'O' | 'd' => Process::Gone,
            'o' => Process::Other,
            'a' => Process::Asks,
            _ => Process::Shell,
        },
    };
    story.iter().enumerate().map(start).collect()
}

fn check(story: &[(Option<Version>, char)], good: Option<Version>, expect: Use) {
    let decision = decide(&starts(story), NEW, good, false, NOW);
    assert_eq!(decision.use_, expect, "{story:?}, good {good:?}");
    assert_eq!(
        decision.because.is_some(),
        expect != Use::Current,
        "{story:?} says why"
    );
    let retried = decide(&starts(story), NEW, good, true, NOW);
    assert_eq!(
        (retried.use_, retried.because),
        (Use::Current, None),
        "{story:?}, retried"
    );
}

#[test]
fn what_is_used_follows_from_what_happened() {
    let (old, new) = (Some(OLD), Some(NEW));
    check(&[], None, Use::Current);
    check(&[(new, 'r')], None, Use::Current);
    for failed in ['x', 'e', 'h'] {
        check(&[(new, failed)], None, Use::Nothing);
        check(&[(new, failed)], old, Use::LastGood);
        // Promoted just now: the start before the edit.
        check(&[(old, 'r'), (new, failed)], None, Use::LastGood);
        // And again the start after, and after a prompt was reached with the good copy, or with none.
        check(&[(new, failed), (old, 'r')], old, Use::LastGood);
        check(&[(new, failed), (None, 'r')], None, Use::Nothing);
        // The good copy failed too: once may be chance.
        check(&[(new, failed), (old, failed)], old, Use::LastGood);
        check(&[(new, failed), (old, failed), (old, failed)], old, Use::Nothing);
        check(
            &[(new, failed), (old, failed), (old, 'r'), (old, failed)],
            old,
            Use::LastGood,
        );
        // The files on disk are the good ones.
        check(&[(new, failed)], new, Use::Current);
        check(&[(new, failed), (new, failed)], new, Use::Nothing);
        check(&[(new, failed), (new, 'r'), (new, failed)], new, Use::Current);
        // Another version's failure is none of ours.
        check(&[(old, failed)], None, Use::Current);
    }
    // Several terminals at once; a clock that jumped back.
    check(&[(new, '?'), (new, '?')], None, Use::Current);
    check(&[(new, 'b')], None, Use::Current);
    // An interrupted start reached its prompt: neither a failure nor good.
    check(&[(new, 'p')], old, Use::Current);
    check(&[(new, 'x'), (new, 'p')], old, Use::Current);
}

#[test]
fn a_program_that_takes_the_shell_s_place_and_lives_is_no_failure() {
    let (old, new) = (Some(OLD), Some(NEW));
    for lives in ['o', 'O'] {
        check(&[(new, lives)], None, Use::Current);
        check(&[(new, lives), (new, lives), (new, lives)], old, Use::Current);
        check(&[(new, lives), (new, lives), (new, lives)], new, Use::Current);
        // The shell in it is not judged by the one around it.
        check(&[(new, lives), (new, 's')], old, Use::Current);
        check(&[(new, 'e'), (new, lives)], old, Use::Current);
        check(&[(new, lives), (new, 'e')], old, Use::LastGood);
    }
}

#[test]
fn a_shell_that_dies_at_its_prompt_three_times_in_a_row_is_a_failure_of_files_that_never_lived() {
    let (old, new) = (Some(OLD), Some(NEW));
    let died = (new, 'd');
    check(&[died, died], old, Use::Current);
    check(&[died, died, died], old, Use::LastGood);
    check(&[died, died, died], None, Use::Nothing);
    // With shells that live on the good files between them, and with one whose prompt has just come.
    check(&[died, died, (old, 'r'), died, (old, 'r')], old, Use::LastGood);
    check(&[died, died, died, (new, 's')], old, Use::LastGood);
    // One that lives ends the suspicion; files that once lived are under none.
    check(&[died, died, (new, 'r'), died], old, Use::Current);
    check(&[died, died, died, died], new, Use::Current);
    // It had a prompt, so what came before is forgiven.
    check(&[(new, 'x'), (new, 's')], old, Use::Current);
    let shown = decide(&starts(&[(new, 's')]), NEW, old, false, NOW);
    assert_eq!((shown.promote, shown.discard), (None, vec![]), "it may yet live");
}

#[test]
fn files_that_were_interrupted_after_seconds_give_way_to_good_ones() {
    let (old, new) = (Some(OLD), Some(NEW));
    check(&[(new, 'i')], old, Use::LastGood);
    check(&[(new, 'i'), (old, 'r')], old, Use::LastGood);
    // There is nothing to go back to, or they once ran to their end.
    check(&[(new, 'i'), (new, 'i')], None, Use::Current);
    check(&[(new, 'i')], new, Use::Current);
    check(&[(new, 'i'), (new, 's')], old, Use::Current);
}

#[test]
fn whoever_is_asked_for_something_may_take_his_time() {
    check(&[(Some(NEW), 'a')], Some(OLD), Use::Current);
}

#[test]
fn only_files_that_ran_to_their_end_become_the_good_ones() {
    let check = |story: &[(Option<Version>, char)], good, expect| {
        assert_eq!(
            decide(&starts(story), NEW, good, false, NOW).promote,
            expect,
            "{story:?}"
        );
    };
    check(&[(Some(OLD), 'r')], None, Some(0));
    check(&[(Some(OLD), 'r'), (Some(NEW), 'r')], None, Some(1));
    check(&[(Some(NEW), 'r')], Some(NEW), None);
    check(
        &[(Some(NEW), 'p'), (Some(NEW), 'x'), (None, 'r')],
        Some(OLD),
        None,
    );
}

#[test]
fn records_that_say_nothing_more_are_discarded_and_the_rest_is_bounded() {
    let check = |story: &[(Option<Version>, char)], expect: &[usize]| {
        assert_eq!(
            decide(&starts(story), NEW, Some(OLD), false, NOW).discard,
            expect,
            "{story:?}"
        );
    };
    check(
        &[
            (Some(9), 'x'),
            (None, 'x'),
            (Some(OLD), 'r'),
            (Some(NEW), 'x'),
            (Some(9), '?'),
        ],
        &[0, 1, 2],
    );
    check(&[(Some(NEW), 'x'), (Some(OLD), 'x'), (Some(NEW), 'r')], &[0, 1]);
    let many = vec![(Some(NEW), '?'); STARTS_MAX + 5];
    check(&many, &[0, 1, 2, 3, 4]);
    // However many starts with the good copy follow, the failure is remembered.
    let mut story = vec![(Some(OLD), 'r'); 3 * STARTS_MAX];
    story.insert(0, (Some(NEW), 'x'));
    let decision = decide(&starts(&story), NEW, Some(OLD), false, NOW);
    assert!(!decision.discard.contains(&0));
}

#[test]
fn the_message_says_what_when_and_what_to_do_in_eighty_columns() {
    let check = |failed: char, good, expect: &str| {
        let decision = decide(&starts(&[(Some(NEW), failed)]), NEW, good, false, NOW);
        let text =
            message(&decision, "~/.bash_profile and ~/.bashrc", "", NOW).expect("there is something to say");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(text.contains(expect), "{text}");
        assert!(
            text.contains("--retry") && text.contains("1 minute ago"),
            "{text}"
        );
    };
    check('x', None, "the shell ended before");
    check('x', None, "read none");
    check('h', Some(OLD), "still has no prompt");
    check('i', Some(OLD), "was interrupted");
    check('e', Some(OLD), "became another program");
    check('e', Some(OLD), "the last version that reached a prompt");
    let died = decide(&starts(&[(Some(NEW), 'd'); DIED_MAX]), NEW, None, false, NOW);
    let text = message(&died, "~/.bashrc", "", NOW).expect("there is something to say");
    assert!(text.contains("three times in a row"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    assert_eq!(
        message(&decide(&[], NEW, None, false, NOW), "~/.bashrc", "", NOW),
        None
    );
}
