use std::io;

use super::Container;

/// Why submitted audio cannot be spoken. Each message is meant for the person who sent it.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There are no bytes, or a header with no samples behind it.
    #[error("the audio is empty: send at least one sample")]
    Empty,

    /// The content is of no known kind. Names are not believed, only content.
    #[error(
        "{name} is not audio in a known format (it begins with {begins_with}): send WAV, FLAC, MP3, Ogg Vorbis, \
         Ogg Opus, or raw PCM with its rate and channels"
    )]
    Unrecognised {
        /// What the sender calls it, or `the content`.
        name: String,
        /// Its first bytes, readable.
        begins_with: String,
    },

    /// The content was recognised, and is of a kind that is not decoded here.
    #[error("{found} is not supported: send WAV, FLAC, MP3, Ogg Vorbis, Ogg Opus or raw PCM")]
    Unsupported {
        /// What it is.
        found: String,
    },

    /// The content ends before its own header says it does: an upload or a copy was cut short.
    #[error("the {container} is cut short: its header promises {expected} {unit} and {found} are there")]
    Truncated {
        /// Kind of file.
        container: Container,
        /// How much the header promises.
        expected: u64,
        /// How much there is.
        found: u64,
        /// What is counted: `bytes of samples`, `samples`.
        unit: &'static str,
    },

    /// The content is of a known kind and damaged.
    #[error("the {container} is damaged: {reason}")]
    Malformed {
        /// Kind of file.
        container: Container,
        /// What the decoder says.
        reason: String,
    },

    /// It lasts longer than is taken.
    #[error("the audio is longer than the limit of {limit_s} s: split it, or raise the limit")]
    TooLong {
        /// The limit in seconds.
        limit_s: u32,
    },

    /// A sample rate that no speech has.
    #[error("a sample rate of {rate} Hz is outside of {min} to {max} Hz")]
    Rate {
        /// Samples a second.
        rate: u32,
        /// Smallest rate taken.
        min: u32,
        /// Largest rate taken.
        max: u32,
    },

    /// A number of channels that is not taken.
    #[error("{channels} channels are outside of 1 to {max}")]
    Channels {
        /// Channels found.
        channels: usize,
        /// Most channels taken.
        max: usize,
    },

    /// Rate or channels change on the way, as in files that were glued together.
    #[error(
        "the {container} changes from {from_rate} Hz, {from_channels} channels to {to_rate} Hz, {to_channels} channels \
         on the way: convert it to one rate"
    )]
    FormatChanged {
        /// Kind of file.
        container: Container,
        /// Rate at the beginning.
        from_rate: u32,
        /// Channels at the beginning.
        from_channels: usize,
        /// Rate from here on.
        to_rate: u32,
        /// Channels from here on.
        to_channels: usize,
    },

    /// The bytes could not be read.
    #[error("the audio cannot be read")]
    Io(#[source] io::Error),
}
