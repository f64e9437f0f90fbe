//! What a client sends: samples and commands.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, ProtocolError};
use bytes::Bytes;
use footlight_actors::{Caller, Node, NodeError};
use footlight_media::decode::PcmFormat;
use footlight_session::SessionId;
use footlight_stage::ear::Ear;
use footlight_stage::{LiveFeed, StageError};
use tokio::sync::mpsc;

use super::close;
use super::command::{Command, Reply};
use super::formats::FormatChanges;
use crate::problem::{Code, Problem};
use crate::speech;

/// Audio that cannot be taken is told of this often at most: a client may send fifty messages a second.
const AUDIO_PROBLEM_EVERY: Duration = Duration::from_secs(1);

/// The longest text message that is read. Commands are short, and what a client sends comes back with the answer.
const COMMAND_BYTES_MAX: usize = 4_096;
/// The longest `id` of a command.
const ID_CHARS_MAX: usize = 128;
/// How much of a parser's complaint a client is told: it quotes what was sent.
const COMPLAINT_CHARS_MAX: usize = 256;

/// A message for the client, or the answer to its ping.
pub(crate) enum Outgoing {
    Reply(Reply),
    Pong(Bytes),
}

/// The reading half of one connection.
pub(crate) struct Inbound {
    node: Node,
    who: Caller,
    /// Whether the client may pause, resume and stop the session.
    may_control: bool,
    session: SessionId,
    /// The format that binary messages have unless `audio_begin` says otherwise.
    default_format: PcmFormat,
    /// What `ear` takes.
    format: PcmFormat,
    ear: Ear,
    format_changes: FormatChanges,
    /// The utterance that binary messages belong to.
    feed: Option<LiveFeed>,
    /// The client was told of that utterance: it has taken samples.
    is_announced: bool,
    /// The first half of a sample whose second half is in the next message.
    odd_byte: Option<u8>,
    speech: Vec<i16>,
    replies: mpsc::Sender<Outgoing>,
    heard_at: Rc<Cell<Instant>>,
    told_of_audio: Option<Instant>,
}

impl Inbound {
    #[allow(clippy::too_many_arguments, reason = "each is one part, named where it is called")]
    pub(crate) fn new(
        node: Node,
        who: Caller,
        may_control: bool,
        session: SessionId,
        default_format: PcmFormat,
        ear: Ear,
        replies: mpsc::Sender<Outgoing>,
        heard_at: Rc<Cell<Instant>>,
    ) -> Self {
        Self {
            node,
            who,
            may_control,
            session,
            default_format,
            format: default_format,
            ear,
            format_changes: FormatChanges::default(),
            feed: None,
            is_announced: false,
            odd_byte: None,
            speech: Vec::new(),
            replies,
            heard_at,
            told_of_audio: None,
        }
    }

    /// Reads until the client is gone. Returns what to close with, if there is anybody to tell.
    pub(crate) async fn run(mut self, mut messages: AggregatedMessageStream) -> Option<CloseReason> {
        while let Some(message) = messages.recv().await {
            self.heard_at.set(Instant::now());
            let told = match message {
                Ok(AggregatedMessage::Binary(samples)) => self.audio(&samples).await,
                Ok(AggregatedMessage::Text(text)) => self.command(&text).await,
                Ok(AggregatedMessage::Ping(payload)) => self.tell(Outgoing::Pong(payload)),
                Ok(AggregatedMessage::Pong(_)) => Ok(()),
                Ok(AggregatedMessage::Close(_)) => return Some(close(CloseCode::Normal, "bye")),
                Err(ProtocolError::Overflow) => return Some(close(CloseCode::Size, "the message is too large")),
                Err(ProtocolError::Io(_)) => return None,
                Err(error) => return Some(close(CloseCode::Protocol, error.to_string())),
            };
            if told.is_err() {
                return Some(close(CloseCode::Policy, "too many answers wait: read them"));
            }
        }
        None
    }

    async fn command(&mut self, text: &str) -> Result<(), Unread> {
        let command = match read(text) {
            Ok(command) => command,
            Err(problem) => return self.tell(Outgoing::Reply(Reply::Problem { command: None, id: None, problem })),
        };
        let reply = match self.perform(&command).await {
            Ok(reply) => reply,
            Err(problem) => {
                Reply::Problem { command: Some(command.name()), id: command.id().map(str::to_owned), problem }
            }
        };
        self.tell(Outgoing::Reply(reply))
    }

