//! The bodies that stand-ins answer with, for both versions of HTTP.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Interval, interval};

const CHUNK: usize = 64 * 1024;
static FILLER: [u8; CHUNK] = [b'x'; CHUNK];

/// A body to send.
pub(super) enum AnswerBody {
    /// These bytes.
    Whole(Bytes),
    /// One byte at each tick, without end.
    Drip(Interval),
    /// So many bytes of filler.
    Flood(u64),
}

impl AnswerBody {
    /// One byte a second, the first at once.
    pub(super) fn drip() -> Self {
        Self::Drip(interval(Duration::from_secs(1)))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match &mut *self {
            Self::Whole(bytes) => std::mem::take(bytes),
            Self::Drip(ticks) => {
                ready!(ticks.poll_tick(context));
                Bytes::from_static(b" ")
            }
            Self::Flood(left) => {
                let size = (*left).min(CHUNK as u64);
                *left -= size;
                Bytes::from_static(&FILLER[..size as usize])
            }
        };
        Poll::Ready((!chunk.is_empty()).then(|| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Drip(_) => false,
            Self::Flood(left) => *left == 0,
        }
    }
}
