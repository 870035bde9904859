//! LLE
