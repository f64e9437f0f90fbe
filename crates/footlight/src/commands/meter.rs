//! Frames that this process makes by itself, charged to an account at a node.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context;
use footlight_client::{
    Allowed, Bill, EndReason, EngineError, EngineOptions, MeteredEngine, Microcredits, PauseReason, Product,
};
use tokio::runtime::Runtime;

use super::settings_for;
use crate::cli::{Global, Metering, Render};
use crate::exit::{Failure, coded};

/// How long the last settlement is waited for. After that the next run settles.
const SETTLE_FOR: std::time::Duration = std::time::Duration::from_secs(30);

/// A metered engine, for a thread that is not asynchronous.
pub(crate) struct Meter {
    engine: MeteredEngine,
    /// Carries the engine's driver while this thread renders.
    runtime: Runtime,
}

/// Frames may not go on.
#[derive(Debug)]
pub(crate) struct Stop {
    /// Why, in the API's words.
    pub(crate) why: String,
    /// What to do about it.
    pub(crate) advice: &'static str,
    /// What the command exits with.
    pub(crate) failure: Failure,
}

impl Stop {
    fn paused(reasons: &BTreeSet<PauseReason>) -> Self {
        let is = |wanted: &[PauseReason]| reasons.iter().any(|reason| wanted.contains(reason));
        let (advice, failure) = if is(&[PauseReason::CreditsExhausted, PauseReason::Debt, PauseReason::SpendingLimit]) {
            ("top up, and render it again", Failure::Credits)
        } else if is(&[PauseReason::StoreUnreachable]) {
            ("the node was away for longer than the grace; render it again when it is back", Failure::Unreachable)
        } else {
            ("somebody holds it back; ask whoever runs the account", Failure::Failed)
        };
        Self { why: words(reasons), advice, failure }
    }

    fn ended(reason: &EndReason) -> Self {
        Self { why: word(reason), advice: "the session was ended elsewhere", failure: Failure::Failed }
    }
}

impl Meter {
    /// Begins a session at the node, if the command line asks for one.
    ///
    /// # Errors
    /// With exit code 3 when the balance does not even pay for a second, 4 when the node cannot be reached.
    pub(crate) fn start(global: &Global, options: &Render) -> anyhow::Result<Option<Self>> {
        let Metering { metered, api_secret, state_dir } = &options.metering;
        let Some(url) = metered else { return Ok(None) };
        let state_dir = match state_dir {
            Some(directory) => directory.clone(),
            None => default_state_dir(global)?,
        };
        let secret = api_secret.clone().unwrap_or_default();
        let mut engine = EngineOptions::new(url, secret, Product::EssenceSelfHosted, options.picture.fps);
        if engine.unmetered {
            eprintln!("footlight: UNMETERED: nothing is charged; for development alone");
        } else if api_secret.is_none() {
            return Err(coded(Failure::Usage, "--metered needs the account's secret: set FOOTLIGHT_API_SECRET"));
        }
        engine.avatar = Some(options.avatar.clone()).filter(|name| name.len() <= 64);
        engine.state_dir = Some(state_dir);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let engine = runtime.block_on(MeteredEngine::start(engine)).map_err(failure)?;
        Ok(Some(Self { engine, runtime }))
    }

    /// Counts one frame, or says why there is to be none.
    pub(crate) fn next_frame(&self) -> Result<(), Stop> {
        match self.runtime.block_on(self.engine.next_unit()) {
            Allowed::Yes => Ok(()),
            Allowed::Paused(reasons) => Err(Stop::paused(&reasons)),
            Allowed::Ended(reason) => Err(Stop::ended(&reason)),
        }
    }

    /// Ends the session and settles it.
    ///
    /// # Errors
    /// With exit code 4 when the node cannot be reached: the usage is on disk, and the next run settles it.
    pub(crate) fn end(self) -> anyhow::Result<Bill> {
        let Self { engine, runtime } = self;
        let ended = runtime.block_on(async { tokio::time::timeout(SETTLE_FOR, engine.end()).await });
        let unsettled = "the node does not answer; what was used is on disk, and the next metered run settles it";
        ended.map_err(|_| coded(Failure::Unreachable, unsettled))?.map_err(failure)
    }
}

/// `0.1 credits`.
pub(crate) fn credits(amount: Microcredits) -> String {
    format!("{amount} credits")
}

fn default_state_dir(global: &Global) -> anyhow::Result<PathBuf> {
    let settings = settings_for(global, &[])?.settings;
    std::path::absolute(settings.data_dir.join("engine")).context("the data directory cannot be found")
}

fn failure(error: EngineError) -> anyhow::Error {
    let failure = match &error {
        EngineError::Refused(refused) if matches!(refused.code(), Some("credits_exhausted" | "debt")) => {
            Failure::Credits
        }
        EngineError::Unreachable(_) => Failure::Unreachable,
        EngineError::Secret { .. } | EngineError::Refused(_) | EngineError::Unsettled | EngineError::State { .. } => {
            Failure::Failed
        }
    };
    coded(failure, format!("{:#}", anyhow::Error::from(error)))
}

fn words<T: serde::Serialize>(reasons: &BTreeSet<T>) -> String {
    reasons.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// The public word of a reason.
fn word<T: serde::Serialize>(reason: &T) -> String {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "unknown".to_owned(),
    }
}
