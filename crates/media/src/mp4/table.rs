use super::boxes::{put_full_box, put_list, put_u32, put_u64};

/// Where each sample of a track is and how long it lasts: what becomes the `stts`, `stsz`, `stsc` and `co64` boxes.
#[derive(Debug, Default)]
pub(super) struct SampleTable {
    sizes: Vec<u32>,
    /// Runs of (samples, ticks each).
    durations: Vec<(u32, u32)>,
    chunk_offsets: Vec<u64>,
    /// Runs of (first chunk from 1, samples in each).
    chunk_runs: Vec<(u32, u32)>,
    /// Numbers, from 1, of the samples that decoding can start at.
    sync: Vec<u32>,
    ticks: u64,
}

impl SampleTable {
    pub(super) fn push_sample(&mut self, size: u32) {
        self.sizes.push(size);
    }

    /// Says how long the next sample without a duration lasts.
    pub(super) fn push_duration(&mut self, ticks: u32) {
        self.ticks += u64::from(ticks);
        match self.durations.last_mut() {
            Some((count, each)) if *each == ticks => *count += 1,
            _ => self.durations.push((1, ticks)),
        }
    }

    /// Marks the sample pushed last as one that decoding can start at.
    pub(super) fn mark_sync(&mut self) {
        self.sync.push(self.sizes.len() as u32);
    }

    pub(super) fn push_chunk(&mut self, offset: u64, samples: u32) {
        self.chunk_offsets.push(offset);
        if self.chunk_runs.last().is_none_or(|&(_, each)| each != samples) {
            self.chunk_runs.push((self.chunk_offsets.len() as u32, samples));
        }
    }

    pub(super) fn samples(&self) -> u32 {
        self.sizes.len() as u32
    }

    /// Returns the sum of all durations.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks
    }

    pub(super) fn put_durations(&self, out: &mut Vec<u8>) {
        put_full_box(out, b"stts", 0, 0, |out| {
            put_list(out, &self.durations, |out, &(count, each)| {
                put_u32(out, count);
                put_u32(out, each);
            });
        });
    }

    pub(super) fn put_sync(&self, out: &mut Vec<u8>) {
        put_full_box(out, b"stss", 0, 0, |out| {
            put_list(out, &self.sync, |out, &number| put_u32(out, number));
        });
    }

    /// Appends sizes, chunks and offsets. The media ends up `shift` bytes behind where it was written; offsets take
    /// 64 bits each where a file is too long for 32.
    pub(super) fn put_places(&self, out: &mut Vec<u8>, shift: u64, wide: bool) {
        put_full_box(out, b"stsz", 0, 0, |out| {
            const SIZES_DIFFER: u32 = 0;
            put_u32(out, SIZES_DIFFER);
            put_list(out, &self.sizes, |out, &size| put_u32(out, size));
        });
        put_full_box(out, b"stsc", 0, 0, |out| {
            put_list(out, &self.chunk_runs, |out, &(first, samples)| {
                const SAMPLE_DESCRIPTION: u32 = 1;
                put_u32(out, first);
                put_u32(out, samples);
                put_u32(out, SAMPLE_DESCRIPTION);
            });
        });
        let name = if wide { b"co64" } else { b"stco" };
        put_full_box(out, name, 0, 0, |out| {
            put_list(out, &self.chunk_offsets, |out, &offset| match wide {
                true => put_u64(out, offset + shift),
                false => put_u32(out, (offset + shift) as u32),
            });
        });
    }
}
