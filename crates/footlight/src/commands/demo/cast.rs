//! Who speaks what, and who pays.

use std::sync::Arc;

use anyhow::Context;
use footlight_actors::{Caller, CreateSession, Node};
use footlight_ledger::{AccountId, GrantKind, GrantName, Microcredits, SessionId};

use crate::assembly::{Assembly, limits, plans};
use crate::settings::Settings;

/// What the third session's account starts with: 3 s at 2 credits a minute.
const SHORT_PURSE: Microcredits = Microcredits(100_000);
/// What it is topped up with.
pub(super) const TOP_UP: Microcredits = Microcredits(1_000_000);

/// An account of the demo.
pub(super) struct Payer {
    pub(super) title: &'static str,
    pub(super) id: AccountId,
}

/// One session, its speech and its payer.
pub(super) struct Role {
    pub(super) title: &'static str,
    pub(super) avatar: &'static str,
    pub(super) payer: AccountId,
    pub(super) session: SessionId,
    pub(super) speech: Arc<[i16]>,
    /// Frames that the speech lasts.
    pub(super) frames: u64,
    /// Whether its credits will not last.
    pub(super) runs_out: bool,
}

pub(super) struct Cast {
    pub(super) payers: [Payer; 2],
    pub(super) roles: Vec<Role>,
}

/// Title, avatar, whether it is paid from the short purse, and the speech that ships with the project.
const PARTS: [(&str, &str, bool, &[u8]); 3] = [
    ("greeting", "ada", false, include_bytes!("../../../../../tests/speech/greeting.wav")),
    ("weather", "miles", false, include_bytes!("../../../../../tests/speech/weather.wav")),
    ("story", "ada", true, include_bytes!("../../../../../tests/speech/story.wav")),
];

const FPS: u32 = 25;

impl Cast {
    /// Opens the accounts and the sessions.
    pub(super) async fn engage(assembly: &Assembly, settings: &Settings) -> anyhow::Result<Self> {
        let node = &assembly.node;
        let plans = plans(settings);
        let free = plans.get("free").context("the settings have no plan called `free`")?.clone();
        let on_plan = node.open_account(Some(free), limits(settings)).await?.id;
        let as_you_go = node.open_account(None, limits(settings)).await?.id;
        give(node, as_you_go, SHORT_PURSE, "demo-first").await?;

        let mut roles = Vec::new();
        for (title, avatar, runs_out, wav) in PARTS {
            let payer = if runs_out { as_you_go } else { on_plan };
            let request = CreateSession { avatar: Some(avatar.to_owned()), fps: Some(FPS), ..CreateSession::default() };
            let session = node.create_session(Caller::account(payer), request).await?;
            let speech = crate::speech::decode(wav.to_vec(), title)?;
            let frames = (speech.len() as u64).div_ceil(u64::from(footlight_stage::SAMPLE_RATE / FPS));
            roles.push(Role { title, avatar, payer, session: session.id, speech, frames, runs_out });
        }
        let payers = [Payer { title: "free plan", id: on_plan }, Payer { title: "pay as you go", id: as_you_go }];
        Ok(Self { payers, roles })
    }
}

/// Gives bought credits.
pub(super) async fn give(node: &Node, account: AccountId, amount: Microcredits, name: &str) -> anyhow::Result<()> {
    node.grant(account, GrantName(name.to_owned()), GrantKind::TopUp, amount, None).await?;
    Ok(())
}
