//! Just enough of Annex-B to box it: where one NAL unit ends and the next begins, and of which type each is.

/// `nal_unit_type` of a coded slice of an IDR picture.
pub(crate) const IDR_SLICE: u8 = 5;
/// `nal_unit_type` of a sequence parameter set.
pub(crate) const SPS: u8 = 7;
/// `nal_unit_type` of a picture parameter set.
pub(crate) const PPS: u8 = 8;
/// `nal_unit_type` of an access unit delimiter.
pub(crate) const DELIMITER: u8 = 9;

/// Returns the type of a NAL unit, which must not be empty.
pub(crate) fn unit_type(unit: &[u8]) -> u8 {
    unit[0] & 0x1f
}

/// Iterates over the NAL units of an Annex-B access unit, without start codes and never empty.
pub(crate) fn units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(annex_b);
    std::iter::from_fn(move || {
        loop {
            let data = rest?;
            let end = find_start_code(data).unwrap_or(data.len());
            rest = after_start_code(&data[end..]);
            // Zero bytes before a start code belong to neither unit: a unit never ends with one.
            let length = data[..end].iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            if length > 0 {
                return Some(&data[..length]);
            }
        }
    })
}

fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    find_start_code(data).map(|start| &data[start + 3..])
}

/// Finds the next `00 00 01`. Steps by what the third byte rules out, for this runs over every coded frame.
fn find_start_code(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at + 2 < data.len() {
        match data[at + 2] {
            1 if data[at] == 0 && data[at + 1] == 0 => return Some(at),
            0 => at += 1,
            _ => at += 3,
        }
    }
    None
}
