//! The maintenance engine.
