//! core

pub mod budget;
pub mod report;
pub mod severity;