    async fn perform(&mut self, command: &Command) -> Result<Reply, Problem> {
        let mut reply = Reply::done(command);
        match command {
            Command::AudioBegin { rate, channels, .. } => {
                let rate = rate.unwrap_or(self.default_format.rate);
                let channels = channels.unwrap_or(self.default_format.channels);
                self.begin_utterance(PcmFormat { rate, channels }).await?;
            }
            Command::AudioEnd { .. } => self.end_utterance(),
            Command::Interrupt { .. } => {
                self.drop_utterance();
                let cut = self.node.interrupt(self.who, self.session).await?;
                if let Reply::Done { generation, position_ms, utterance_id, .. } = &mut reply {
                    *generation = Some(cut.generation);
                    *position_ms = Some(cut.position_ms);
                    *utterance_id = cut.utterance;
                }
            }
            Command::Gesture { gesture, .. } => {
                let begun = self.node.gesture(self.who, self.session, gesture).await?;
                if let Reply::Done { duration_ms, holds, .. } = &mut reply {
                    *duration_ms = Some(begun.duration_ms);
                    *holds = Some(begun.hold_at_ms.is_some());
                }
            }
            Command::Pause { .. } | Command::Resume { .. } | Command::Stop { .. } if !self.may_control => {
                let detail =
                    "a client token hears, speaks, interrupts and gestures; it neither pauses nor resumes nor stops";
                return Err(Problem::new(Code::TokenNotEnough, detail));
            }
            Command::Pause { .. } => drop(self.node.pause(self.who, self.session).await?),
            Command::Resume { .. } => drop(self.node.resume(self.who, self.session).await?),
            Command::Stop { .. } => drop(self.node.stop(self.who, self.session).await?),
            Command::Ping { .. } => {}
        }
        Ok(reply)
    }

    async fn audio(&mut self, message: &[u8]) -> Result<(), Unread> {
        self.speech.clear();
        let samples = samples(&mut self.odd_byte, message);
        if samples.is_empty() {
            return Ok(());
        }
        if let Err(problem) = self.find_room(self.ear.length_of(samples.len())).await {
            // Before any work is done on what will not be taken.
            self.ear.skip(samples);
            return self.tell_of_audio(problem);
        }
        self.ear.push(samples, &mut self.speech);
        if self.speech.is_empty() {
            return Ok(());
        }
        match self.push().await {
            Ok(()) => Ok(()),
            Err(problem) => self.tell_of_audio(problem),
        }
    }

    /// Looks that the open utterance, or a new one if that is over, takes so many samples.
    async fn find_room(&mut self, samples: u64) -> Result<(), Problem> {
        self.in_utterance(|feed| feed.check_room(samples)).await
    }

    /// Does something with the open utterance, or with a new one if that is over.
    async fn in_utterance<T>(&mut self, act: impl Fn(&LiveFeed) -> Result<T, StageError>) -> Result<T, Problem> {
        let mut acted = match &self.feed {
            Some(feed) => act(feed),
            None => Err(StageError::UtteranceOver),
        };
        if matches!(acted, Err(StageError::UtteranceOver | StageError::Closed)) {
            // Kept whether it takes these samples or not: each message that is refused must not open one more.
            let feed = self.feed.insert(self.node.live(self.who, self.session).await?);
            self.is_announced = false;
            acted = act(feed);
        }
        Ok(acted.map_err(NodeError::from)?)
    }

    /// Gives the speech at hand to the utterance.
    async fn push(&mut self) -> Result<(), Problem> {
        let speech = std::mem::take(&mut self.speech);
        let pushed = self.in_utterance(|feed| feed.push(&speech)).await;
        // Kept for the next message's.
        self.speech = speech;
        pushed?;
        let Some(feed) = self.feed.as_ref().filter(|_| !self.is_announced) else { return Ok(()) };
        let utterance_id = feed.utterance();
        self.is_announced = true;
        self.tell(Outgoing::Reply(Reply::UtteranceQueued { utterance_id }))
            .map_err(|Unread| Problem::new(Code::AudioQueueFull, "too many answers wait: read them"))
    }

    /// Lets the utterance end, and the next one have this format.
    async fn begin_utterance(&mut self, format: PcmFormat) -> Result<(), Problem> {
        if format == self.format {
            self.end_utterance();
            return Ok(());
        }
        self.format_changes.take(Instant::now())?;
        let ear = speech::ear(format.rate, format.channels).await?;
        self.end_utterance();
        (self.ear, self.format) = (ear, format);
        Ok(())
    }

