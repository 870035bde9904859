//! How the list looks on screens of every size.

use super::super::state::{About, Op};
use super::*;

const SECOND_NS: i64 = 1_000_000_000;

fn row(text: &[u8], cwd: &str, seconds_ago: i64, status: Option<i32>) -> Row {
    Row {
        text: text.into(),
        about: About {
            known: true,
            time_ns: 1_700_000_000 * SECOND_NS - seconds_ago * SECOND_NS,
            cwd: cwd.into(),
            status,
        },
    }
}

fn search(rows: Vec<Row>) -> Search {
    let mut search = Search::new();
    search.take_change();
    rows.into_iter().for_each(|row| search.offer(row));
    search.told(true);
    search
}

fn screen(search: &Search, said: Option<&str>, size: (usize, usize), utf8: bool) -> Vec<String> {
    width::utf8_locale();
    let list = List {
        search,
        said,
        host: "",
        more: false,
        home: b"/home/me",
        now_ns: 1_700_000_000 * SECOND_NS,
    };
    let (mut frame, mut marks) = (Frame::default(), Marks::default());
    frame.begin(size.0);
    frame.text("$", Style::PLAIN);
    list.lay(&mut frame, size, utf8, &mut marks);
    assert!(frame.rows().len() <= size.1, "it fits");
    assert!(
        frame.rows().iter().all(|row| !row.wrapped && row.cols < size.0),
        "no row wraps"
    );
    let text = |n: usize| frame.row(n).iter().map(|cell| cell.ch).collect::<String>();
    (1..frame.rows().len())
        .map(|n| text(n).trim_end().to_owned())
        .collect()
}

fn three() -> Search {
    search(vec![
        row(b"git push origin main", "/home/me/project", 125, Some(0)),
        row(
            b"make all",
            "/home/me/a/folder/with/a/very/long/name",
            7_300,
            Some(2),
        ),
        row(
            "for i\ndo \u{4f60}\x1b[m\u{e4}\u{ff}".as_bytes(),
            "",
            90_000,
            None,
        ),
    ])
}

#[test]
fn rows_say_what_when_and_where() {
    let rows = screen(&three(), None, (80, 24), true);
    assert_eq!(
        rows,
        [
            "git push origin main                                          ~/project · 2 min",
            "make all                              failed 2 · …r/with/a/very/long/name · 2 h",
            "for i↵do 你^[[mäÿ                                                           1 d",
            "Alt: h any folder · s any end · w any time · m this machine · o newest · e why",
        ]
    );
    let rows = screen(&three(), None, (40, 24), true);
    assert_eq!(
        rows,
        [
            "git push origin main              2 min",
            "make all                 failed 2 · 2 h",
            "for i↵do 你^[[mäÿ                   1 d",
            "Alt: h s w m o e: choose",
        ]
    );
    assert_eq!(
        screen(&three(), None, (16, 24), true),
        [
            "git push origi…",
            "make all",
            "for i↵do 你^[[…",
            "Alt: h s w m o…"
        ]
    );
}

#[test]
fn bytes_that_are_no_text_are_shown_as_such() {
    let one = search(vec![row(b"a\xff\x07b\ttab", "/\x1b]0;x\x07", 0, Some(1))]);
    let rows = screen(&one, None, (80, 24), true);
    assert!(rows[0].starts_with("a\u{fffd}^Gb^Itab "), "{rows:?}");
    assert!(rows[0].contains("failed 1 · /^[]0;x^G · 0 s"), "{rows:?}");
    let rows = screen(&one, None, (80, 24), false);
    assert!(rows[0].starts_with("a\\377^Gb^Itab "), "{rows:?}");
}

#[test]
fn every_window_has_what_matters_most() {
    let many: Vec<Row> = (0..30)
        .map(|n| row(format!("command {n}").as_bytes(), "/x", 0, Some(0)))
        .collect();
    let mut search = search(many);
    assert_eq!(screen(&search, Some("because"), (80, 24), true).len(), 10);
    for _ in 0..12 {
        search.act(Op::RowDown, b"");
    }
    for rows in 1..30 {
        for cols in [2, 3, 10, 40, 80, 200] {
            let shown = screen(&search, Some("because"), (cols, rows), true);
            let has = |text: &str| shown.iter().any(|row| row.contains(text));
            if rows > 1 && cols >= 40 {
                // The chosen one before all else.
                assert!(has("command 11"), "{rows} {cols}: {shown:?}");
                assert_eq!(has("Alt: "), rows > 2, "{rows} {cols}: {shown:?}");
                assert_eq!(has("because"), rows > 5, "{rows} {cols}: {shown:?}");
            }
        }
    }
}

#[test]
fn choices_that_were_made_are_told_on_narrow_screens_too() {
    let mut search = three();
    search.act(Op::Here, b"");
    search.act(Op::Ended, b"");
    search.act(Op::Since, b"");
    let rows = screen(&search, None, (60, 24), true);
    assert_eq!(
        rows.last().map(String::as_str),
        Some("Alt: h this folder · s worked · w today")
    );
}

#[test]
fn the_prompt_is_readlines_and_holds_no_control_character() {
    let prompt = |search: &Search| {
        let mut out = Vec::new();
        write_prompt(search, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    let mut search = three();
    assert_eq!(prompt(&search), "(reverse-i-search)`': ");
    search.add(b"\x01\x1b[31m\xff");
    search.told(true);
    assert_eq!(prompt(&search), "(failed reverse-i-search)`^A^[[31m\u{fffd}': ");
    search.act(Op::Newer, b"");
    assert!(
        prompt(&search).starts_with("(failed i-search)`"),
        "{}",
        prompt(&search)
    );
}

#[test]
fn folders_are_shortened_from_their_beginning() {
    let check = |cwd: &str, expect: &str| assert_eq!(folder(cwd.as_bytes(), b"/home/me"), expect);
    check("/home/me", "~");
    check("/home/me/x", "~/x");
    check("/home/mellow", "/home/mellow");
    check("/var/lib/something/or/other/else", "…something/or/other/else");
}
