//! Tests of the model from outside: one-file cases.

mod fleet;
mod resolve;
