//! Commands and their answers: the text messages of the WebSocket.

use footlight_session::UtteranceId;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// What a client may ask for. `id` is the client's own, given back with the answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", deny_unknown_fields)]
pub(crate) enum Command {
    /// The next binary message begins an utterance, in this format.
    AudioBegin { rate: Option<u32>, channels: Option<u16>, id: Option<String> },
    /// The utterance is complete.
    AudioEnd { id: Option<String> },
    /// Stop speaking, forget what waits.
    Interrupt { id: Option<String> },
    /// Play a gesture of the avatar.
    Gesture { gesture: String, id: Option<String> },
    /// Pause the session.
    Pause { id: Option<String> },
    /// Resume the session.
    Resume { id: Option<String> },
    /// Stop the session.
    Stop { id: Option<String> },
    /// Are you there?
    Ping { id: Option<String> },
}

impl Command {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::AudioBegin { .. } => "audio_begin",
            Self::AudioEnd { .. } => "audio_end",
            Self::Interrupt { .. } => "interrupt",
            Self::Gesture { .. } => "gesture",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Stop { .. } => "stop",
            Self::Ping { .. } => "ping",
        }
    }

    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::AudioBegin { id, .. }
            | Self::AudioEnd { id }
            | Self::Interrupt { id }
            | Self::Gesture { id, .. }
            | Self::Pause { id }
            | Self::Resume { id }
            | Self::Stop { id }
            | Self::Ping { id } => id.as_deref(),
        }
    }
}

/// What a client is told that is not an event of the session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub(crate) enum Reply {
    /// A command was done.
    Done {
        command: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// For `interrupt`: frames of older generations do not come any more.
        #[serde(skip_serializing_if = "Option::is_none")]
        generation: Option<u32>,
        /// For `interrupt`: how far the utterance had come.
        #[serde(skip_serializing_if = "Option::is_none")]
        position_ms: Option<u64>,
        /// For `interrupt`: what was cut off.
        #[serde(skip_serializing_if = "Option::is_none")]
        utterance_id: Option<UtteranceId>,
        /// For `gesture`: how long it takes, without the time that it is held for.
        #[serde(skip_serializing_if = "Option::is_none")]
        duration_ms: Option<u32>,
        /// For `gesture`: whether it holds its pose.
        #[serde(skip_serializing_if = "Option::is_none")]
        holds: Option<bool>,
    },
    /// Audio began a new utterance.
    UtteranceQueued { utterance_id: UtteranceId },
    /// A command was not done, or audio was not taken.
    Problem {
        #[serde(skip_serializing_if = "Option::is_none")]
        command: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        problem: Problem,
    },
}

impl Reply {
    pub(crate) fn done(command: &Command) -> Self {
        Self::Done {
            command: command.name(),
            id: command.id().map(str::to_owned),
            generation: None,
            position_ms: None,
            utterance_id: None,
            duration_ms: None,
            holds: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_by_their_type() {
        let read = |text| serde_json::from_str::<Command>(text).unwrap();
        assert_eq!(read(r#"{"type":"interrupt","id":"7"}"#), Command::Interrupt { id: Some("7".to_owned()) });
        assert_eq!(
            read(r#"{"type":"audio_begin","rate":24000}"#),
            Command::AudioBegin { rate: Some(24_000), channels: None, id: None }
        );
        assert_eq!(
            read(r#"{"type":"gesture","gesture":"nod"}"#),
            Command::Gesture { gesture: "nod".to_owned(), id: None }
        );
        let unknown = serde_json::from_str::<Command>(r#"{"type":"sing"}"#).unwrap_err().to_string();
        assert!(unknown.contains("audio_begin"), "the possible ones are named: {unknown}");
        assert!(serde_json::from_str::<Command>(r#"{"type":"pause","now":true}"#).is_err());
    }
}
