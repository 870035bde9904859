//! What `maint analyze` says of files, sound and broken.

use super::*;

fn analyzed(text: &[u8], json: bool) -> (String, Summary) {
    let mut output = Vec::new();
    let mut summary = analyze(&mut BufReader::new(text), &mut output, json).unwrap();
    summary.took = Duration::ZERO;
    (String::from_utf8(output).unwrap(), summary)
}

#[test]
fn rows_in_every_dress() {
    fn check(line: &str, expect: Option<(i64, f64)>) {
        let mut rows = Rows::default();
        let row = rows.read(line.as_bytes(), 1).unwrap();
        assert_eq!(row.map(|row| (row.at_ns, row.value)), expect, "{line:?}");
    }
    const S: i64 = 1_000_000_000;
    const DAY: i64 = 1_396_310_400 * S;
    check("2014-04-01T00:00:00Z,1.5", Some((DAY, 1.5)));
    check("2014-04-01T02:00:00+02:00,1.5", Some((DAY, 1.5)));
    check("2014-04-01 00:00:00,1.5", Some((DAY, 1.5)));
    check("2014-04-01 00:00:00.000000;1.5", Some((DAY, 1.5)));
    check("\"2014-04-01\"\t\"1.5\"\r", Some((DAY, 1.5)));
    check("1396310400,1.5", Some((DAY, 1.5)));
    check("1396310400.0, 1e3 ,", Some((DAY, 1e3)));
    check("2014/04/01 00:00:00;1,5", Some((DAY, 1.5)));
    check("2014/04/01 00:00:00;1.234,5", Some((DAY, 1_234.5)));
    check("\"2014-04-01 00:00:00 UTC\",\"1,234.5\"", Some((DAY, 1_234.5)));
    check("\"Tue, 01 Apr 2014 00:00:00 GMT\",7", Some((DAY, 7.0)));
    check("1396310400000,-1", Some((DAY, -1.0)));
    check("1396310400000000000,-1", Some((DAY, -1.0)));
    check("7,0", Some((7 * S, 0.0)));
    check("\u{feff}timestamp,value", None);
    check("", None);
    check("# a remark", None);
}

#[test]
fn a_header_may_name_the_columns_in_any_order() {
    let (out, summary) = analyzed(b"value,host,timestamp\n4,a,10\n5,b,20\n", false);
    assert_eq!(out, "timestamp,value,score,kind\n10,4,0,\n20,5,0,\n");
    assert_eq!((summary.points, summary.bad_count), (2, 0));
}

#[test]
fn bad_rows_are_named_and_none_is_fatal() {
    let mut text = b"timestamp,value\n1,2\nyesterday,3\n3,x\n4\n5,\xff\n6,\n7,8\n".to_vec();
    text.extend(
        (0..7)
            .map(|at| format!("{at},?\n"))
            .collect::<String>()
            .into_bytes(),
    );
    let (out, summary) = analyzed(&text, false);
    assert_eq!(out, "timestamp,value,score,kind\n1,2,0,\n6,,0,\n7,8,0,\n");
    insta::assert_snapshot!(summary.text("x.csv"));
}

#[test]
fn the_only_column_of_numbers_is_the_value() {
    let text = b"host,timestamp,load\na,10,4\nb,20,5\n";
    let (out, summary) = analyzed(text, false);
    assert_eq!(out, "timestamp,value,score,kind\n10,4,0,\n20,5,0,\n");
    assert_eq!((summary.points, summary.bad_count), (2, 0));
    // Of two nobody knows which, and a value that is missing hides none.
    let (out, summary) = analyzed(b"timestamp,load,heat\n10,4,\n20,5,6\n", false);
    assert_eq!((out.as_str(), summary.bad_count), ("", 2));
    assert!(summary.text("x.csv").contains("calls one of them value or y"));
    let (_, summary) = analyzed(b"timestamp,heat,value\n10,4,\n20,5,6\n", false);
    assert_eq!((summary.points, summary.missing, summary.bad_count), (1, 1, 0));
}

#[test]
fn a_number_is_read_whole_or_not_at_all() {
    let text =
        b"timestamp,value\n1,1,234\n2,\"1,234.5\"\n3,\"1,234\"\n4,\"5\n\"Tue, 14 Nov 2023 22:13:20 GMT\",6\n";
    let (out, summary) = analyzed(text, false);
    assert_eq!(
        out,
        "timestamp,value,score,kind\n2,1234.5,0,\n\"Tue, 14 Nov 2023 22:13:20 GMT\",6,0,\n"
    );
    insta::assert_snapshot!(summary.text("x.csv"));
    // Without a header a row has two fields.
    let (out, summary) = analyzed(b"1,1,234\n2,5\n", false);
    assert_eq!((out.lines().count(), summary.bad_count), (2, 1));
}

