//! Gestures as they stand in a manifest.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::MANIFEST;
use super::error::{BundleError, printable};
use super::gesture::{Channel, GESTURES_MAX, Gesture, Key};
use super::pack::{shape, unpackable};
use super::parts::Axis;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GestureEntry {
    pub(super) name: String,
    pub(super) duration_ms: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hold: Option<HoldEntry>,
    pub(super) channels: Channels,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldEntry {
    pub(super) at_ms: u32,
}

/// Channels as written: a name twice must show, so this is no map.
#[derive(Debug)]
pub(super) struct Channels(pub(super) Vec<(String, Vec<(u32, f32)>)>);

impl<'de> Deserialize<'de> for Channels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Channels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("channels by name, each a list of [milliseconds, value]")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Channels, A::Error> {
                let mut channels = Vec::new();
                while let Some(channel) = map.next_entry()? {
                    channels.push(channel);
                }
                Ok(Channels(channels))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

impl Serialize for Channels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, keys)| (name, keys)))
    }
}

/// The gestures of a manifest, checked.
pub(super) fn read(entries: &[GestureEntry]) -> Result<Vec<Gesture>, BundleError> {
    if entries.len() > GESTURES_MAX {
        return Err(bad("there are more than 32 gestures"));
    }
    let mut gestures: Vec<Gesture> = Vec::with_capacity(entries.len());
    for entry in entries {
        let gesture = Gesture {
            name: entry.name.clone(),
            duration_ms: entry.duration_ms,
            hold_at_ms: entry.hold.as_ref().map(|hold| hold.at_ms),
            channels: entry.channels.0.iter().map(|channel| channel_of(entry, channel)).collect::<Result<_, _>>()?,
        };
        gesture.check().map_err(|fault| bad(fault.to_string()))?;
        if gestures.iter().any(|known| known.name == gesture.name) {
            return Err(bad("two gestures have the same name"));
        }
        gestures.push(gesture);
    }
    Ok(gestures)
}

fn channel_of(entry: &GestureEntry, (name, keys): &(String, Vec<(u32, f32)>)) -> Result<Channel, BundleError> {
    let axis = Axis::named(name).ok_or_else(|| {
        let (gesture, name) = (printable(&entry.name), printable(name));
        bad(format!("gesture `{gesture}`: channel `{name}` is neither an ARKit blendshape nor a head axis"))
    })?;
    Ok(Channel { axis, keys: keys.iter().map(|&(at_ms, value)| Key { at_ms, value }).collect() })
}

fn bad(what: impl Into<String>) -> BundleError {
    BundleError::invalid(MANIFEST, what)
}

/// A gesture as it is written.
pub(super) fn write(gesture: &Gesture) -> Result<GestureEntry, BundleError> {
    // What is no number cannot even be written.
    gesture.check().map_err(|fault| unpackable(fault.to_string()))?;
    let channels = gesture.channels.iter().map(|channel| {
        let keys = channel.keys.iter().map(|key| (key.at_ms, key.value)).collect();
        Ok((shape(channel.axis)?, keys))
    });
    Ok(GestureEntry {
        name: gesture.name.clone(),
        duration_ms: gesture.duration_ms,
        hold: gesture.hold_at_ms.map(|at_ms| HoldEntry { at_ms }),
        channels: Channels(channels.collect::<Result<_, _>>()?),
    })
}
