use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder as CodecDecoder};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::packet::Packet;
use symphonia::default::formats::{FlacReader, MpaReader, OggReader, WavReader};

use super::ogg_opus::{self, OggOpusDecoder};
use super::{AudioSource, Container, DecodeError, Shape};

/// Damaged packets in a row after which a lossy file counts as damaged: over half a second.
const DAMAGED_PACKETS_MAX: u32 = 32;
/// Packets without a sample in a row after which a file counts as damaged, so that no file can keep a thread busy
/// with nothing.
const EMPTY_PACKETS_MAX: u32 = 1000;
/// Longest silence put in the place of one damaged packet, in frames.
const CONCEALED_FRAMES_MAX: u64 = 8192;

/// Decodes WAV, FLAC, MP3 and Ogg.
pub(super) struct ContainerDecoder {
    reader: Box<dyn FormatReader>,
    container: Container,
    codec: Codec,
    track_id: u32,
    rate: u32,
    channels: usize,
    frames: u64,
    /// Set where the header's count is binding: a FLAC that ends before it was cut short.
    frames_promised: Option<u64>,
}

enum Codec {
    Symphonia(Box<dyn CodecDecoder>),
    Opus(Box<OggOpusDecoder>),
}

impl ContainerDecoder {
    pub(super) fn open(source: AudioSource, container: Container) -> Result<(Self, Shape), DecodeError> {
        let reader = open_reader(source, container)?;
        let track = reader
            .first_track_known_codec(TrackType::Audio)
            .ok_or_else(|| malformed(container, "there is no audio in it"))?
            .clone();
        let Some(CodecParameters::Audio(parameters)) = &track.codec_params else {
            return Err(malformed(container, "there is no audio in it"));
        };
        let (codec, rate, channels) = open_codec(parameters, container)?;
        let decoder = Self {
            reader,
            container,
            codec,
            track_id: track.id,
            rate,
            channels,
            frames: 0,
            frames_promised: track.num_frames.filter(|_| container == Container::Flac),
        };
        let delay = match &decoder.codec {
            // The container counts what is thrown away at the beginning.
            Codec::Opus(opus) => opus.skip_frames() as u64,
            Codec::Symphonia(_) => 0,
        };
        let frames = track.num_frames.map(|frames| frames.saturating_sub(delay));
        let shape = Shape { rate, channels, frames };
        Ok((decoder, shape))
    }

    /// Appends the samples of the next packet that has some to `samples`, or nothing at the end.
    pub(super) fn decode(&mut self, samples: &mut Vec<f32>) -> Result<(), DecodeError> {
        let mut damaged = 0;
        for _ in 0..EMPTY_PACKETS_MAX {
            let Some(packet) = self.next_packet()? else {
                return self.check_whole();
            };
            match self.decode_packet(&packet, samples) {
                Ok(()) => damaged = 0,
                // MP3 and Ogg are made to lose packets: silence stands in for a damaged one, so that what follows
                // is heard in its place. In WAV and FLAC damage means that the file is not what was sent.
                Err(DecodeError::Malformed { .. })
                    if matches!(self.container, Container::Mp3 | Container::Ogg) && damaged < DAMAGED_PACKETS_MAX =>
                {
                    damaged += 1;
                    let frames = packet.dur.get().min(CONCEALED_FRAMES_MAX) as usize;
                    samples.resize(samples.len() + frames * self.channels, 0.0);
                    // One chunk of silence is not the end of a run of damage: go on until a good packet.
                    continue;
                }
                Err(error) => return Err(error),
            }
            if !samples.is_empty() {
                self.frames += (samples.len() / self.channels) as u64;
                return Ok(());
            }
        }
        Err(malformed(self.container, "it goes on without any samples"))
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, DecodeError> {
        loop {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => return Ok(Some(packet)),
                // Another stream of the same file.
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Ok(None);
                }
                // A further stream was chained to the first: that is another recording.
                Err(Error::ResetRequired) => return Ok(None),
                Err(error) => return Err(from_symphonia(self.container, error)),
            }
        }
    }

    fn decode_packet(&mut self, packet: &Packet, samples: &mut Vec<f32>) -> Result<(), DecodeError> {
        let decoder = match &mut self.codec {
            Codec::Opus(opus) => {
                return opus.decode(&packet.data, packet.trim_end.get() as usize, samples);
            }
            Codec::Symphonia(decoder) => decoder,
        };
        let buffer = decoder.decode(packet).map_err(|error| from_symphonia(self.container, error))?;
        let (to_rate, to_channels) = shape_of(&buffer);
        if (to_rate, to_channels) != (self.rate, self.channels) {
            return Err(DecodeError::FormatChanged {
                container: self.container,
                from_rate: self.rate,
                from_channels: self.channels,
                to_rate,
                to_channels,
            });
        }
        let start = samples.len();
        samples.resize(start + buffer.samples_interleaved(), 0.0);
        buffer.copy_to_slice_interleaved(&mut samples[start..]);
        Ok(())
    }

    fn check_whole(&self) -> Result<(), DecodeError> {
        match self.frames_promised {
            Some(expected) if self.frames < expected => {
                Err(DecodeError::Truncated { container: self.container, expected, found: self.frames, unit: "samples" })
            }
            _ => Ok(()),
        }
    }
}

fn open_reader(source: AudioSource, container: Container) -> Result<Box<dyn FormatReader>, DecodeError> {
    let stream = source.into_stream().map_err(DecodeError::Io)?;
    let options = FormatOptions::default();
    let reader: Result<Box<dyn FormatReader>, Error> = match container {
        Container::Wav => WavReader::try_new(stream, options).map(|reader| Box::new(reader) as _),
        Container::Flac => FlacReader::try_new(stream, options).map(|reader| Box::new(reader) as _),
        Container::Mp3 => MpaReader::try_new(stream, options).map(|reader| Box::new(reader) as _),
        Container::Ogg => OggReader::try_new(stream, options).map(|reader| Box::new(reader) as _),
        Container::RawPcm => unreachable!("raw samples have a decoder of their own"),
    };
    reader.map_err(|error| from_symphonia(container, error))
}

fn open_codec(parameters: &AudioCodecParameters, container: Container) -> Result<(Codec, u32, usize), DecodeError> {
    if parameters.codec == CODEC_ID_OPUS {
        let head = parameters.extra_data.as_deref().unwrap_or_default();
        let (opus, channels) = OggOpusDecoder::open(head)?;
        return Ok((Codec::Opus(Box::new(opus)), ogg_opus::RATE, channels));
    }
    let (Some(rate), Some(channels)) = (parameters.sample_rate, &parameters.channels) else {
        return Err(malformed(container, "its header tells no rate or no channels"));
    };
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &Default::default())
        .map_err(|error| from_symphonia(container, error))?;
    Ok((Codec::Symphonia(decoder), rate, channels.count()))
}

fn shape_of(buffer: &GenericAudioBufferRef<'_>) -> (u32, usize) {
    let spec = buffer.spec();
    (spec.rate(), spec.channels().count())
}

fn from_symphonia(container: Container, error: Error) -> DecodeError {
    match error {
        Error::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => DecodeError::Io(error),
        Error::Unsupported(feature) => DecodeError::Unsupported { found: format!("{container} with {feature}") },
        Error::IoError(_) => malformed(container, "it ends too early, as if it was cut short"),
        other => malformed(container, &other.to_string()),
    }
}

fn malformed(container: Container, reason: &str) -> DecodeError {
    DecodeError::Malformed { container, reason: reason.to_owned() }
}
