//! What a client is sent: media, events, answers.

use std::cell::Cell;
use std::future::{Future, pending};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_ws::{CloseCode, CloseReason, Closed, Session};
use bytes::{BufMut as _, Bytes, BytesMut};
use footlight_actors::{Caller, EventStream, Node, NodeError};
use footlight_media::wire::{HEADER_LEN, MediaFlags, MediaHeader, MediaKind};
use footlight_session::{Inherited, SessionId};
use footlight_stage::{Outlet, OutletOptions, Unit};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::command::Reply;
use super::inbound::Outgoing;
use super::pace::Pace;
use super::{Media, close};
use crate::json::{EventJson, EventKindJson};

/// First and longest wait before an outlet is attached again after its renderer was started anew.
const REATTACH_WAIT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The writing half of one connection.
pub(crate) struct Outbound {
    pub node: Node,
    pub who: Caller,
    pub session: SessionId,
    pub media: Media,
    pub outlet_options: OutletOptions,
    pub outlet: Option<Outlet>,
    pub events: Option<EventStream>,
    pub replies: mpsc::Receiver<Outgoing>,
    pub heard_at: Rc<Cell<Instant>>,
    pub ping_every: Duration,
}

/// What there is to send next.
enum Next {
    Outgoing(Option<Outgoing>),
    Event(Option<EventJson>),
    Unit(Option<Unit>),
    Ping,
}

impl Outbound {
    /// Writes until the session is over or the client gone. Returns what to close with, if there is anybody to tell.
    pub(crate) async fn run(mut self, mut socket: Session) -> Option<CloseReason> {
        let mut pings = tokio::time::interval(self.ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut envelope = Envelope { media: self.media, ..Envelope::default() };
        let mut pace = Pace::default();
        // A unit waits here for its time while answers and events go past it.
        let mut held: Option<(tokio::time::Instant, Bytes)> = None;
        loop {
            let next = tokio::select! {
                biased;
                outgoing = self.replies.recv() => Next::Outgoing(outgoing),
                event = next_event(&mut self.events) => Next::Event(event),
                _ = pings.tick() => Next::Ping,
                () = until(held.as_ref().map(|(due, _)| *due)) => {
                    let (_, message) = held.take().expect("only a held unit comes due");
                    self.deliver_media(message, &mut envelope, &mut socket).await?;
                    continue;
                }
                unit = next_unit(&mut self.outlet), if held.is_none() => Next::Unit(unit),
            };
            match next {
                Next::Outgoing(Some(Outgoing::Reply(reply))) => {
                    // What waits is of the past that an interrupt ends. Left out, it would be missing to the next frame.
                    if matches!(reply, Reply::Done { generation: Some(_), .. })
                        && let Some((_, message)) = held.take()
                    {
                        self.deliver_media(message, &mut envelope, &mut socket).await?;
                    }
                    self.deliver(socket.text(json(&reply))).await?;
                }
                Next::Outgoing(Some(Outgoing::Pong(payload))) => self.deliver(socket.pong(&payload)).await?,
                Next::Outgoing(None) => return None,
                Next::Event(Some(event)) => {
                    self.flush(&mut held, &mut envelope, &mut socket).await?;
                    let over = match &event.kind {
                        EventKindJson::Ended { end_reason } => {
                            let reason = json(end_reason);
                            let reason = format!("the session is over: {}", reason.trim_matches('"'));
                            Some(close(CloseCode::Normal, reason))
                        }
                        EventKindJson::Moved { why: Inherited::Moved } => Some(close(CloseCode::Restart, "moved")),
                        EventKindJson::Moved { why: Inherited::NodeLost } => Some(close(CloseCode::Restart, "lost")),
                        _ => None,
                    };
                    self.deliver(socket.text(json(&event))).await?;
                    if over.is_some() {
                        return over;
                    }
                }
                Next::Event(None) => return Some(close(CloseCode::Away, "the node lets the session go")),
                Next::Unit(Some(unit)) => {
                    // Something was left out, and with it the time that it would have taken.
                    if envelope.is_rejoining || matches!(&unit, Unit::Video(video) if video.discontinuity) {
                        pace.restart();
                    }
                    if let Some(message) = envelope.seal(&unit) {
                        let now = Instant::now();
                        let earliest = pace.earliest(unit.pts_us(), now);
                        if earliest > now {
                            held = Some((earliest.into(), message));
                        } else {
                            self.deliver_media(message, &mut envelope, &mut socket).await?;
                        }
                    }
                }
                Next::Unit(None) => match self.reattach().await {
                    Ok(outlet) => {
                        self.outlet = Some(outlet);
                        envelope.is_rejoining = true;
                    }
                    // The event stream tells why; without one the close does.
                    Err(_) if self.events.is_some() => self.outlet = None,
                    Err(NodeError::Ended { .. }) => return Some(close(CloseCode::Normal, "the session is over")),
                    Err(_) => return Some(close(CloseCode::Restart, "moved")),
                },
                Next::Ping => {
                    if self.heard_at.get().elapsed() > self.ping_every * 2 {
                        return Some(close(CloseCode::Policy, "nothing was heard for too long"));
                    }
                    self.deliver(socket.ping(b"")).await?;
                }
            }
        }
    }

    /// Sends the media that was handed out before an event, so that the event never overtakes what it speaks of.
    async fn flush(
        &mut self,
        held: &mut Option<(tokio::time::Instant, Bytes)>,
        envelope: &mut Envelope,
        socket: &mut Session,
    ) -> Option<()> {
        if let Some((_, message)) = held.take() {
            self.deliver_media(message, envelope, socket).await?;
        }
        // At most one queue's worth: what comes meanwhile is not of the past.
        for _ in 0..self.outlet_options.max_queued.unwrap_or(0) {
            let Some(unit) = self.outlet.as_mut().and_then(Outlet::try_next) else { break };
            if let Some(message) = envelope.seal(&unit) {
                self.deliver_media(message, envelope, socket).await?;
            }
        }
        Some(())
    }

    /// Sends media, unless another node may be sending this session's: the process may have been stopped since the unit was
    /// read. What is left out then is missing, so that the picture goes on at a key frame.
    async fn deliver_media(&mut self, message: Bytes, envelope: &mut Envelope, socket: &mut Session) -> Option<()> {
        if !self.node.tenure().holds_now() {
            if let Some(outlet) = &self.outlet {
                outlet.leave_out();
            }
            envelope.is_rejoining = true;
            return Some(());
        }
        self.deliver(socket.binary(message)).await
    }

    /// Sends one message. `None` when the client is gone, or has read nothing for as long as it may be silent.
    async fn deliver(&self, sending: impl Future<Output = Result<(), Closed>>) -> Option<()> {
        match tokio::time::timeout(self.ping_every * 2, sending).await {
            Ok(Ok(())) => Some(()),
            Ok(Err(Closed)) | Err(_) => None,
        }
    }

    /// A renderer that is started again has new outlets.
    ///
    /// # Errors
    /// Once the session is over, or is not this node's any more.
    async fn reattach(&mut self) -> Result<Outlet, NodeError> {
        self.outlet = None;
        let (mut wait, longest) = REATTACH_WAIT;
        loop {
            tokio::time::sleep(wait).await;
            match self.node.attach(self.who, self.session, self.outlet_options).await {
                Ok(outlet) => return Ok(outlet),
                Err(error @ (NodeError::Ended { .. } | NodeError::NotFound { .. })) => return Err(error),
                Err(error) => {
                    tracing::debug!(session = %self.session, %error, "an outlet could not be attached again yet");
                    wait = (wait * 2).min(longest);
                }
            }
        }
    }
}

async fn next_event(events: &mut Option<EventStream>) -> Option<EventJson> {
    match events {
        Some(events) => events.next().await.map(EventJson::from),
        None => pending().await,
    }
}

async fn next_unit(outlet: &mut Option<Outlet>) -> Option<Unit> {
    match outlet {
        Some(outlet) => outlet.next().await,
        None => pending().await,
    }
}

async fn until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => pending().await,
    }
}

