//! Where settings come from: defaults < files < environment < flags.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::Value;

use super::{Settings, check};

/// `config/default.toml`, compiled in.
const DEFAULTS: &str = include_str!("../../../../config/default.toml");

/// Settings, and where each came from.
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    figment: Figment,
}

/// Reads all sources. `files` are merged in the order given; `flags` are `key.path` and value.
///
/// # Errors
/// When a file is missing or malformed, a key unknown, or a value of the wrong kind or out of range; the message
/// names the key and its source.
pub(crate) fn load(files: &[PathBuf], flags: &[(&str, Value)]) -> anyhow::Result<Loaded> {
    let mut figment = Figment::from(Toml::string(DEFAULTS));
    for file in files {
        if !file.is_file() {
            bail!("there is no settings file at {}", file.display());
        }
        figment = figment.merge(Toml::file_exact(file));
    }
    // FOOTLIGHT_API_SECRET and FOOTLIGHT_URL belong to the command line's clients, not to a node.
    let environment = Env::prefixed("FOOTLIGHT_").ignore(&["api_secret", "url", "admin_url"]).split("__");
    figment = figment.merge(environment);
    for (key, value) in flags {
        figment = figment.merge(Serialized::default(key, value));
    }
    let settings: Settings = figment.extract().map_err(|error| anyhow::anyhow!(explain(&error)))?;
    check::check(&settings).context("the settings do not fit together")?;
    Ok(Loaded { settings, figment })
}

/// One line a problem: what, at which key, from which source.
fn explain(error: &figment::Error) -> String {
    let lines: Vec<String> = error
        .clone()
        .into_iter()
        .map(|problem| {
            let source = problem.metadata.as_ref().map(describe).unwrap_or_else(|| "the settings".to_owned());
            let key = problem.path.join(".");
            let at = if key.is_empty() { String::new() } else { format!(" at `{key}`") };
            format!("{}{at}, from {source}", problem.kind)
        })
        .collect();
    lines.join("\n")
}

fn describe(metadata: &figment::Metadata) -> String {
    match &metadata.source {
        Some(figment::Source::File(path)) => path.display().to_string(),
        _ if metadata.name.contains("environment") => "the environment".to_owned(),
        _ if metadata.name.starts_with("TOML") => "the defaults".to_owned(),
        _ => "the command line".to_owned(),
    }
}

impl Loaded {
    /// Every setting as `key`, `value`, `source`, in the order of their names.
    pub(crate) fn rows(&self) -> anyhow::Result<Vec<(String, String, String)>> {
        let shown = serde_json::to_value(&self.settings)?;
        let mut rows = Vec::new();
        flatten("", &shown, &mut rows);
        Ok(rows
            .into_iter()
            .map(|(key, value)| {
                let source =
                    self.figment.find_metadata(&key).map(describe).unwrap_or_else(|| "the defaults".to_owned());
                (key, value, source)
            })
            .collect())
    }
}

fn flatten(prefix: &str, value: &serde_json::Value, rows: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(entries) => {
            for (name, entry) in entries {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&key, entry, rows);
            }
        }
        serde_json::Value::String(text) => rows.push((prefix.to_owned(), text.clone())),
        other => rows.push((prefix.to_owned(), other.to_string())),
    }
}

/// The settings file that is read without being asked for, if it is there.
pub(crate) fn usual_file(directory: &Path) -> Option<PathBuf> {
    let file = directory.join("config").join("footlight.toml");
    file.is_file().then_some(file)
}

/// A flag's value, read as the environment's values are: numbers are numbers, everything else is text.
pub(crate) fn flag(text: &str) -> Value {
    text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {})
}
