//! placeholder

pub mod routes;
