//! A viewer that stays with a session when it changes nodes.

use std::time::{Duration, Instant};

use anyhow::Context;
use footlight_media::wire::MediaHeader;
use serde_json::Value;

use super::socket::{Incoming, Socket};
use crate::cli::Customer;

/// How long a session may be on its way: the heirs of a lost node have it well within this.
const ON_ITS_WAY_MAX: Duration = Duration::from_secs(30);
/// Between two tries to attach.
const TRY_EVERY: Duration = Duration::from_millis(250);
/// The shortest hole in the media where a session changed nodes. The two tracks of one node may end and begin this much apart.
const HOLE_MIN: Duration = Duration::from_millis(200);
/// The close code of a connection whose session goes on at another node.
const MOVED: u16 = 1012;

/// What a viewer is told.
pub(super) enum Seen {
    Event(Value),
    /// A frame or a packet, on one clock whatever the node.
    Media(MediaHeader, Vec<u8>),
    /// The session goes on at another node, and so does this viewer.
    Elsewhere,
    /// The connection is closed, and the session does not go on.
    Closed,
}

/// An attached client of one session.
pub(super) struct Viewer<'a> {
    customer: &'a Customer,
    session: &'a str,
    query: &'a str,
    socket: Socket,
    clock: OneClock,
}

impl<'a> Viewer<'a> {
    /// Attaches; `query` is without its question mark.
    ///
    /// # Errors
    /// As [`Socket::attach`].
    pub(super) async fn attach(customer: &'a Customer, session: &'a str, query: &'a str) -> anyhow::Result<Self> {
        let socket = Socket::attach(&customer.url, &customer.api_secret, session, query).await?;
        Ok(Self { customer, session, query, socket, clock: OneClock::new(Instant::now()) })
    }

    /// What comes next. Attaches again, for half a minute, when the connection breaks or closes because of a move.
    ///
    /// # Errors
    /// When the session is not there again in that time.
    pub(super) async fn next(&mut self) -> anyhow::Result<Seen> {
        let lost = match self.socket.next().await {
            Ok(Incoming::Text(event)) => return Ok(Seen::Event(event)),
            Ok(Incoming::Media(mut header, body)) => {
                header.pts_us = self.clock.place(header.pts_us, header.duration_us, Instant::now());
                return Ok(Seen::Media(header, body));
            }
            Ok(Incoming::Closed { code: Some(MOVED) }) => anyhow::anyhow!("the session left its node"),
            Ok(Incoming::Closed { .. }) => return Ok(Seen::Closed),
            Err(error) => error,
        };
        self.follow().await.with_context(|| format!("{lost:#}, and was not found again in {ON_ITS_WAY_MAX:?}"))?;
        Ok(Seen::Elsewhere)
    }

    async fn follow(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + ON_ITS_WAY_MAX;
        loop {
            let Customer { url, api_secret } = self.customer;
            match Socket::attach(url, api_secret, self.session, self.query).await {
                Ok(socket) => {
                    self.socket = socket;
                    self.clock.restart();
                    return Ok(());
                }
                Err(error) if Instant::now() >= deadline => return Err(error),
                // Nobody answers, or the session is on its way still.
                Err(_) => tokio::time::sleep(TRY_EVERY).await,
            }
        }
    }
}

/// One media clock over those of several nodes, each of which begins anew. Where one follows another there is a hole as
/// long as the viewer had to wait.
struct OneClock {
    /// When the last unit came, and where it ended.
    last: (Instant, u64),
    /// What is added to this node's times; unknown before its first unit.
    offset: Option<i64>,
}

impl OneClock {
    fn new(now: Instant) -> Self {
        Self { last: (now, 0), offset: Some(0) }
    }

    fn restart(&mut self) {
        self.offset = None;
    }

    fn place(&mut self, pts_us: u64, duration_us: u32, now: Instant) -> u64 {
        let (came, end) = self.last;
        let offset = *self.offset.get_or_insert_with(|| {
            let hole = now.duration_since(came).max(HOLE_MIN);
            let begin = end + u64::try_from(hole.as_micros()).unwrap_or(u64::MAX);
            begin.cast_signed() - pts_us.cast_signed()
        });
        let placed = pts_us.saturating_add_signed(offset);
        self.last = (now, end.max(placed + u64::from(duration_us)));
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_of_two_nodes_are_on_one_clock_with_a_hole_between_them() {
        let start = Instant::now();
        let mut clock = OneClock::new(start);
        assert_eq!(clock.place(7_000_000, 40_000, start), 7_000_000);
        assert_eq!(clock.place(7_040_000, 40_000, start), 7_040_000);
        clock.restart();
        let later = start + Duration::from_millis(900);
        assert_eq!(clock.place(120_000, 40_000, later), 7_980_000);
        // The other track may begin a little earlier.
        assert_eq!(clock.place(100_000, 20_000, later), 7_960_000);
        clock.restart();
        assert_eq!(clock.place(0, 40_000, later), 8_020_000 + 200_000, "a hole at least");
    }
}
