//! Models of what a day and a week are usually like, made by a job from the samples of the last weeks.
//!
//! ```text
//!  worker ─▸ lusush job models METRICS OUT ─▸ metrics.db, read only ─▸ fit, series by series ─▸ models.json, by rename
//!     ▴                                                                                           │
//!     └──────────────────────────── read when the job has ended, and by the next worker ◂─────────┘
//! ```
//!
//! File strategy: `models.json` lies beside the samples and is made anew as a whole; like them it may be deleted at any
//! time. A reader takes nothing over that is not sound ([`Model::is_sound`]).
//!
//! Invariants: the engine waits for none of this; the samples are only read; what is written is bounded.

use std::collections::BTreeMap;
use std::path::Path;

use lle_core::series::forecast::Unknown;
use lle_core::series::model::{HOURS_MIN, Model, WEEKS_MAX};
use lle_core::series::watch::AHEAD_NS;
use lle_core::sum;
use rusqlite::{Connection, OpenFlags, params};
use serde::{Deserialize, Serialize};

use crate::engine::predict::watched::WATCHED;
use crate::real::disk::{create_folder, replace};

/// The version of the file.
const VERSION: u32 = 1;
/// The name of the file, beside the samples.
pub(crate) const NAME: &str = "models.json";
/// Samples of a series that are read: five-minute means of all weeks, and what a clock that jumped added.
const SAMPLES_MAX: i64 = 20_000;
const FIVE_MINUTES: i64 = 300;
const WEEK_S: i64 = 7 * 24 * 3_600;
const _: () = assert!(WEEKS_MAX as i64 * WEEK_S / FIVE_MINUTES < SAMPLES_MAX);

/// Why no models were made.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The samples cannot be read.
    #[error("the samples cannot be read")]
    Samples(#[from] rusqlite::Error),
    /// The models cannot be written.
    #[error("the models cannot be written")]
    Written(#[from] std::io::Error),
}

/// What became of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fitted {
    /// A model.
    Model(Box<Model>),
    /// There is too little to fit one to.
    Unknown(Unknown),
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Models {
    version: u32,
    /// When they were made, in nanoseconds since 1970.
    pub(crate) made_wall_ns: i64,
    /// By the series' name.
    pub(crate) series: BTreeMap<String, Fitted>,
}

impl Models {
    /// Reads what a job has written; none of it if it is of another version, and of no series what is not sound.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        if !is_as_written(bytes) {
            return None;
        }
        let mut models: Self = serde_json::from_slice(bytes).ok()?;
        let is_sound = |fitted: &Fitted| match fitted {
            Fitted::Model(model) => model.is_sound(),
            Fitted::Unknown(_) => true,
        };
        models.series.retain(|_, fitted| is_sound(fitted));
        (models.version == VERSION).then_some(models)
    }
}

