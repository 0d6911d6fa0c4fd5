//! placeholder
/// placeholder
pub fn schema() {}