#[test]
fn dates_that_can_be_read_in_two_ways_are_told_what_is_read() {
    let (_, summary) = analyzed(b"date,value\n11/14/2023,1\n14.11.2023,1\nnow,1\n", false);
    insta::assert_snapshot!(summary.text("x.csv"));
}

#[test]
fn what_is_beyond_counting_is_said() {
    let mut text: String = (0..200).map(|at| format!("{at},{}\n", at % 3)).collect();
    text += "200,1e300\n";
    let (out, summary) = analyzed(text.as_bytes(), false);
    assert!(out.ends_with(",spike\n"), "{}", out.lines().last().unwrap());
    assert_eq!((summary.points, summary.missing, summary.beyond), (201, 0, 1));
    assert!(
        summary
            .text("x.csv")
            .ends_with("1 value beyond 1e100 counted as that\n")
    );
}

#[test]
fn a_number_too_large_to_count_with_is_not_missing() {
    let (out, summary) = analyzed(b"1,1e309\n2,-1e400\n3,4\n", false);
    assert_eq!(out.lines().count(), 4);
    assert_eq!((summary.points, summary.missing, summary.beyond), (3, 0, 2));
    assert!(
        summary
            .text("x.csv")
            .ends_with("2 values beyond 1e100 counted as that\n")
    );
}

#[test]
fn timestamps_that_do_not_go_on_are_counted_and_told() {
    fn check(rows: &[&str], expect: u64) {
        let (out, summary) = analyzed(rows.join("\n").as_bytes(), false);
        assert_eq!(out.lines().count(), rows.len() + 1);
        assert_eq!(summary.unordered, expect, "{rows:?}");
        let said = summary.text("x.csv");
        assert_eq!(said.contains("not after the one before"), expect > 0, "{said}");
    }
    check(&["1,2", "2,2", "3,2"], 0);
    check(&["1,2", "1,3", "1,4"], 2);
    check(&["3,2", "2,2", "1,2"], 2);
    check(&["1,2", "3,2", "2,2", "4,2"], 1);
    // The first in milliseconds, the others in seconds.
    check(&["1700000000000,2", "1700000300,2", "1700000600,2"], 1);
    check(&["2023-11-14,1", "2023-11-13,1", "2023-11-15,1"], 1);
}

#[test]
fn nothing_is_a_failure_that_says_so() {
    let said = |text: &[u8]| {
        let (out, summary) = analyzed(text, false);
        assert_eq!(out, "", "no row, no header");
        let failure = summary.nothing("x.csv").unwrap();
        assert_eq!(failure.status(), 1);
        failure.to_string()
    };
    assert!(said(b"").starts_with("Error: x.csv is empty: nothing to analyse\nHint: rows are "));
    assert!(said(b"timestamp,value\n").starts_with("Error: x.csv holds no points: "));
    assert!(said(b"1;x\n2;y\n").starts_with("Error: x.csv holds no points: "));
    assert!(said(b"\x7fELF\x02\x01\0\0\n").starts_with("Error: x.csv holds no points: "));
    assert!(said(b"\xff\xfe1\0,\x002\0\n\0").contains("Hint: it is UTF-16: `iconv -f UTF-16"));
    let (out, summary) = analyzed(b"1,\n2,na\n", false);
    assert_eq!(out.lines().count(), 3, "their rows are there all the same");
    assert!(
        summary
            .nothing("x.csv")
            .unwrap()
            .to_string()
            .contains("holds no values")
    );
    assert!(analyzed(b"1,2\n", false).1.nothing("x.csv").is_none());
}

#[test]
fn a_line_without_end_is_a_bad_row() {
    let mut text = vec![b'x'; 1_000_000];
    text.extend(b"\n1,2");
    let (out, summary) = analyzed(&text, false);
    assert_eq!(out, "timestamp,value,score,kind\n1,2,0,\n");
    assert_eq!(summary.bad_count, 1);
}

#[test]
fn each_row_is_an_object_for_programs() {
    let mut text: String = (0..200).map(|at| format!("{at},{}\n", at % 3)).collect();
    text += "200,1000\n201,\n";
    let (out, _) = analyzed(text.as_bytes(), true);
    let rows: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 202);
    assert_eq!(
        (&rows[0]["warming"], &rows[0]["score"]),
        (&true.into(), &0.0.into())
    );
    assert_eq!(rows[200]["kind"], "spike");
    assert!(rows[200]["score"].as_f64().unwrap() > 0.9, "{}", rows[200]);
    assert_eq!(rows[201]["value"], serde_json::Value::Null);
}
