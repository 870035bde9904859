//! A small line editor, of the crate `noline`, that hosts the maintenance engine: `editor FOLDER`. Ctrl-D ends it.
//!
//! What is typed is run by `sh`; `maint health`, `maint run tidy` and so on are answered by the engine in this very
//! process, and `LUSUSH_HOME=FOLDER lusush maint …` asks the same one from outside.

use std::io::{Error, Read, Write, stdin, stdout};
use std::process::Command;
use std::time::Instant;

use lle_core::{schedule::Schedule, task::Task};
use lle_maintenance::api::Request;
use lle_maintenance::embed::{Maintenance, Options};
use lle_metrics::{Counter, Flight, Identity, Timer};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use serde_json::json;

/// The terminal, with a clock on every key: noline reads and writes through its host.
struct Timed<'a>(&'a Flight, Option<Instant>, Option<Instant>);

impl embedded_io::ErrorType for Timed<'_> {
    type Error = Error;
}

impl embedded_io::Read for Timed<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        // The editor waits for the next key, so what it wrote last was the end of painting this one.
        if let (Some(read), Some(painted)) = (self.1.take(), self.2.take()) {
            self.0.update(|record| {
                record.add(Counter::Keys, 1);
                record.time(Timer::KeyToPaint, (painted - read).as_nanos() as u64);
            });
        }
        let read = stdin().lock().read(bytes)?;
        self.1 = Some(Instant::now());
        Ok(read)
    }
}

impl embedded_io::Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        stdout().write_all(bytes)?;
        self.flush()?;
        self.2 = Some(Instant::now());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        stdout().flush()
    }
}

/// Answers `maint VERB [TASK]`; the verb is the request's name, in lower case.
fn answer(maintenance: &Maintenance, asked: &str) -> String {
    let (verb, task) = asked.split_once(' ').unwrap_or((asked, ""));
    let (first, rest) = verb.split_at_checked(1).unwrap_or_default();
    let parameters = (!task.is_empty()).then(|| json!({ "task": task }));
    Request::read(&(first.to_uppercase() + rest), parameters.unwrap_or_default())
        .and_then(|request| maintenance.request(request))
        .map_or_else(|fault| fault.message, |value| format!("{value:#}"))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: editor FOLDER")?;
    let maintenance = Maintenance::start(Options::in_folder(folder.as_ref()))?;
    let id = u64::from(std::process::id()) << 32 | 0xed17;
    let identity = Identity::of_this_process(id, "editor", "noline 0.5", "1.0");
    let mut flight = Flight::create(&maintenance.sessions()?, &identity)?;
    maintenance.watch(&flight)?;
    let tidy = Task::registered("tidy", "Forgets old lines", Schedule::Manual);
    maintenance.register(tidy, || Ok("nothing to forget".into()))?;
    let (cooked, mut raw) = (tcgetattr(stdin())?, tcgetattr(stdin())?);
    raw.make_raw();
    let mut io = Timed(&flight, None, None);
    let builder = noline::builder::EditorBuilder::new_unbounded().with_unbounded_history();
    let mut editor = builder.build_sync(&mut io).map_err(|_| "no terminal")?;
    let mut shown = 0;
    loop {
        for alert in maintenance.alerts()?["alerts"].as_array().into_iter().flatten() {
            if alert["id"].as_u64() > Some(shown) {
                println!("! {}", alert["text"].as_str().unwrap_or_default());
                shown = alert["id"].as_u64().unwrap_or(shown);
            }
        }
        tcsetattr(stdin(), OptionalActions::Drain, &raw)?;
        let line = editor.readline("editor> ", &mut io).map(str::to_owned);
        tcsetattr(stdin(), OptionalActions::Drain, &cooked)?;
        println!();
        let Ok(line) = line else { break };
        if let Some(asked) = line.strip_prefix("maint ") {
            println!("{}", answer(&maintenance, asked.trim()));
        } else {
            let began = Instant::now();
            Command::new("sh").args(["-c", &line]).status()?;
            flight.update(|record| record.time(Timer::Command, began.elapsed().as_nanos() as u64));
        }
    }
    flight.remove();
    Ok(maintenance.stop().map_err(|fault| fault.message)?)
}
