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
    check("1396310400.0, 1e3 ,0", Some((DAY, 1e3)));
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
fn nothing_says_so() {
    let said = |text: &[u8]| analyzed(text, false).1.text("x.csv");
    assert_eq!(
        said(b""),
        "x.csv is empty: nothing to analyse. Rows are timestamp,value.\n"
    );
    assert_eq!(
        said(b"timestamp,value\n"),
        "x.csv holds no points: nothing to analyse. Rows are timestamp,value.\n"
    );
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
