//! Settling on real files.
