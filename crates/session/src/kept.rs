//! What a session still has to say, as it is kept beside it: how an heir knows where to go on.

use footlight_ledger::Units;
use serde::{Deserialize, Serialize};

use crate::UtteranceId;

/// How an utterance's audio came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptKind {
    /// Whole: it is kept with its audio.
    Upload,
    /// While it was spoken: only whoever sent it has it.
    Live,
}

/// One utterance that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptUtterance {
    /// Which.
    pub id: UtteranceId,
    /// Its place: lower ones were queued before.
    pub order: u64,
    /// How its audio came.
    pub kind: KeptKind,
    /// Its length in samples; 0 of one whose audio had not all come.
    pub samples: u64,
    /// Where it was begun, once it was.
    pub begun: Option<Begun>,
}

/// Where an owner began with an utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Units of the session before its first frame.
    pub units: Units,
    /// The sample that this frame began with: 0 unless it went on for a former owner.
    pub sample: u64,
}

/// An utterance that an heir goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftToSay {
    /// Which.
    pub id: UtteranceId,
    /// The first sample that was not spoken.
    pub from: u64,
}

/// What an heir makes of kept utterances.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Testament {
    /// Uploads to queue, in this order.
    pub speak: Vec<LeftToSay>,
    /// Live utterances that whoever sent them has to send again, from there.
    pub resend: Vec<LeftToSay>,
    /// What is over, and only was not removed.
    pub over: Vec<UtteranceId>,
}

impl Testament {
    /// Reads kept utterances at `proved` units of a session whose frames take `samples_per_frame` each.
    ///
    /// Utterances are spoken one after the other. So of those that were begun only the last one may go on, and where it is
    /// says the count of frames since it began.
    #[must_use]
    pub fn read(mut kept: Vec<KeptUtterance>, proved: Units, samples_per_frame: u64) -> Self {
        kept.sort_by_key(|utterance| utterance.order);
        let begun = |utterance: &KeptUtterance| utterance.begun.map(|begun| (begun.units, utterance.order));
        let last_begun = kept.iter().filter_map(begun).max();
        let mut testament = Self::default();
        let mut going_on = None;
        for utterance in kept {
            let id = utterance.id;
            let from = match utterance.begun {
                None => 0,
                Some(_) if begun(&utterance) != last_begun => {
                    testament.over.push(id);
                    continue;
                }
                Some(begun) => begun.sample + proved.saturating_sub(begun.units) * samples_per_frame,
            };
            let left = LeftToSay { id, from };
            match utterance.kind {
                KeptKind::Live => testament.resend.push(left),
                KeptKind::Upload if from >= utterance.samples => testament.over.push(id),
                KeptKind::Upload if utterance.begun.is_some() => going_on = Some(left),
                KeptKind::Upload => testament.speak.push(left),
            }
        }
        // What was begun goes first, whatever waited before it and was passed over.
        testament.speak.splice(0..0, going_on);
        testament
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const PER_FRAME: u64 = 1_920;

    fn utterance(order: u64, kind: KeptKind, frames: u64, begun: Option<(Units, u64)>) -> KeptUtterance {
        let begun = begun.map(|(units, sample)| Begun { units, sample });
        KeptUtterance { id: id(order), order, kind, samples: frames * PER_FRAME, begun }
    }

    fn id(order: u64) -> UtteranceId {
        UtteranceId(Uuid::from_u128(u128::from(order)))
    }

    fn left(order: u64, frames: u64) -> LeftToSay {
        LeftToSay { id: id(order), from: frames * PER_FRAME }
    }

    #[test]
    fn what_was_begun_goes_on_where_the_proof_ends_and_the_rest_follows_in_its_order() {
        use KeptKind::Upload;
        let kept = vec![
            utterance(3, Upload, 10, None),
            utterance(2, Upload, 100, Some((40, 0))),
            utterance(4, Upload, 10, None),
            utterance(1, Upload, 40, Some((0, 0))),
        ];
        let testament = Testament::read(kept, 65, PER_FRAME);
        assert_eq!(testament.speak, [left(2, 25), left(3, 0), left(4, 0)]);
        assert_eq!((testament.resend, testament.over), (vec![], vec![id(1)]));
    }

    #[test]
    fn a_second_heir_counts_from_where_the_first_one_began() {
        let kept = vec![utterance(1, KeptKind::Upload, 100, Some((500, 25 * PER_FRAME)))];
        assert_eq!(Testament::read(kept.clone(), 510, PER_FRAME).speak, [left(1, 35)]);
        assert_eq!(Testament::read(kept, 499, PER_FRAME).speak, [left(1, 25)], "less is proved than was begun with");
    }

    #[test]
    fn what_was_spoken_to_its_end_is_over() {
        let kept = vec![utterance(1, KeptKind::Upload, 20, Some((5, 0)))];
        assert_eq!(Testament::read(kept, 25, PER_FRAME), Testament { over: vec![id(1)], ..Testament::default() });
    }

    #[test]
    fn live_speech_is_to_be_sent_again_and_holds_nothing_up() {
        use KeptKind::{Live, Upload};
        let kept =
            vec![utterance(1, Live, 0, Some((10, 0))), utterance(2, Upload, 5, None), utterance(3, Live, 0, None)];
        let testament = Testament::read(kept, 30, PER_FRAME);
        assert_eq!((testament.speak, testament.resend), (vec![left(2, 0)], vec![left(1, 20), left(3, 0)]));
    }

    #[test]
    fn an_upload_that_was_passed_over_still_waits_behind_what_was_begun() {
        use KeptKind::Upload;
        let kept = vec![utterance(1, Upload, 5, None), utterance(2, Upload, 50, Some((0, 0)))];
        assert_eq!(Testament::read(kept, 10, PER_FRAME).speak, [left(2, 10), left(1, 0)]);
    }
}
