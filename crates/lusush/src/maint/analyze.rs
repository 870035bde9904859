//! `lusush maint analyze`: the detectors of the worker, on any series of numbers.
//!
//! ```text
//!  FILE or - ─▸ lines, each bounded ─▸ row ─▸ Detector ─▸ timestamp,value,score,kind       rows in, rows out
//!                     └▸ what is no row: counted, the first few named, at the end          ─▸ standard error
//! ```
//!
//! Invariants: memory does not depend on the length of the input, nor on that of a line; no row is fatal. A row that can
//! be read gives exactly one row of output, before more input is waited for. Where none could be read there is no output,
//! and that is a failure.

mod row;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use lle_core::quantity::{bytes, duration, several};
use lle_core::series::Reading;
use lle_core::series::detect::{ALARM_SCORE, Detector, VALUE_MAX};
use serde::Serialize;

use crate::exit::ExitCode;
use crate::failure::Failure;
use crate::text::{COLUMNS, printable};
use row::{Bad, Row, Rows};

/// What is read of the input and collected of the output at a time.
const BUFFER_BYTES: usize = 64 * 1_024;

/// The longest line that can be a row; of a longer one only this much is kept.
const LINE_BYTES_MAX: u64 = 4_096;

/// Bad rows that are named; the others are counted.
const BAD_SHOWN: usize = 5;

/// The first line of an answer in CSV.
const HEADER: &[u8] = b"timestamp,value,score,kind\n";

/// What is analysed.
#[derive(Debug, Args)]
pub(super) struct Analyze {
    /// Rows of timestamp,value with or without a header; - is the standard input. Timestamps are dates with the year first,
    /// RFC 2822, seconds or milliseconds since 1970, or plain numbers. A header may name more columns: the value is the one
    /// called value or y, or the only one of numbers
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Writes one JSON object a row instead of CSV
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub(super) fn run(asked: &Analyze) -> Result<ExitCode, Failure> {
    let name = asked.file.display().to_string();
    let input: Box<dyn io::Read> = if name == "-" {
        Box::new(io::stdin())
    } else {
        let cannot = |error| {
            Failure::new(format!("cannot open {name}"))
                .because(error)
                .hint("name a file of timestamp,value rows, or - for the standard input")
        };
        let file = File::open(&asked.file).map_err(cannot)?;
        // Opening a folder succeeds; reading it would fail after the answer has begun.
        if file.metadata().is_ok_and(|known| known.is_dir()) {
            return Err(cannot(io::ErrorKind::IsADirectory.into()));
        }
        Box::new(file)
    };
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let mut output = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    let name = if name == "-" { "standard input" } else { &name };
    match analyze(&mut input, &mut output, asked.json) {
        Ok(summary) => {
            eprint!("{}", summary.text(name));
            match summary.nothing(name) {
                Some(failure) => Err(failure),
                None => Ok(ExitCode::SUCCESS),
            }
        }
        // `lusush maint analyze x.csv | head` is no failure.
        Err(Stopped::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(Stopped::Write(error)) => Err(Failure::new("cannot write the answer").because(error)),
        Err(Stopped::Read(error)) => Err(Failure::new(format!("cannot read {name}")).because(error).hint(
            "the rows above, if there are any, are those before that; copy the file elsewhere and try that",
        )),
    }
}

/// Why it went no further.
#[derive(Debug)]
enum Stopped {
    Read(io::Error),
    Write(io::Error),
}

/// What was seen in all.
#[derive(Debug, Default)]
struct Summary {
    lines: u64,
    points: u64,
    missing: u64,
    /// Values beyond what the detector counts with.
    beyond: u64,
    /// Rows that are no later than the one before.
    unordered: u64,
    alarms: u64,
    /// It begins as UTF-16 does.
    is_utf_16: bool,
    bad: Vec<Bad>,
    bad_count: u64,
    took: Duration,
}

/// One row of the answer, for programs.
#[derive(Serialize)]
struct Answer<'a> {
    timestamp: &'a str,
    value: Option<f64>,
    #[serde(flatten)]
    reading: &'a Reading,
}

fn analyze(
    input: &mut BufReader<impl io::Read>,
    output: &mut impl Write,
    json: bool,
) -> Result<Summary, Stopped> {
    let mut summary = Summary::default();
    let mut detector = Detector::new();
    let mut rows = Rows::default();
    let mut line = Vec::new();
    let mut begun = false;
    let mut last_ns = None;
    loop {
        if input.buffer().is_empty() {
            // Whoever feeds a pipe slowly sees each row's answer before the next row is there.
            output.flush().map_err(Stopped::Write)?;
        }
        if !next_line(input, &mut line).map_err(Stopped::Read)? {
            break;
        }
        summary.lines += 1;
        if summary.lines == 1 {
            summary.is_utf_16 = line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff");
        }
        match rows.read(&line, summary.lines) {
            Ok(None) => {}
            Ok(Some(row)) => {
                let began = Instant::now();
                let reading = detector.observe(row.at_ns, row.value);
                summary.took += began.elapsed();
                summary.unordered +=
                    u64::from(last_ns.replace(row.at_ns).is_some_and(|last| row.at_ns <= last));
                summary.alarms += u64::from(reading.score >= ALARM_SCORE);
                summary.beyond += u64::from(row.value.is_finite() && row.value.abs() > VALUE_MAX);
                if !std::mem::replace(&mut begun, true) && !json {
                    output.write_all(HEADER).map_err(Stopped::Write)?;
                }
                write_row(output, &row, &reading, json).map_err(Stopped::Write)?;
            }
            Err(bad) => {
                summary.bad_count += 1;
                if summary.bad.len() < BAD_SHOWN {
                    summary.bad.push(bad);
                }
            }
        }
    }
    output.flush().map_err(Stopped::Write)?;
    summary.points = detector.points();
    summary.missing = detector.missing();
    Ok(summary)
}

/// Reads a line without its end, of a very long one only the beginning; says whether there was one.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let available = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            available => available?,
        };
        if available.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = available.iter().position(|byte| *byte == b'\n');
        let piece = &available[..end.unwrap_or(available.len())];
        let room = (LINE_BYTES_MAX as usize).saturating_sub(line.len());
        line.extend_from_slice(&piece[..piece.len().min(room)]);
        let used = piece.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

