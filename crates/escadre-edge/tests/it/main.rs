//! The edge as real processes and real sockets: a holder and its worker in a folder of their own, backends in this
//! process, clients that write bytes.
//!
//! Nothing here sleeps for luck: tests wait for conditions, with a deadline that only a failure reaches.

mod access;
mod acme;
mod counters;
mod drain;
mod hostile;
mod parking;
mod pebble;
mod process;
mod routing;
mod secure;
mod siege;
mod slow;
mod streams;
mod succession;
mod tcp;
mod tls;
mod two;
mod world;
