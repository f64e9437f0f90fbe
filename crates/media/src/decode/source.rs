use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use bytes::Bytes;
use symphonia::core::io::{MediaSource, MediaSourceStream};

/// Where the bytes of submitted audio are: in memory, or in a file that is read as it is spoken.
#[derive(Debug)]
pub struct AudioSource {
    place: Place,
    /// Stands in for the first `skipped` bytes of the place.
    front: Vec<u8>,
    skipped: u64,
    len: u64,
    position: u64,
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
        Ok(Self::whole(Place::File(file), len))
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the source with its first `skipped` bytes replaced by `front`, and cut after `kept` bytes more.
    pub(super) fn with_front(mut self, front: Vec<u8>, skipped: u64, kept: u64) -> io::Result<Self> {
        self.len = front.len() as u64 + kept.min(self.len - skipped);
        self.front = front;
        self.skipped = skipped;
        self.rewind()?;
        Ok(self)
    }

    pub(super) fn into_stream(mut self) -> io::Result<MediaSourceStream<'static>> {
        self.rewind()?;
        Ok(MediaSourceStream::new(Box::new(self), Default::default()))
    }

    /// Reads as much of `buffer` as there is at `offset`.
    pub(super) fn read_at<'a>(&mut self, offset: u64, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        self.seek(SeekFrom::Start(offset))?;
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&buffer[..filled])
    }

    fn whole(place: Place, len: u64) -> Self {
        Self { place, front: Vec::new(), skipped: 0, len, position: 0 }
    }
}

impl From<Bytes> for AudioSource {
    fn from(bytes: Bytes) -> Self {
        let len = bytes.len() as u64;
        Self::whole(Place::Memory(Cursor::new(bytes)), len)
    }
}

impl From<Vec<u8>> for AudioSource {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl Read for AudioSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.position);
        let wanted = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let buffer = &mut buffer[..wanted];
        // A position that does not fit is beyond the front as well.
        let at = usize::try_from(self.position).unwrap_or(usize::MAX);
        let read = match self.front.get(at..) {
            Some(mut front) if !front.is_empty() => front.read(buffer)?,
            _ => match &mut self.place {
                Place::Memory(cursor) => cursor.read(buffer)?,
                Place::File(file) => file.read(buffer)?,
            },
        };
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for AudioSource {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.len.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let position = position.ok_or(io::ErrorKind::InvalidInput)?;
        let behind_front = position.saturating_sub(self.front.len() as u64);
        let in_place = SeekFrom::Start(behind_front.saturating_add(self.skipped));
        match &mut self.place {
            Place::Memory(cursor) => cursor.seek(in_place)?,
            Place::File(file) => file.seek(in_place)?,
        };
        self.position = position;
        Ok(position)
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
