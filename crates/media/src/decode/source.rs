use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use bytes::Bytes;
use symphonia::core::io::{MediaSource, MediaSourceStream};

/// Where the bytes of submitted audio are: in memory, or in a file that is read as it is spoken.
#[derive(Debug)]
pub struct AudioSource {
    bytes: Place,
    len: u64,
}

#[derive(Debug)]
enum Place {
    Memory(Cursor<Bytes>),
    File(File),
}

impl AudioSource {
    /// Reads from an open file, from its beginning.
    ///
    /// # Errors
    ///
    /// Returns the system's error when the file's length cannot be told or it cannot be rewound.
    pub fn from_file(mut file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        file.rewind()?;
        Ok(Self {
            bytes: Place::File(file),
            len,
        })
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn into_stream(mut self) -> io::Result<MediaSourceStream<'static>> {
        self.rewind()?;
        Ok(MediaSourceStream::new(Box::new(self), Default::default()))
    }
}

impl From<Bytes> for AudioSource {
    fn from(bytes: Bytes) -> Self {
        Self {
            len: bytes.len() as u64,
            bytes: Place::Memory(Cursor::new(bytes)),
        }
    }
}

impl From<Vec<u8>> for AudioSource {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl Read for AudioSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.bytes {
            Place::Memory(cursor) => cursor.read(buffer),
            Place::File(file) => file.read(buffer),
        }
    }
}

impl Seek for AudioSource {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.bytes {
            Place::Memory(cursor) => cursor.seek(to),
            Place::File(file) => file.seek(to),
        }
    }
}

impl MediaSource for AudioSource {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len)
    }
}
