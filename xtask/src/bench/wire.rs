//! Stub
use super::table::Table;
use anyhow::Result;
use std::path::Path;
