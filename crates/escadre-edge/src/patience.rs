//! How long a client may keep us waiting.
//!
//! In → Out: waiting and bytes that move → whether patience is at an end.
//!
//! **Invariant**: waiting takes of it, bytes give it back at the least rate that is borne; it never grows beyond what it
//! began with. So both silence and a trickle end, and whoever is fast for an hour has no more credit than who was for a
//! second.
//!
//! Not here: silence of backends (`http::call`), heads (`pace`), handshakes (`tls`).
//!
//! Tests: at the end of this file, `tests/it/slow.rs`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::pace::Pace;

/// Bytes for which a second of waiting is given back.
const RATE: u64 = 1024;

/// Patience with one direction of one client.
#[derive(Debug)]
pub(crate) struct Patience {
    most: Duration,
    left: Duration,
    since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(crate) fn new(most: Duration) -> Patience {
        Patience { most, left: most, since: None, alarm: None }
    }

    /// Nothing moves: ready when patience is at an end.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            let end = now + self.left;
            match &mut self.alarm {
                Some(alarm) => alarm.as_mut().reset(end),
                None => self.alarm = Some(Box::pin(tokio::time::sleep_until(end))),
            }
        }
        match &mut self.alarm {
            Some(alarm) => alarm.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    /// Something moved.
    pub(crate) fn moved(&mut self, bytes: usize) {
        let waited = self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        if waited.is_zero() && self.left == self.most {
            return;
        }
        let earned = Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / RATE);
        self.left = self.left.saturating_sub(waited).saturating_add(earned).min(self.most);
    }
}

/// A connection whose client has to read what it asked for, and whose bytes set its pace.
#[derive(Debug)]
pub(crate) struct Patient<S> {
    stream: S,
    patience: Patience,
    pace: Arc<Pace>,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S, most: Duration, pace: &Arc<Pace>) -> Patient<S> {
        Patient { stream, patience: Patience::new(most), pace: Arc::clone(pace) }
    }

    fn look(&mut self, polled: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match polled {
            // How slowly a tunnel's users speak is their affair.
            _ if self.pace.is_tunnel() => {}
            Poll::Ready(Ok(bytes)) => {
                self.patience.moved(bytes);
                self.pace.went();
            }
            Poll::Pending if self.patience.poll_end(cx).is_ready() => {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            _ => {}
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = to.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, to))?;
        let came = to.filled().len().saturating_sub(before);
        if came > 0 && !self.pace.came(came) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "what comes is no body")));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.look(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.look(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ends_within(patience: &mut Patience, wait: Duration) -> bool {
        tokio::time::timeout(wait, std::future::poll_fn(|cx| patience.poll_end(cx))).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_and_so_does_a_trickle() {
        let second = Duration::from_secs(1);
        let mut patience = Patience::new(10 * second);
        assert!(!ends_within(&mut patience, 9 * second).await);
        assert!(ends_within(&mut patience, 2 * second).await);
        let mut patience = Patience::new(10 * second);
        let mut lived = 0;
        while !ends_within(&mut patience, second).await {
            patience.moved(100);
            lived += 1;
        }
        assert_eq!(lived, 10, "a tenth of the rate lives little longer than silence");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_fast_enough_goes_on_for_ever() {
        let second = Duration::from_secs(1);
        let mut patience = Patience::new(10 * second);
        for _ in 0..1_000 {
            assert!(!ends_within(&mut patience, second).await);
            patience.moved(1024);
        }
        patience.moved(1 << 40);
        assert!(ends_within(&mut patience, 11 * second).await, "there is no credit");
    }
}