impl Models {
    /// The model of a series, if there is one.
    pub(crate) fn of(&self, metric: &str) -> Option<Model> {
        match self.series.get(metric)? {
            Fitted::Model(model) => Some((**model).clone()),
            Fitted::Unknown(_) => None,
        }
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Series that are watched.
    pub series: usize,
    /// Those that have a model.
    pub fitted: usize,
    /// Those whose model says more than the last value.
    pub of_use: usize,
}

/// Fits a model to every series that is watched, from the samples in `metrics`, and writes them all to `out`.
///
/// # Errors
/// The samples cannot be read, or nothing could be written; what was there before stays.
pub fn make(metrics: &Path, out: &Path, now_wall_ns: i64) -> Result<Made, ModelsError> {
    let samples = Connection::open_with_flags(metrics, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut models = Models {
        version: VERSION,
        made_wall_ns: now_wall_ns,
        series: BTreeMap::new(),
    };
    for row in WATCHED {
        let points = points(&samples, row.metric, now_wall_ns)?;
        let fitted = match Model::fit(&points, AHEAD_NS) {
            Ok(model) => Fitted::Model(Box::new(model)),
            Err(unknown) => Fitted::Unknown(unknown),
        };
        models.series.insert(row.metric.to_owned(), fitted);
    }
    let fitted = || {
        models.series.values().filter_map(|fitted| match fitted {
            Fitted::Model(model) => Some(model),
            Fitted::Unknown(_) => None,
        })
    };
    let made = Made {
        series: models.series.len(),
        fitted: fitted().count(),
        of_use: fitted().filter(|model| model.is_of_use()).count(),
    };
    let bytes = with_sum(&serde_json::to_vec(&models).map_err(std::io::Error::other)?);
    if let Some(folder) = out.parent() {
        create_folder(folder)?;
    }
    replace(rustix::fs::CWD, out, &bytes)?;
    Ok(made)
}

/// What a file with a sum begins with: a field that earlier versions pass over.
const SUM: &[u8] = b"{\"sum\":\"";

/// Puts the sum of an object's text into it, as its first field.
fn with_sum(object: &[u8]) -> Vec<u8> {
    let sum = format!("{:016x}\",", sum::of(object));
    [SUM, sum.as_bytes(), &object[1..]].concat()
}

/// Whether the text has the sum that it says, or says none, as an earlier version's.
fn is_as_written(bytes: &[u8]) -> bool {
    let Some((said, rest)) = bytes.strip_prefix(SUM).and_then(|rest| rest.split_at_checked(16)) else {
        return true;
    };
    let said = std::str::from_utf8(said)
        .ok()
        .and_then(|said| u64::from_str_radix(said, 16).ok());
    let object = rest.strip_prefix(b"\",").map(|rest| [b"{", rest].concat());
    object.is_some_and(|object| said == Some(sum::of(&object)))
}

/// The five-minute means of the last weeks. Read in one short transaction: the worker writes to the same file, and does
/// not wait for a reader.
fn points(samples: &Connection, metric: &str, now_wall_ns: i64) -> Result<Vec<(i64, f64)>, rusqlite::Error> {
    let now = now_wall_ns.div_euclid(1_000_000_000);
    let mut query = samples.prepare_cached(
        "select at, sum / count from sample where metric = ?1 and resolution = ?2 and at between ?3 and ?4
         order by at limit ?5",
    )?;
    let since = now - WEEKS_MAX as i64 * WEEK_S;
    let rows = query.query_map(params![metric, FIVE_MINUTES, since, now, SAMPLES_MAX], |row| {
        Ok((row.get::<_, i64>(0)?.saturating_mul(1_000_000_000), row.get(1)?))
    })?;
    rows.collect()
}

/// How old an installation must be for models to be worth a job, in nanoseconds.
pub(crate) const AGE_MIN_NS: i64 = HOURS_MIN as i64 * 3_600 * 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::predict::PROMPT;
    use crate::rollup::Rollup;
    use crate::world::Now;

    #[test]
    fn models_are_made_of_samples_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (metrics, out) = (
            folder.path().join("metrics.db"),
            folder.path().join("m").join(NAME),
        );
        let mut rollup = Rollup::open(&metrics).unwrap();
        let hours: i32 = 6 * 7 * 24;
        for hour in 0..hours {
            let works = (9..18).contains(&(hour % 24));
            let value = if works { 5e7 } else { 1e7 } + f64::from(hour % 7) * 1e5;
            let now = Now {
                wall_ns: i64::from(hour) * 3_600 * 1_000_000_000,
                mono_ns: u64::from(hour.unsigned_abs()) * 3_600 * 1_000_000_000,
            };
            rollup.keep(now, &[(PROMPT.metric, value)]);
            rollup.write(now);
        }
        let now_wall_ns = i64::from(hours) * 3_600 * 1_000_000_000;
        let made = make(&metrics, &out, now_wall_ns).unwrap();
        assert_eq!((made.series, made.fitted), (WATCHED.len(), 1));
        let bytes = std::fs::read(&out).unwrap();
        let models = Models::read(&bytes).unwrap();
        assert_eq!(models.made_wall_ns, now_wall_ns);
        assert!(matches!(&models.series[PROMPT.metric], Fitted::Model(model) if model.peak().is_some()));
        assert_eq!(Models::read(&bytes[1..]), None);
        for at in (0..bytes.len()).step_by(bytes.len() / 200) {
            let mut bad = bytes.clone();
            bad[at] ^= 0x01;
            let found = Models::read(&bad);
            assert!(
                found.is_none_or(|found| found == models),
                "a flip at {at} went unseen"
            );
        }
        // As an earlier version wrote it.
        let plain = serde_json::to_vec(&models).unwrap();
        assert_eq!(Models::read(&plain), Some(models));
        let other = String::from_utf8(plain)
            .unwrap()
            .replace("\"version\":1", "\"version\":2");
        assert_eq!(Models::read(other.as_bytes()), None);
        assert!(make(&folder.path().join("none.db"), &out, 0).is_err());
    }
}
