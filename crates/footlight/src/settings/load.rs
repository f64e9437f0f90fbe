//! Where settings come from: defaults < files < environment < flags.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::{Settings, check, text};

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
    for (name, text) in std::env::vars_os() {
        if let (Some(name), Some(text)) = (name.to_str(), text.to_str())
            && let Some(variable) = Variable::read(name, text)
        {
            figment = figment.merge(variable);
        }
    }
    for (key, value) in flags {
        let value = value.as_str().map_or_else(|| value.clone(), |text| value_of(key, text));
        figment = figment.merge(Serialized::default(key, value));
    }
    let settings: Settings = figment.extract().map_err(|error| anyhow::anyhow!(explain(&error)))?;
    check::check(&settings).context("the settings do not fit together")?;
    Ok(Loaded { settings, figment })
}

/// One variable of the environment, as a setting.
struct Variable {
    key: String,
    value: Value,
}

impl Variable {
    /// `FOOTLIGHT_NODE__NAME` is `node.name`. `None` for one that is no setting.
    fn read(name: &str, text: &str) -> Option<Self> {
        let key = name.strip_prefix("FOOTLIGHT_")?.to_ascii_lowercase().replace("__", ".");
        (!is_for_others(&key)).then(|| Self { value: value_of(&key, text), key })
    }
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment variable")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nested = figment::util::nest(&self.key, self.value.clone());
        Ok(Profile::Default.collect(nested.into_dict().unwrap_or_default()))
    }
}

/// Whether a variable is somebody else's: the command line's clients', the tests', or one of those that Kubernetes makes
/// for every service, here for one whose name begins with `footlight`.
fn is_for_others(key: &str) -> bool {
    if matches!(key, "api_secret" | "url" | "admin_url" | "migrate_from" | "migrate_to" | "slow_tests" | "bless") {
        return true;
    }
    // The service's own variables have nothing before these words, those of `footlight-admin` have its name there.
    let key = format!("_{key}");
    ["_service_host", "_port"].iter().any(|end| key.ends_with(end))
        || ["_service_port", "_port_"].iter().any(|part| key.contains(part))
}

/// Text stays text; elsewhere numbers are numbers and lists are lists.
fn value_of(key: &str, text: &str) -> Value {
    let is_token = key.starts_with("admin_tokens.") && key.ends_with(".token");
    if is_token || text::KEYS.contains(&key) {
        return Value::from(text.to_owned());
    }
    text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {})
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

