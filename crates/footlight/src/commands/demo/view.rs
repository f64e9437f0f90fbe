//! What the demo shows while it plays: bars on a terminal, plain lines elsewhere, nothing when JSON is wanted.

use std::io::IsTerminal;
use std::time::Duration;

use footlight_ledger::Microcredits;
use footlight_session::SessionRecord;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::cast::{Cast, Role};
use crate::assembly::Assembly;
use crate::commands::print;

/// How often balances are looked at.
const LOOK: Duration = Duration::from_millis(200);

pub(super) struct View {
    bars: MultiProgress,
    style: Style,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Bars,
    Lines,
    Silent,
}

impl View {
    pub(super) fn open(json: bool) -> Self {
        let style = match (json, std::io::stdout().is_terminal()) {
            (true, _) => Style::Silent,
            (false, true) => Style::Bars,
            (false, false) => Style::Lines,
        };
        let target =
            if style == Style::Bars { ProgressDrawTarget::stdout_with_hz(12) } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), style }
    }

    /// One line that stays.
    pub(super) fn say(&self, text: &str) {
        match self.style {
            Style::Bars => drop(self.bars.println(text)),
            Style::Lines => println!("{text}"),
            Style::Silent => {}
        }
    }

    pub(super) fn introduce(&self, assembly: &Assembly, cast: &Cast) -> anyhow::Result<()> {
        let encoder = footlight_media::encoder_assembly();
        self.say(&format!("Node {} is ready: 512x512 at 25 fps, encoder assembly: {encoder}\n", assembly.node.name()));
        for role in &cast.roles {
            let seconds = role.frames as f64 / 25.0;
            let purse = if role.runs_out { "pay as you go, with 0.1 credits: 3 seconds" } else { "free plan" };
            self.say(&format!("  {:<9} {:<6} speaks {seconds:.1} s   ({purse})", role.title, role.avatar));
        }
        self.say("");
        Ok(())
    }

    /// A session's line.
    pub(super) fn line(&self, role: &Role) -> Line<'_> {
        let bar = self.bars.add(ProgressBar::new(role.frames));
        let template = "  {prefix:<9} {bar:32.yellow/dim} {pos:>3}/{len} frames  {msg}";
        bar.set_style(print::bar_style(template));
        bar.set_prefix(role.title);
        Line { view: self, title: role.title, bar }
    }

    /// Shows the balances as they fall; never ends by itself.
    pub(super) async fn follow_balances(&self, assembly: &Assembly, cast: &Cast) {
        let bar = self.bars.add(ProgressBar::new_spinner());
        bar.set_style(ProgressStyle::with_template("\n  {msg}").expect("the template is constant"));
        let mut ticks = tokio::time::interval(LOOK);
        for tick in 0_u64.. {
            ticks.tick().await;
            let mut balances = Vec::new();
            for payer in &cast.payers {
                // A balance that cannot be read now is read a moment later.
                if let Ok(account) = assembly.node.account(payer.id).await {
                    let totals = account.totals;
                    let balance = Microcredits(totals.available.0 + totals.held.0);
                    balances.push(format!("{}: {} credits ({} held)", payer.title, short(balance), short(totals.held)));
                }
            }
            let text = balances.join("     ");
            bar.set_message(text.clone());
            if self.style == Style::Lines && tick % 10 == 5 {
                println!("  {text}");
            }
        }
    }
}

/// Credits with two decimals, for bars.
fn short(credits: Microcredits) -> String {
    format!("{}.{:02}", credits.0 / 1_000_000, credits.0 % 1_000_000 / 10_000)
}

/// One session's line of the view.
pub(super) struct Line<'a> {
    view: &'a View,
    title: &'static str,
    bar: ProgressBar,
}

impl Line<'_> {
    pub(super) fn show(&self, session: &SessionRecord) {
        self.bar.set_position(session.units);
        self.bar.set_message(format!("{} credits", session.credits_used));
    }

    pub(super) fn dark(&self) {
        self.bar.set_message("paused: credits exhausted");
        self.view.say(&format!("  {}: out of credits after {} frames; paused", self.title, self.bar.position()));
    }

    pub(super) fn lit(&self, credits: Microcredits) {
        self.view.say(&format!("  {}: topped up with {credits} credits; going on", self.title));
    }

    pub(super) fn done(&self, session: &SessionRecord) {
        self.show(session);
        self.bar.finish();
        self.view
            .say(&format!("  {}: done, {} frames for {} credits", self.title, session.units, session.credits_used));
    }
}
