//! Writing events down: each becomes a delivery at every endpoint that wants it, in one step.

use std::collections::BTreeSet;

use footlight_ledger::Timestamp;
use footlight_store::{Due, Expected, RecordKey, RecordOp};

use crate::documents::{
    Delivery, DeliveryState, Endpoint, Lane, REMOVAL, TOLD, delivery_key, fresh, lane_key, lane_queue, pending_key,
    put, stream,
};
use crate::event::Event;
use crate::options::ms;
use crate::{Encode, HookOptions};

/// The steps that write some events of one account. `None` when nobody wants any of them.
///
/// Lanes are ensured: one that is there gets a new version, so that whoever just found its stream empty sees that
/// something came.
pub(crate) fn ops(
    events: &[Event],
    endpoints: &[Endpoint],
    now: Timestamp,
    options: &HookOptions,
    encode: &Encode,
) -> Option<Vec<RecordOp>> {
    let mut ops = Vec::new();
    let mut lanes = BTreeSet::new();
    for event in events {
        let wanted: Vec<&Endpoint> = endpoints.iter().filter(|endpoint| endpoint.wants(event.kind())).collect();
        if wanted.is_empty() {
            continue;
        }
        if let Some(name) = event.once() {
            let removal = Due { queue: REMOVAL.to_owned(), at: now.plus_ms(ms(options.kept)) };
            ops.push(put(RecordKey::new(TOLD, name), Expected::Absent, Some(removal), &event.id).1);
        }
        let delivery = Delivery {
            event: event.id,
            kind: event.kind(),
            session: event.session(),
            at: event.at,
            state: DeliveryState::Pending,
            attempt_count: 0,
            attempts: Vec::new(),
            since: now,
            body: encode(event),
        };
        let stream = stream(event.session());
        for endpoint in wanted {
            ops.push(put(delivery_key(endpoint.id, event.id), Expected::Absent, None, &delivery).1);
            ops.push(put(pending_key(endpoint.id, &stream, event.id), Expected::Absent, None, &()).1);
            if lanes.insert((endpoint.id, stream.clone())) {
                ops.push(ensure_lane(endpoint, &stream, now));
            }
        }
    }
    (!ops.is_empty()).then_some(ops)
}

/// Says that a stream has something pending.
pub(crate) fn ensure_lane(endpoint: &Endpoint, stream: &str, now: Timestamp) -> RecordOp {
    RecordOp::Ensure {
        key: lane_key(endpoint.id, stream),
        next: fresh(),
        due: Some(Due { queue: lane_queue(endpoint.id), at: now }),
        body: footlight_store::codec::encode_named(&Lane::default()),
    }
}
