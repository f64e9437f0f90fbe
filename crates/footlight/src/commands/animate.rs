//! `footlight animate`: what the face does, without drawing it.

use std::io::{BufWriter, Write};

use footlight_avatar::BLENDSHAPES;
use footlight_stage::{Stage, StageOptions};
use serde_json::{Map, Number, Value, json};

use crate::cli::{Animate, Global};

/// The blendshapes that a table on a terminal shows; `--json` has them all.
const SHOWN: [&str; 5] = ["jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthStretchLeft"];

pub(crate) fn run(global: &Global, options: &Animate) -> anyhow::Result<()> {
    let speech = crate::speech::read(&options.audio)?;
    let stage = Stage::start(StageOptions { workers: 1, ..StageOptions::default() })?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    if !global.json {
        writeln!(out, "{:>9}  {}", "t_ms", SHOWN.map(|name| format!("{name:>16}")).join(""))?;
    }
    stage.animate(&speech, options.fps, |frame| -> anyhow::Result<()> {
        let named = || BLENDSHAPES.iter().zip(frame.weights.0);
        if global.json {
            let weights: Map<String, Value> =
                named().map(|(name, weight)| ((*name).to_owned(), rounded(weight))).collect();
            writeln!(out, "{}", json!({ "t_ms": frame.t_ms, "weights": weights }))?;
        } else {
            let value = |wanted: &str| named().find(|(name, _)| **name == wanted).map_or(0.0, |(_, weight)| weight);
            writeln!(out, "{:9.1}  {}", frame.t_ms, SHOWN.map(|name| format!("{:16.3}", value(name))).join(""))?;
        }
        Ok(())
    })?;
    out.flush()?;
    Ok(())
}

/// Four decimals say all that a weight knows.
fn rounded(weight: f32) -> Value {
    let rounded = (f64::from(weight) * 1e4).round() / 1e4;
    Number::from_f64(rounded).map_or(Value::Null, Value::Number)
}
