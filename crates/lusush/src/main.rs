//! lusush

fn main() {}
