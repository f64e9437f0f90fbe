//! What can be wrong with an audio format.

/// A format that the front end does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// The sampling rate is out of range.
    #[error("sampling rate {rate} hz is outside {min} to {max}")]
    Rate {
        /// What was asked for, in Hz.
        rate: u32,
        /// The lowest rate taken.
        min: u32,
        /// The highest rate taken.
        max: u32,
    },
    /// The channel count is out of range.
    #[error("{channels} audio channels are outside 1 to {max}")]
    Channels {
        /// What was asked for.
        channels: u16,
        /// The greatest count taken.
        max: u16,
    },
}
