//! What the stage refuses, and why.

use footlight_avatar::bundle::BundleError;
use footlight_avatar::face::FaceError;
use footlight_media::MediaError;
use footlight_render::RenderError;

/// Why the stage could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// No avatar has this name.
    #[error("there is no avatar `{name}`; known are: {known}")]
    UnknownAvatar {
        /// What was asked for.
        name: String,
        /// The names there are, separated by commas.
        known: String,
    },
    /// The avatar's bundle cannot be used.
    #[error("avatar `{name}` cannot be used")]
    Avatar {
        /// The avatar.
        name: String,
        /// What is wrong with its bundle.
        #[source]
        source: BundleError,
    },
    /// The frame rate is not one the stage performs at.
    #[error("frame rate {fps} is not possible; choose 20, 25, 30 or 50")]
    FrameRate {
        /// What was asked for.
        fps: u32,
    },
    /// The queue of audio that waits to be spoken is full.
    #[error(
        "{queued_ms} ms of audio already wait to be spoken; at most {limit_ms} ms may, so {refused_ms} ms more were refused"
    )]
    QueueFull {
        /// What waits.
        queued_ms: u64,
        /// What may wait.
        limit_ms: u64,
        /// What was refused.
        refused_ms: u64,
    },
    /// The audio that waits in all sessions takes as much memory as it may, or that of one account does.
    #[error(
        "{bytes} bytes of audio already wait to be spoken in {}; at most {limit_bytes} may, so more was refused",
        whose(*of_account)
    )]
    NoRoom {
        /// Whether the account's share is meant.
        of_account: bool,
        /// What waits.
        bytes: u64,
        /// What may wait.
        limit_bytes: u64,
    },
    /// As many utterances wait as may, however short they are.
    #[error("{limit} utterances already wait to be spoken; send longer ones, or wait for some to be spoken")]
    TooManyUtterances {
        /// How many may wait.
        limit: usize,
    },
    /// Too many commands wait for this session's worker.
    #[error("{waiting} commands already wait for this session; send them more slowly")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// The avatar has no gesture of this name.
    #[error("the avatar has no gesture `{name}`; {}", those_it_has(known))]
    UnknownGesture {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// An utterance without a single sample.
    #[error("the audio is empty; send at least one sample")]
    EmptyAudio,
    /// The live utterance is over: it was ended, interrupted, or had no audio for 300 ms.
    #[error("this live utterance is over; open another one")]
    UtteranceOver,
    /// The performance is closed, or failed.
    #[error("the performance is closed")]
    Closed,
    /// A frame could not be rendered, or a renderer could not be made.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The face model failed.
    #[error(transparent)]
    Face(#[from] FaceError),
    /// Video or audio could not be encoded.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A worker thread could not be started.
    #[error("stage worker thread could not be started")]
    Thread(#[source] std::io::Error),
}

fn whose(of_account: bool) -> &'static str {
    if of_account { "the account's sessions on this node" } else { "this node's sessions" }
}

fn those_it_has(known: &[String]) -> String {
    if known.is_empty() { "it has none".to_owned() } else { format!("it has: {}", known.join(", ")) }
}
