//! The driver against a real engine. Runs where ESCADRE_TEST_PODMAN is set; elsewhere every test says that it was skipped.
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test reads the environment, says what it skips, and may fall over"
)]

mod conformance;
mod images;
mod life;
mod rendered;
mod scale;
mod world;
