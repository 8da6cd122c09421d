//! Entry point of the measurements.
fn main() {}