fn write_row(output: &mut impl Write, row: &Row<'_>, reading: &Reading, json: bool) -> io::Result<()> {
    if json {
        let answer = Answer {
            timestamp: row.timestamp,
            value: row.value.is_finite().then_some(row.value),
            reading,
        };
        serde_json::to_writer(&mut *output, &answer)?;
        return output.write_all(b"\n");
    }
    let kind = reading.kind.map_or("", |kind| kind.name());
    // A date may have a comma, and a number that has one is written as it was understood.
    if row.timestamp.contains([',', '"']) {
        write!(output, "\"{}\",", row.timestamp.replace('"', "\"\""))?;
    } else {
        write!(output, "{},", row.timestamp)?;
    }
    if row.text.contains(',') {
        write!(output, "{}", row.value)?;
    } else {
        output.write_all(row.text.as_bytes())?;
    }
    writeln!(output, ",{},{kind}", reading.score)
}

impl Summary {
    fn text(&self, name: &str) -> String {
        let name = printable(name, COLUMNS);
        let mut out = String::new();
        for bad in &self.bad {
            out += &format!(
                "{name}:{}:{}: {}, expected {}\n",
                bad.line,
                bad.column,
                printable(&bad.found, COLUMNS / 2),
                bad.expected
            );
        }
        if self.bad_count > self.bad.len() as u64 {
            let more = self.bad_count - self.bad.len() as u64;
            out += &format!(
                "{name}: {} could not be read either\n",
                several(more, "more row", "more rows")
            );
        }
        if self.bad_count > 0 {
            out += &format!("{} passed over\n", several(self.bad_count, "bad row", "bad rows"));
        }
        if self.points == 0 {
            return out;
        }
        let each = self.took.as_nanos() as f64 / (self.points + self.missing).max(1) as f64;
        out += &several(self.points, "point", "points");
        if self.missing > 0 {
            out += &format!(", {} missing", self.missing);
        }
        out += &format!(
            ", {} at {ALARM_SCORE} or more, {} a point, {} of detector\n",
            several(self.alarms, "score", "scores"),
            duration(each),
            bytes(size_of::<Detector>() as f64)
        );
        if self.unordered > 0 {
            out += &format!(
                "{} not after the one before, and judged as they stand: `sort -n` puts numbers in order, and all of them \
                 have to be of one unit\n",
                several(self.unordered, "row is", "rows are")
            );
        }
        if self.beyond > 0 {
            out += &format!(
                "{} beyond {VALUE_MAX:e} counted as that\n",
                several(self.beyond, "value", "values")
            );
        }
        out
    }

    /// That there was nothing to analyse, if so: whoever reads the answer by a program must not take it for one.
    fn nothing(&self, name: &str) -> Option<Failure> {
        if self.points > 0 {
            return None;
        }
        let name = printable(name, COLUMNS);
        let what = match (self.lines, self.missing) {
            (0, _) => "is empty",
            (_, 0) => "holds no points",
            _ => "holds no values",
        };
        let failure = Failure::new(format!("{name} {what}: nothing to analyse"));
        Some(if self.is_utf_16 {
            failure.hint("it is UTF-16: `iconv -f UTF-16 -t UTF-8 FILE | lusush maint analyze -` reads it")
        } else {
            failure.hint("rows are timestamp,value, such as 2023-11-14T22:13:20Z,1.5 or 1700000000,1.5")
        })
    }
}