/// A flag's value, to be read as the environment's values are.
pub(crate) fn flag(text: &str) -> Value {
    Value::from(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Option<(String, Value)> {
        Variable::read(name, text).map(|variable| (variable.key, variable.value))
    }

    #[test]
    fn text_keeps_its_digits_and_numbers_are_numbers() {
        let text = |text: &str| Value::from(text.to_owned());
        assert_eq!(read("FOOTLIGHT_NODE__NAME", "42"), Some(("node.name".to_owned(), text("42"))));
        assert_eq!(read("FOOTLIGHT_ADMIN_TOKEN", "0012"), Some(("admin_token".to_owned(), text("0012"))));
        let (_, sessions) = read("FOOTLIGHT_NODE__MAX_SESSIONS", "7").expect("it is a setting");
        assert_eq!(sessions.to_u128(), Some(7));
    }

    #[test]
    fn variables_of_others_are_no_settings() {
        for name in [
            "FOOTLIGHT_API_SECRET",
            "FOOTLIGHT_MIGRATE_FROM",
            "FOOTLIGHT_MIGRATE_TO",
            "FOOTLIGHT_SLOW_TESTS",
            "FOOTLIGHT_BLESS",
            "FOOTLIGHT_SERVICE_HOST",
            "FOOTLIGHT_SERVICE_PORT_HTTP",
            "FOOTLIGHT_PORT",
            "FOOTLIGHT_PORT_8080_TCP_ADDR",
            "FOOTLIGHT_ADMIN_SERVICE_HOST",
            "PATH",
        ] {
            assert_eq!(read(name, "1"), None, "{name}");
        }
        assert!(read("FOOTLIGHT_TYPO", "1").is_some(), "what may be a mistyped setting is refused later");
    }

    #[test]
    fn text_that_looks_like_a_number_is_taken_from_flags() {
        let flags = [("node.name", flag("7")), ("data_dir", flag("2026")), ("admin_token", flag("0123456789012345"))];
        let settings = load(&[], &flags).expect("they are fine").settings;
        assert_eq!(settings.node.name, "7");
        assert_eq!(settings.data_dir, PathBuf::from("2026"));
        assert_eq!(settings.admin_token.0, "0123456789012345");
    }

    #[test]
    fn trusted_proxies_are_ranges_of_addresses() {
        let read =
            |text: &str| load(&[], &[("limits.trusted_proxies", flag(text))]).map(|loaded| loaded.settings.limits);
        let limits = read(r#"["10.0.0.0/8", "::1"]"#).expect("they are fine");
        let shown: Vec<_> = limits.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.0/8", "::1/128"]);
        let refused = format!("{:#}", read(r#"["proxy.example.com"]"#).expect_err("a name is no address"));
        assert!(refused.contains("limits.trusted_proxies") && refused.contains("proxy.example.com"), "{refused}");
        assert!(load(&[], &[]).expect("the defaults").settings.limits.trusted_proxies.is_empty());
    }

    /// A file of `deploy/`: read and not included, since a container's build has none of them.
    fn deployed(path: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn secrets_of_the_examples_are_refused() {
        let example = deployed("kubernetes/overlays/production/secrets/footlight.env.example");
        let shared = ("store", "redis://127.0.0.1:6379/0");
        for (variable, key) in [
            ("FOOTLIGHT_ADMIN_TOKEN", "admin_token"),
            ("FOOTLIGHT_ADMIN_TOKEN", "admin_tokens.support.token"),
            ("FOOTLIGHT_CLUSTER__SECRET", "cluster.secret"),
            ("FOOTLIGHT_TOKENS__KEY", "tokens.key"),
        ] {
            let lines = example.lines().filter_map(|line| line.split_once('='));
            let value = lines.filter(|(name, _)| *name == variable).map(|(_, value)| value).next().expect(variable);
            for environment in ["development", "production"] {
                let mut flags: Vec<_> =
                    [shared, (key, value), ("environment", environment)].map(|(key, value)| (key, flag(value))).into();
                if key.starts_with("admin_tokens.") {
                    flags.push(("admin_tokens.support.roles", flag("[read]")));
                }
                let refused = load(&[], &flags).err().map(|error| format!("{error:#}")).expect(key);
                assert!(refused.contains(&format!("`{key}`")) && refused.contains("openssl rand"), "{refused}");
                assert!(!refused.contains(value), "{refused}");
            }
        }
        // That of systemd has none at all: whoever forgets to put one in has a closed admin API.
        let systemd = deployed("systemd/secrets.toml.example");
        assert!(systemd.lines().all(|line| line.is_empty() || line.starts_with('#')), "{systemd}");
    }

    #[test]
    fn a_cluster_needs_a_secret_that_is_long_and_a_store_that_is_shared() {
        let refused = |flags: &[(&str, &str)]| {
            let flags: Vec<_> = flags.iter().map(|(key, value)| (*key, flag(value))).collect();
            load(&[], &flags).err().map(|error| format!("{error:#}"))
        };
        let (good, shared) = ("0123456789abcdef0123456789abcdef", ("store", "redis://127.0.0.1:6379/0"));
        let production = ("environment", "production");
        assert_eq!(refused(&[("cluster.secret", good), shared]), None);
        assert_eq!(refused(&[("cluster.secret", good), shared, production]), None);
        assert_eq!(refused(&[("cluster.secret", "")]), None, "a node may stand alone");
        for (flags, word) in [
            (&[("cluster.secret", "0123456789012345678901234567890"), shared][..], "31 characters"),
            (&[("cluster.secret", good)], "embedded"),
            (&[("cluster.secret", &"ab".repeat(32)), shared, production], "2 different"),
            (&[("cluster.listen", "7080")], "cluster.listen"),
            (&[("cluster.address", "http://host:7080")], "cluster.address"),
            (&[("cluster.lease", "100ms")], "cluster.lease"),
        ] {
            let problem = refused(flags).expect(word);
            assert!(problem.contains(word) && !problem.contains(good), "{problem}");
        }
        assert_eq!(
            refused(&[("cluster.secret", &"ab".repeat(32)), shared]),
            None,
            "development takes any that is long"
        );
    }

    #[test]
    fn room_for_audio_holds_an_utterance_of_every_account() {
        let refused = |flags: &[(&str, u64)]| {
            let flags: Vec<_> = flags.iter().map(|(key, value)| (*key, Value::from(*value))).collect();
            load(&[], &flags).err().map(|error| format!("{error:#}"))
        };
        let (one, all) = ("speech.max_kept_bytes_per_account", "speech.max_kept_bytes");
        assert_eq!(refused(&[("stage.max_queued_bytes", 115_200_000)]), None, "twice ten minutes");
        let problem = refused(&[("stage.max_queued_bytes", 115_199_999)]).expect("an utterance does not fit");
        assert!(problem.contains("at least 115200000"), "{problem}");
        assert_eq!(refused(&[(one, 0), (all, 0)]), None, "none may be kept");
        assert!(refused(&[(all, 1)]).is_some_and(|problem| problem.contains(one)));
    }
}