    /// Speaks what the resampler still holds, and lets the utterance end.
    fn end_utterance(&mut self) {
        self.speech.clear();
        self.ear.flush(&mut self.speech);
        self.odd_byte = None;
        if let Some(feed) = self.feed.take() {
            // An utterance that is over already, or a full queue, loses the last few milliseconds of a sound that
            // nobody waits for.
            let _ = feed.push(&self.speech);
            feed.end();
        }
    }

    /// Forgets the utterance: what is sent next begins another.
    fn drop_utterance(&mut self) {
        self.speech.clear();
        self.ear.flush(&mut self.speech);
        self.odd_byte = None;
        self.feed = None;
    }

    fn tell_of_audio(&mut self, problem: Problem) -> Result<(), Unread> {
        let now = Instant::now();
        if self.told_of_audio.is_some_and(|told| now - told < AUDIO_PROBLEM_EVERY) {
            return Ok(());
        }
        self.told_of_audio = Some(now);
        self.tell(Outgoing::Reply(Reply::Problem { command: None, id: None, problem }))
    }

    fn tell(&self, outgoing: Outgoing) -> Result<(), Unread> {
        self.replies.try_send(outgoing).map_err(|_| Unread)
    }
}

/// Reads a command.
///
/// # Errors
/// A problem if it is too long or no command.
fn read(text: &str) -> Result<Command, Problem> {
    if text.len() > COMMAND_BYTES_MAX {
        let detail = format!("the message has {} bytes; a command has {COMMAND_BYTES_MAX} at most", text.len());
        return Err(Problem::new(Code::BodyTooLarge, detail).with("max_bytes", COMMAND_BYTES_MAX));
    }
    let command: Command = serde_json::from_str(text).map_err(|error| {
        let complaint: String = error.to_string().chars().take(COMPLAINT_CHARS_MAX).collect();
        Problem::new(Code::InvalidBody, format!("the message is not a command: {complaint}"))
    })?;
    match command.id().map(|id| id.chars().count()) {
        Some(length) if length > ID_CHARS_MAX => {
            Err(Problem::field("/id", format!("has {length} characters; it may have {ID_CHARS_MAX}")))
        }
        _ => Ok(command),
    }
}

/// The client does not read its answers.
#[derive(Debug)]
struct Unread;

/// The 16-bit little-endian samples of a message, at full scale 1. Messages may end in the middle of a sample.
fn samples(odd_byte: &mut Option<u8>, message: &[u8]) -> Vec<f32> {
    let full_scale = |low, high| f32::from(i16::from_le_bytes([low, high])) / 32_768.0;
    let mut found = Vec::with_capacity(message.len() / 2 + 1);
    let mut rest = message;
    if let (Some(low), Some((&high, tail))) = (*odd_byte, message.split_first()) {
        found.push(full_scale(low, high));
        *odd_byte = None;
        rest = tail;
    }
    let (pairs, left) = rest.as_chunks::<2>();
    found.extend(pairs.iter().map(|&[low, high]| full_scale(low, high)));
    if let [low] = left {
        *odd_byte = Some(*low);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_or_id_is_refused_and_not_quoted_in_full() {
        let refused = |text: &str| {
            let problem = read(text).expect_err("it is too long");
            assert!(problem.detail.chars().count() < 512, "{}", problem.detail);
            problem.code
        };
        let ping = |id_length: usize| format!(r#"{{"type":"ping","id":"{}"}}"#, "x".repeat(id_length));
        assert!(read(&ping(ID_CHARS_MAX)).is_ok());
        assert_eq!(refused(&ping(ID_CHARS_MAX + 1)), Code::InvalidField);
        assert_eq!(refused(&ping(1 << 20)), Code::BodyTooLarge);
        assert_eq!(refused(&format!(r#"{{"type":"{}"}}"#, "\u{e9}".repeat(2_000))), Code::InvalidBody);
    }

    #[test]
    fn samples_may_be_cut_anywhere_between_messages() {
        let whole: Vec<u8> = [1_i16, -2, 300, -32_768].iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let expected = samples(&mut None, &whole);
        for cut in 0..=whole.len() {
            let mut odd_byte = None;
            let mut found = samples(&mut odd_byte, &whole[..cut]);
            found.extend(samples(&mut odd_byte, &whole[cut..]));
            assert_eq!(found, expected, "cut at {cut}");
            assert_eq!(odd_byte, None);
        }
        assert_eq!(samples(&mut None, &[]), Vec::<f32>::new());
    }
}