/// Puts units behind their headers and numbers them.
#[derive(Default)]
struct Envelope {
    media: Media,
    video_sequence: u32,
    audio_sequence: u32,
    /// The next picture comes from another renderer than the last one.
    is_rejoining: bool,
}

impl Envelope {
    /// The message for a unit; `None` if this client does not want its kind.
    fn seal(&mut self, unit: &Unit) -> Option<Bytes> {
        let (header, data) = match unit {
            Unit::Video(video) => {
                if !matches!(self.media, Media::All | Media::Video) {
                    return None;
                }
                let rejoins = std::mem::take(&mut self.is_rejoining);
                let mut flags = flags(video.active, video.discontinuity || rejoins);
                if video.idr {
                    flags = flags.with(MediaFlags::KEY_FRAME);
                }
                let header = MediaHeader {
                    kind: MediaKind::Video,
                    flags,
                    generation: video.generation,
                    sequence: next(&mut self.video_sequence),
                    pts_us: video.pts_us,
                    duration_us: video.duration_us,
                };
                (header, &video.data)
            }
            Unit::Audio(audio) => {
                if !matches!(self.media, Media::All | Media::Audio) {
                    return None;
                }
                let header = MediaHeader {
                    kind: MediaKind::Audio,
                    flags: flags(audio.active, false).with(MediaFlags::KEY_FRAME),
                    generation: audio.generation,
                    sequence: next(&mut self.audio_sequence),
                    pts_us: audio.pts_us,
                    duration_us: audio.duration_us,
                };
                (header, &audio.data)
            }
        };
        let mut message = BytesMut::with_capacity(HEADER_LEN + data.len());
        message.put_slice(&header.encode());
        message.put_slice(data);
        Some(message.freeze())
    }
}

fn flags(active: bool, discontinuity: bool) -> MediaFlags {
    let flags = if active { MediaFlags::NONE } else { MediaFlags::IDLE };
    if discontinuity { flags.with(MediaFlags::DISCONTINUITY) } else { flags }
}

/// Counts up, around the end of the range.
fn next(sequence: &mut u32) -> u32 {
    let this = *sequence;
    *sequence = sequence.wrapping_add(1);
    this
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("replies and events are strings and numbers")
}
