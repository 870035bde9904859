//! The search against a list, as a source would tell it.

use super::*;
use proptest::prelude::*;

fn row(text: &str) -> Row {
    Row {
        text: text.into(),
        about: About {
            known: true,
            ..About::default()
        },
    }
}

/// Does all that a source owes, from `list`, newest first.
fn tell(search: &mut Search, list: &[&str]) {
    if search.take_change() == Some(Change::Anew) || !search.complete {
        let text = search.text.clone();
        for found in list.iter().filter(|found| contains(found.as_bytes(), &text)) {
            search.offer(row(found));
        }
    }
    search.told(true);
}

/// Types keys, `<` for Ctrl-R, `>` for Ctrl-S, `-` for Backspace, each answered; gives the prompt's mood and what is shown.
fn typed(keys: &str, list: &[&str]) -> String {
    let mut search = Search::new();
    tell(&mut search, list);
    for key in keys.chars() {
        match key {
            '<' => search.act(Op::Older, b"last"),
            '>' => search.act(Op::Newer, b"last"),
            '-' => search.act(Op::Rubout, b"last"),
            'W' => search.act(Op::TakeWord, b"last"),
            'Y' => search.act(Op::TakeRest, b"last"),
            'D' => search.act(Op::RowDown, b"last"),
            'U' => search.act(Op::RowUp, b"last"),
            key => search.add(key.to_string().as_bytes()),
        }
        tell(&mut search, list);
    }
    let shown = search
        .shown()
        .map_or("", |row| std::str::from_utf8(&row.text).unwrap_or("?"));
    let mood = if search.failed { "!" } else { "" };
    format!("{mood}{}:{shown}", String::from_utf8_lossy(&search.text))
}

const LIST: &[&str] = &[
    "git push",
    "ls -la",
    "git pull",
    "cargo test",
    "git push origin",
    "ls",
];

#[test]
fn keys_lead_where_readlines_lead() {
    let check = |keys: &str, expect: &str| assert_eq!(typed(keys, LIST), expect, "{keys}");
    check("", ":");
    check("g", "g:git push");
    check("git pul", "git pul:git pull");
    check("git<", "git:git pull");
    check("git<<", "git:git push origin");
    check("git<<<", "!git:git push origin");
    check("git<<<>", "git:git pull");
    check("git>", "!git:git push");
    check("git<>", "git:git push");
    // What is shown stays as long as it matches.
    check("g<it p", "git p:git pull");
    check("g<it push", "git push:git push origin");
    check("zz", "!zz:");
    check("lsx", "!lsx:ls -la");
    check("lsx-", "ls:ls -la");
    check("ls---", ":");
    check("-", ":");
}

#[test]
fn the_list_is_walked_before_anything_is_typed() {
    let check = |keys: &str, expect: &str| assert_eq!(typed(keys, LIST), expect, "{keys}");
    check("D", ":git push");
    check("DDD", ":git pull");
    check("DDU", ":git push");
    check("DDt", "t:git pull");
    check("DDDDDDD", "!:ls");
    // Ctrl-R searches for what was searched for last.
    check("<", "!last:");
}

#[test]
fn words_are_taken_from_what_is_shown() {
    let check = |keys: &str, expect: &str| assert_eq!(typed(keys, LIST), expect, "{keys}");
    check("git p<W", "git pull:git pull");
    check("git puY", "git push:git push");
    check("git push<Y", "git push origin:git push origin");
    // No word begins there.
    check("gitW", "git:git push");
}

#[test]
fn each_command_is_there_once_however_it_is_written() {
    let mut search = Search::new();
    search.take_change();
    for text in ["for i in 1; do ls; done", "for i in 1\ndo ls\ndone", "ls", "ls"] {
        search.offer(row(text));
    }
    assert_eq!(search.rows().len(), 2);
}

#[test]
fn what_is_not_known_yet_is_waited_for() {
    let mut search = Search::new();
    search.add(b"git");
    search.act(Op::Older, b"");
    search.act(Op::Older, b"");
    assert!(search.is_pending() && search.shown().is_none());
    tell(&mut search, LIST);
    assert_eq!(
        search.shown().map(|row| &row.text[..]),
        Some(&b"git push origin"[..])
    );
    // With another filter all begins anew, and what is shown stays until something is found.
    search.act(Op::Here, b"");
    assert!(search.is_pending() && search.shown().is_some());
    tell(&mut search, &["git here"]);
    assert_eq!(search.shown().map(|row| &row.text[..]), Some(&b"git here"[..]));
}

#[test]
fn a_character_is_taken_back_whole() {
    let mut search = Search::new();
    search.add("a\u{fc}\u{4f60}".as_bytes());
    search.act(Op::Rubout, b"");
    assert_eq!(search.text, "a\u{fc}".as_bytes());
    search.act(Op::Rubout, b"");
    assert_eq!(search.text, b"a");
    search.add(b"\xff\x80");
    search.act(Op::Rubout, b"");
    search.act(Op::Rubout, b"");
    search.act(Op::Rubout, b"");
    assert!(search.text.is_empty() && search.take_bell());
}

#[test]
fn what_is_pasted_is_bounded() {
    let mut search = Search::new();
    search.add(&vec![b'a'; TEXT_MAX + 1]);
    assert!(search.text.is_empty() && search.take_bell());
}

/// What a search through all of the list comes to.
fn model(text: &str, older: usize, list: &[&str]) -> Option<String> {
    let mut found: Vec<&str> = Vec::new();
    for one in list.iter().filter(|one| one.contains(text)) {
        if !found.contains(one) {
            found.push(one);
        }
    }
    found.get(older).map(|one| (*one).to_owned())
}

proptest! {
    #[test]
    fn text_and_steps_come_to_what_a_whole_search_comes_to(
        list in proptest::collection::vec("[ab]{1,4}", 0..30),
        text in "[ab]{1,3}",
        backed in "[ab]{0,2}",
        older in 0_usize..6,
    ) {
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        let keys: String = text.chars()
            .chain(backed.chars())
            .chain("-".repeat(backed.len()).chars())
            .chain("<".repeat(older).chars())
            .collect();
        let expect = model(&text, older, &list);
        let found = typed(&keys, &list);
        match expect {
            Some(expect) => prop_assert_eq!(found, format!("{text}:{expect}")),
            None => prop_assert!(found.starts_with('!'), "{}", found),
        }
    }

    #[test]
    fn nothing_that_is_typed_panics(keys in "[ab<>WYDU-]{0,40}", list in proptest::collection::vec("[ab ]{0,4}", 0..20)) {
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        typed(&keys, &list);
    }
}
