//! `lusush maint analyze`, as somebody with a file of numbers runs it: no worker, no session, any pipe.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};

fn analyze(arguments: &[&str]) -> Command {
    let mut command = Command::new(support::lusush());
    command
        .args(["maint", "analyze"])
        .args(arguments)
        .stdin(Stdio::null());
    command
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Five-minute points with a little noise, and one that stands out.
fn series(points: usize, strange: usize) -> String {
    let mut text = "timestamp,value\n".to_owned();
    for at in 0..points {
        let noise = (at * 7_919 % 101) as f64 / 10.0;
        let value = if at == strange { 500.0 } else { 100.0 + noise };
        text += &format!("{},{value}\n", 1_700_000_000 + at * 300);
    }
    text
}

#[test]
fn one_score_a_row_and_what_it_cost_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.csv");
    fs::write(&file, series(1_000, 800)).unwrap();
    let output = analyze(&[file.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success());
    let (out, err) = said(&output);
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 1_001);
    assert_eq!(rows[0], ["timestamp", "value", "score", "kind"]);
    for row in &rows[1..] {
        let score: f64 = row[2].parse().unwrap();
        assert!((0.0..=1.0).contains(&score), "{row:?}");
        assert_eq!(score >= 0.5, row[1] == "500", "{row:?}");
    }
    assert_eq!(rows[801][3], "spike");
    assert!(err.starts_with("1,000 points, 1 score at 0.5 or more, "), "{err}");
    assert!(
        err.contains("a point") && err.contains("KiB of detector"),
        "{err}"
    );
    // The same by a pipe.
    let mut child = analyze(&["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(series(1_000, 800).as_bytes())
        .unwrap();
    assert_eq!(said(&child.wait_with_output().unwrap()).0, out);
}

#[test]
fn what_cannot_be_read_is_told_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.csv");
    fs::write(&file, "1,2\n2,two\n").unwrap();
    let output = analyze(&["--json", file.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success());
    let (out, err) = said(&output);
    assert_eq!(out.lines().count(), 1);
    assert!(
        err.contains(":2:3: \"two\", expected a number\n1 bad row passed over\n"),
        "{err}"
    );

    fs::write(&file, "").unwrap();
    for json in [&["--json"][..], &[]] {
        let output = analyze(&[json, &[file.to_str().unwrap()]].concat())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "a program can tell: {output:?}");
        let (out, err) = said(&output);
        assert_eq!(out, "");
        assert!(err.contains("is empty: nothing to analyse\nHint: "), "{err}");
    }

    let output = analyze(&[folder.path().join("none").to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).1.contains("Error: cannot open"), "{output:?}");
    let output = analyze(&[folder.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let (out, err) = said(&output);
    assert_eq!(out, "", "nothing is answered of a folder");
    assert!(
        err.contains("Error: cannot open") && err.contains("Hint: name a file"),
        "{err}"
    );
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut child = analyze(&["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who feeds it slowly sees each row's answer.
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"1,2\n").unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "timestamp,value,score,kind\n1,2,0,\n");
    drop(output);
    // It ends when it can write no more, perhaps before it has read all.
    let _gone = input.write_all(series(50_000, 0).as_bytes());
    drop(input);
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(told, "");
}

#[test]
fn memory_does_not_grow_with_the_input() {
    let mut child = analyze(&["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let peak = || -> u64 {
        let text = fs::read_to_string(&status).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let block = series(20_000, 0).replace("timestamp,value\n", "");
    input.write_all(block.as_bytes()).unwrap();
    let early = peak();
    for _ in 0..10 {
        input.write_all(block.as_bytes()).unwrap();
    }
    input.write_all(&vec![b'x'; 4 << 20]).unwrap();
    let grown = peak() - early;
    drop(input);
    assert!(child.wait().unwrap().success());
    assert!(grown < 1_024, "{grown} KiB for ten times the input");
}
