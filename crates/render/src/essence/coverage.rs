//! Where a coverage plane is clear and where it is solid, so that most blocks need no look at it.

/// What a block of samples meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cover {
    /// Nothing at all.
    Clear,
    /// Some of both.
    Partial,
    /// Only solid pixels.
    Solid,
}

/// Of one row: where pixels begin and end, and where the longest unbroken stretch of solid ones begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    any: (i32, i32),
    solid: (i32, i32),
}

/// The extents of a coverage plane's rows.
#[derive(Debug)]
pub(super) struct Extents(Vec<Extent>);

impl Extents {
    pub(super) fn of(coverage: &[u8], width: usize) -> Self {
        Self(coverage.chunks_exact(width).map(extent).collect())
    }

    /// What lies between two columns over some rows.
    #[inline(always)]
    pub(super) fn cover(&self, rows: std::ops::Range<usize>, left: i32, right: i32) -> Cover {
        let (mut clear, mut solid) = (true, true);
        for row in &self.0[rows] {
            clear &= row.any.0 >= right || row.any.1 <= left;
            solid &= row.solid.0 <= left && row.solid.1 >= right;
        }
        if clear {
            Cover::Clear
        } else if solid {
            Cover::Solid
        } else {
            Cover::Partial
        }
    }

    /// The columns that pixels of these rows lie in.
    pub(super) fn reach(&self, rows: std::ops::Range<usize>) -> (i32, i32) {
        let used = self.0[rows].iter().filter(|row| row.any.0 < row.any.1);
        used.fold((i32::MAX, i32::MIN), |reach, row| (reach.0.min(row.any.0), reach.1.max(row.any.1)))
    }
}

fn extent(row: &[u8]) -> Extent {
    let begin = row.iter().position(|&a| a > 0).map_or(0, |i| i as i32);
    let end = row.iter().rposition(|&a| a > 0).map_or(0, |i| i as i32 + 1);
    let (mut longest, mut start) = ((0, 0), 0_i32);
    for (index, &alpha) in row.iter().chain(std::iter::once(&0)).enumerate() {
        let index = index as i32;
        if alpha == 255 {
            continue;
        }
        if index - start > longest.1 - longest.0 {
            longest = (start, index);
        }
        start = index + 1;
    }
    Extent { any: (begin, end), solid: longest }
}
