//! Stub
use super::table::Table; use std::path::Path; use anyhow::Result;
