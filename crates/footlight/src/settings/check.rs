//! What single values cannot say: ranges, and what must fit together.

use std::time::Duration;

use anyhow::{Context, ensure};

use footlight_ledger::Microcredits;

use super::{Environment, OperatorSettings, Settings};

/// The most a plan may grant a month: twelve of it fit into one operation of the ledger.
const PLAN_MAX: Microcredits = Microcredits::from_credits(1_000_000_000 / 12);

/// What secrets begin with in the files that ship, where people put their own in their place; keys are zeros there.
const PUBLISHED: &str = "example-only";
/// Two long months: usage of the last whole month can always be told.
const JOURNAL_KEPT_MIN: Duration = Duration::from_secs(62 * 24 * 3600);
/// What a second of speech takes: 48 000 samples of two bytes.
const SPEECH_BYTES_PER_S: u64 = 96_000;

/// # Errors
/// At the first setting that is out of range, by its key and with the range.
pub(super) fn check(settings: &Settings) -> anyhow::Result<()> {
    let between = |key: &str, value: Duration, low: Duration, high: Duration| {
        ensure!((low..=high).contains(&value), "`{key}` is {value:?}; it must be between {low:?} and {high:?}");
        Ok(())
    };
    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    for (key, address) in [("listen", &settings.listen), ("admin_listen", &settings.admin_listen)] {
        address
            .parse::<std::net::SocketAddr>()
            .with_context(|| format!("`{key}` is `{address}`; it must be an address and port like 127.0.0.1:8080"))?;
    }
    let name = &settings.node.name;
    let name_fits = (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    ensure!(name_fits, "`node.name` is `{name}`; it must be 1 to 63 letters, digits, dots and dashes");
    ensure!(settings.node.max_sessions > 0, "`node.max_sessions` must be at least 1");
    let overcommit = settings.node.overcommit;
    ensure!((1.0..=1000.0).contains(&overcommit), "`node.overcommit` is {overcommit}; it must be between 1 and 1000");

    check_cluster(settings)?;

    between("metering.heartbeat", settings.metering.heartbeat, SECOND, HOUR)?;
    between("metering.grace", settings.metering.grace, Duration::ZERO, HOUR)?;
    between(
        "metering.min_slice",
        settings.metering.min_slice,
        Duration::from_millis(100),
        settings.metering.heartbeat,
    )?;
    between("metering.hold_after_speech", settings.metering.hold_after_speech, Duration::ZERO, HOUR)?;
    let kept = settings.metering.keep_journal_for;
    ensure!(
        kept.is_zero() || kept >= JOURNAL_KEPT_MIN,
        "`metering.keep_journal_for` is {}; it must be 0s (for ever) or at least {}, so that a month's usage can be told",
        humantime::format_duration(kept),
        humantime::format_duration(JOURNAL_KEPT_MIN)
    );
    between("sessions.idle_timeout", settings.sessions.idle_timeout, SECOND, settings.sessions.max_idle_timeout)?;
    between("sessions.max_duration", settings.sessions.max_duration, SECOND, settings.sessions.max_max_duration)?;
    between("sessions.paused_timeout", settings.sessions.paused_timeout, SECOND, 7 * DAY)?;
    between("node.drain_deadline", settings.node.drain_deadline, Duration::ZERO, HOUR)?;
    let units = settings.limits.account_units_per_minute;
    ensure!(
        units == 0 || units >= 60,
        "`limits.account_units_per_minute` is {units}; it must be 0 (no limit) or at least 60, which the dearest call fits"
    );
    let uploads = settings.limits.uploads_per_account;
    ensure!((1..=1_000).contains(&uploads), "`limits.uploads_per_account` is {uploads}; it must be between 1 and 1000");
    between("tokens.runtime_lifetime", settings.tokens.runtime_lifetime, 10 * SECOND, DAY)?;
    between("tokens.client_lifetime", settings.tokens.client_lifetime, 10 * SECOND, DAY)?;
    let key = &settings.tokens.key.0;
    let is_hex = key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(key.is_empty() || is_hex, "`tokens.key` must be 64 hexadecimal digits, or empty");
    between("stage.max_queued_audio", settings.stage.max_queued_audio, SECOND, HOUR)?;
    let connections = settings.api.max_connections;
    ensure!(
        (16..=1_000_000).contains(&connections),
        "`api.max_connections` is {connections}; it must be between 16 and 1000000"
    );
    between("api.max_utterance", settings.api.max_utterance, SECOND, settings.stage.max_queued_audio)?;
    let least = 2 * SPEECH_BYTES_PER_S * settings.api.max_utterance.as_secs();
    ensure!(
        settings.stage.max_queued_bytes >= least,
        "`stage.max_queued_bytes` is {}; it must be at least {least}, so that an account's half holds one utterance of `api.max_utterance`",
        settings.stage.max_queued_bytes
    );
    let speech = &settings.speech;
    ensure!(
        speech.max_kept_bytes_per_account <= speech.max_kept_bytes,
        "`speech.max_kept_bytes_per_account` is {}; it must be at most `speech.max_kept_bytes`, {}",
        speech.max_kept_bytes_per_account,
        speech.max_kept_bytes
    );

    check_unpublished(settings)?;
    let mut tokens = vec![settings.admin_token.0.as_str()];
    for (name, operator) in &settings.admin_tokens {
        let token = operator.token.0.as_str();
        ensure!(name != "admin", "`admin_tokens.admin` is the name of `admin_token` itself; choose another");
        ensure!(
            token.is_empty() || !tokens.contains(&token),
            "`admin_tokens.{name}.token` is another operator's as well; make one for each"
        );
        tokens.push(token);
        ensure!(!operator.token.0.is_empty(), "`admin_tokens.{name}.token` is empty");
        ensure!(
            !operator.roles.is_empty(),
            "`admin_tokens.{name}.roles` is empty; name `read`, `operate`, `money` or `work`"
        );
    }
    let webhooks = &settings.webhooks;
    ensure!((1..=100).contains(&webhooks.max_per_account), "`webhooks.max_per_account` must be between 1 and 100");
    ensure!((1..=64).contains(&webhooks.concurrency), "`webhooks.concurrency` must be between 1 and 64");
    between("webhooks.timeout", webhooks.timeout, Duration::from_millis(100), 60 * SECOND)?;
    between("webhooks.first_retry", webhooks.first_retry, Duration::from_millis(100), webhooks.last_retry)?;
    between("webhooks.last_retry", webhooks.last_retry, SECOND, DAY)?;
    between("webhooks.give_up_after", webhooks.give_up_after, 60 * SECOND, 30 * DAY)?;
    between("webhooks.disable_after", webhooks.disable_after, 60 * SECOND, 90 * DAY)?;
    between("webhooks.keep_log_for", webhooks.keep_log_for, 60 * SECOND, 90 * DAY)?;
    ensure!((1.0..=1e6).contains(&webhooks.pace), "`webhooks.pace` must be between 1 and 1000000");

    between("jobs.lease", settings.jobs.lease, SECOND, HOUR)?;
    between("jobs.timeout", settings.jobs.timeout, settings.jobs.lease, 23 * HOUR)?;
    between("jobs.keep_for", settings.jobs.keep_for, HOUR, 400 * DAY)?;
    ensure!(
        (1..=100_000).contains(&settings.jobs.max_kept_per_account),
        "`jobs.max_kept_per_account` must be between 1 and 100000"
    );
    between("avatars.keep_pictures_for", settings.avatars.keep_pictures_for, HOUR, 30 * DAY)?;
    ensure!(
        (1..=1_000).contains(&settings.avatars.max_per_account),
        "`avatars.max_per_account` must be between 1 and 1000"
    );
    ensure!(settings.jobs.workers <= 64, "`jobs.workers` must be at most 64");
    ensure!((1..=100).contains(&settings.jobs.max_attempts), "`jobs.max_attempts` must be between 1 and 100");

    for (name, plan) in &settings.plans {
        let credits = plan.credits.0;
        ensure!(
            credits <= PLAN_MAX,
            "`plans.{name}.credits` is {credits}; a year of it must not be more than a billion credits"
        );
    }
    let credits_per_usd = settings.payments.credits_per_usd;
    ensure!(
        (1..=1_000_000).contains(&credits_per_usd),
        "`payments.credits_per_usd` is {credits_per_usd}; it must be between 1 and 1000000"
    );
    if settings.environment == Environment::Production {
        let token = &settings.admin_token.0;
        ensure!(
            token.is_empty() || token.len() >= 16,
            "`admin_token` has {} characters; in production it must have at least 16",
            token.len()
        );
        for (name, operator) in &settings.admin_tokens {
            let length = operator.token.0.len();
            ensure!(
                length >= 16,
                "`admin_tokens.{name}.token` has {length} characters; in production it must have at least 16"
            );
        }
        ensure!(webhooks.pace <= 1.0, "`webhooks.pace` is {}; in production time passes as it does", webhooks.pace);
        ensure!(!settings.unmetered, "`unmetered` is set; in production nothing goes unmetered");
    }
    Ok(())
}

/// Refuses the secrets of the examples, which everybody knows, in development too: it may be reachable.
fn check_unpublished(settings: &Settings) -> anyhow::Result<()> {
    let named = |(name, operator): (&String, &OperatorSettings)| {
        (format!("admin_tokens.{name}.token"), operator.token.0.clone())
    };
    let own = [("admin_token", &settings.admin_token), ("cluster.secret", &settings.cluster.secret)];
    let own = own.into_iter().map(|(key, secret)| (key.to_owned(), secret.0.clone()));
    for (key, secret) in own.chain(settings.admin_tokens.iter().map(named)) {
        ensure!(
            !secret.starts_with(PUBLISHED),
            "`{key}` is the one of an example, which everybody knows; `openssl rand -hex 32` makes one"
        );
    }
    let key = &settings.tokens.key.0;
    ensure!(
        key.is_empty() || key.bytes().any(|byte| byte != b'0'),
        "`tokens.key` is the one of an example, which everybody knows; `openssl rand -hex 32` makes one"
    );
    Ok(())
}

/// The fewest characters of the cluster's secret, and how many different ones it has in production.
const SECRET_LEN_MIN: usize = 32;
const SECRET_VARIETY_MIN: usize = 10;

fn check_cluster(settings: &Settings) -> anyhow::Result<()> {
    let cluster = &settings.cluster;
    let listen = &cluster.listen;
    listen.parse::<std::net::SocketAddr>().with_context(|| {
        format!("`cluster.listen` is `{listen}`; it must be an address and port like 127.0.0.1:7080")
    })?;
    let address = &cluster.address;
    let has_port = address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', '@', ' ']) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    ensure!(
        address.is_empty() || has_port,
        "`cluster.address` is `{address}`; it must be a host and port that other nodes reach, or empty"
    );
    let lease = cluster.lease;
    let range = Duration::from_secs(1)..=Duration::from_secs(60);
    ensure!(range.contains(&lease), "`cluster.lease` is {lease:?}; it must be between 1s and 60s");
    ensure!(cluster.queue <= 10_000, "`cluster.queue` is {}; it must be at most 10000", cluster.queue);
    let deadline = cluster.queue_deadline;
    let range = Duration::from_millis(100)..=Duration::from_secs(30);
    ensure!(range.contains(&deadline), "`cluster.queue_deadline` is {deadline:?}; it must be between 100ms and 30s");
    ensure!(cluster.labels.len() <= 8, "`cluster.labels` has {} entries; it may have 8", cluster.labels.len());
    for (name, value) in &cluster.labels {
        let fits = |text: &str| (1..=64).contains(&text.len());
        ensure!(fits(name) && fits(value), "`cluster.labels.{name}` must have 1 to 64 bytes, its name as well");
    }
    if !cluster.is_on() {
        return Ok(());
    }
    let secret = &cluster.secret.0;
    let length = secret.chars().count();
    ensure!(
        length >= SECRET_LEN_MIN,
        "`cluster.secret` has {length} characters; it must have at least {SECRET_LEN_MIN}, or none: `openssl rand -hex 32` makes one"
    );
    ensure!(
        settings.store.is_shared(),
        "`cluster.secret` is set, and `store` is the embedded one, which no other node reaches; set a redis store, or no secret"
    );
    if settings.environment == Environment::Production {
        let variety = secret.chars().collect::<std::collections::HashSet<_>>().len();
        ensure!(
            variety >= SECRET_VARIETY_MIN,
            "`cluster.secret` has only {variety} different characters; in production it must be random: `openssl rand -hex 32` makes one"
        );
    }
    Ok(())
}
