//! What data looks like on a terminal, and to machines.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, LineStyle, Table};
use indicatif::ProgressStyle;
use serde::Serialize;

use crate::cli::Global;

/// Pretty JSON on standard output.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A table with a head.
pub(crate) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    // Lines above, below and under the head; rows stand close.
    let style = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head.to_vec());
    table
}

/// How bars look.
///
/// # Panics
/// When the template is none; all are constants.
pub(crate) fn bar_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is constant").progress_chars("━━─")
}

/// A JSON object as `name: value` lines, nested names joined by dots.
pub(crate) fn fields(value: &serde_json::Value) {
    let mut rows = Vec::new();
    flatten("", value, &mut rows);
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in rows {
        println!("{name:width$}  {value}");
    }
}

fn flatten(prefix: &str, value: &serde_json::Value, rows: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(entries) => {
            for (name, entry) in entries {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, entry, rows);
            }
        }
        other => rows.push((prefix.to_owned(), text(other))),
    }
}

/// A JSON object as fields, or as JSON for machines.
pub(crate) fn shown(global: &Global, value: &serde_json::Value) -> anyhow::Result<()> {
    if global.json {
        return json(value);
    }
    fields(value);
    Ok(())
}

/// A JSON value as people read it.
pub(crate) fn text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
