//! Many sessions that speak all the time, metered for real, drawn by nobody.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_rt::Arbiter;
use anyhow::{Context, ensure};
use footlight_actors::meter::{MeterFigures, MeterHandle, MeterLine, MeterOptions, MeterParts, Registration};
use footlight_actors::{Metrics, NodeClock, ProgressRecord};
use footlight_ledger::{
    AccountId, BootId, Command, Counting, EndReason, GrantId, GrantKind, GrantName, Microcredits, Outcome, Pricing,
    Product, Rounding, SessionId,
};
use footlight_session::SliceGate;
use footlight_session::meter::SliceClockOptions;
use footlight_session::slice::Taken;
use footlight_store::LedgerDesk;
use footlight_store::progress::ProgressWriter;
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use super::super::quantiles::Quantiles;
use super::{Crowd, Lived, resident_bytes};
use crate::assembly::limits;
use crate::settings::Settings;

/// Sessions that are begun in one call of the desk.
const BEGIN_AT_ONCE: usize = 2_000;
/// The null driver counts frames this often: five at a time at 25 a second.
const STEP: Duration = Duration::from_millis(200);
const FRAMES_A_STEP: u64 = 5;
/// What each account is given: more than its sessions can use.
const PURSE: Microcredits = Microcredits::from_credits(1_000_000);

/// One session of the crowd.
struct Member {
    gate: Arc<SliceGate>,
    line: MeterLine,
}

/// A node, as far as metering goes.
struct NodeMeter {
    meter: MeterHandle,
    arbiter: Arbiter,
}

/// Lets a crowd live for `time`, spread over a meter for each desk, and says how it went.
pub(super) async fn live(
    settings: &Settings,
    desks: &[LedgerDesk],
    data_dir: &Path,
    crowd: Crowd,
    time: Duration,
    silent: bool,
) -> anyhow::Result<Lived> {
    let pricing = essence_at_25_fps(settings)?;
    let accounts = open_accounts(settings, &desks[0], crowd.accounts).await?;
    let before = resident_bytes()?;
    let begun = Instant::now();
    let mut nodes = Vec::new();
    let mut members: Vec<Member> = Vec::new();
    for (number, desk) in desks.iter().enumerate() {
        let boot = BootId(Uuid::now_v7());
        let sessions = crowd.sessions / desks.len() + usize::from(number < crowd.sessions % desks.len());
        let owners = begin(desk, &accounts, sessions, pricing, boot).await?;
        let node = NodeMeter::start(settings, desk, data_dir, boot)?;
        members.extend(owners.into_iter().map(|(session, account)| node.admit(session, account, pricing)));
        nodes.push(node);
    }
    let seconds_to_begin = begun.elapsed().as_secs_f64();
    for member in &members {
        member.line.want();
    }
    wait_for_slices(&nodes, members.len()).await?;

    let driving = Arc::new(AtomicBool::new(true));
    let driver = std::thread::spawn({
        let driving = Arc::clone(&driving);
        move || drive(members, &driving)
    });
    let desks_before = desk_totals(desks);
    show(time, silent).await;
    let after = resident_bytes()?;
    let (commits, conflicts) = desk_totals(desks);
    let mut total = MeterFigures::default();
    for node in &nodes {
        let figures = node.meter.figures().await?;
        total.sent += figures.sent;
        total.settled += figures.settled;
        total.batches += figures.batches;
        total.lag.add(&figures.lag);
    }
    driving.store(false, Ordering::Release);
    let members = driver.join().map_err(|_| anyhow::anyhow!("the null driver panicked"))?;
    for member in &members {
        member.line.end(EndReason::Stopped);
    }
    for node in nodes {
        ensure!(
            node.meter.settled(Duration::from_secs(120)).await,
            "the last settlements were not done in two minutes"
        );
        node.meter.stop().await;
        node.arbiter.stop();
    }

    let ms = |lag: Duration| lag.as_secs_f64() * 1e3;
    Ok(Lived {
        crowd,
        seconds: time.as_secs_f64(),
        bytes_per_session: (after - before) / crowd.sessions as f64,
        heartbeats_sent: total.sent,
        heartbeats_settled: total.settled,
        heartbeat_lag: Quantiles {
            p50_ms: ms(total.lag.quantile(0.5)),
            p99_ms: ms(total.lag.quantile(0.99)),
            max_ms: ms(total.lag.max()),
        },
        batches: total.batches,
        commits: commits - desks_before.0,
        conflicts: conflicts - desks_before.1,
        seconds_to_begin,
    })
}

impl NodeMeter {
    fn start(settings: &Settings, desk: &LedgerDesk, data_dir: &Path, boot: BootId) -> anyhow::Result<Self> {
        let arbiter = Arbiter::new();
        let metering = &settings.metering;
        let writer = ProgressWriter::start(data_dir, boot, Duration::from_secs(1))?;
        let meter = MeterHandle::start(
            MeterParts {
                desk: desk.clone(),
                options: MeterOptions {
                    clock: SliceClockOptions {
                        heartbeat: metering.heartbeat,
                        min_slice: metering.min_slice,
                        grace: metering.grace,
                    },
                    hold_after_speech: metering.hold_after_speech,
                    tick: Duration::from_millis(20),
                    first_beat_least: 0.5,
                    progress_every: Duration::from_secs(1),
                },
                clock: NodeClock::start(),
                progress: Box::new(ProgressRecord::new(writer)),
                metrics: Arc::new(Metrics::register(&prometheus::Registry::new())?),
            },
            &arbiter.handle(),
        );
        Ok(Self { meter, arbiter })
    }

    fn admit(&self, session: SessionId, account: AccountId, pricing: Pricing) -> Member {
        let gate = Arc::new(SliceGate::new(0));
        let registration =
            Registration { session, account, pricing, epoch: 1, gate: Arc::clone(&gate), listener: None };
        Member { gate, line: self.meter.register(registration) }
    }
}

/// Commits and conflicts of all desks.
fn desk_totals(desks: &[LedgerDesk]) -> (u64, u64) {
    let figures = desks.iter().map(LedgerDesk::figures);
    figures.fold((0, 0), |(commits, conflicts), it| (commits + it.commits, conflicts + it.conflicts))
}

pub(super) fn essence_at_25_fps(settings: &Settings) -> anyhow::Result<Pricing> {
    let tariff = settings.rate_card.get(&Product::EssenceCloud).context("the rate card has no essence_cloud")?;
    ensure!(tariff.counting == Counting::Frames, "essence_cloud must be counted in frames for this bench");
    Ok(Pricing { rate: tariff.rate.0, units_per_minute: 1_500, rounding: Rounding::Exact })
}

/// Opens accounts with enough credit for everything.
pub(super) async fn open_accounts(
    settings: &Settings,
    desk: &LedgerDesk,
    count: usize,
) -> anyhow::Result<Vec<AccountId>> {
    let ids: Vec<AccountId> = (0..count).map(|_| AccountId(Uuid::now_v7())).collect();
    for some in ids.chunks(64) {
        futures_util::future::try_join_all(some.iter().map(|id| desk.open_account(*id, limits(settings)))).await?;
    }
    let grant = |account: &AccountId| {
        let name = GrantName(format!("bench-{account}"));
        let id = GrantId(Uuid::now_v7());
        (*account, Command::Grant { id, name, kind: GrantKind::TopUp, amount: PURSE, expires_at: None })
    };
    expect_all(desk.submit_many(ids.iter().map(grant).collect()).await)?;
    Ok(ids)
}

/// Opens tabs, evenly over the accounts.
pub(super) async fn begin(
    desk: &LedgerDesk,
    accounts: &[AccountId],
    sessions: usize,
    pricing: Pricing,
    owner: BootId,
) -> anyhow::Result<Vec<(SessionId, AccountId)>> {
    let owners: Vec<(SessionId, AccountId)> =
        (0..sessions).map(|number| (SessionId(Uuid::now_v7()), accounts[number % accounts.len()])).collect();
    for some in owners.chunks(BEGIN_AT_ONCE) {
        let begin = |(session, account): &(SessionId, AccountId)| {
            let product = Product::EssenceCloud;
            (*account, Command::BeginSession { session: *session, product, pricing, secret: None, owner })
        };
        expect_all(desk.submit_many(some.iter().map(begin).collect()).await)?;
    }
    Ok(owners)
}

pub(super) fn expect_all(outcomes: Vec<Result<Outcome, footlight_store::StoreError>>) -> anyhow::Result<()> {
    for outcome in outcomes {
        if let Outcome::Refused(refusal) = outcome? {
            anyhow::bail!(refusal);
        }
    }
    Ok(())
}

async fn wait_for_slices(nodes: &[NodeMeter], sessions: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let mut holding = 0;
        for node in nodes {
            holding += node.meter.figures().await?.holding;
        }
        if holding >= sessions as u64 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "not every session has its first slice after two minutes");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Counts frames at every gate in real time, as workers would, until told to stop.
fn drive(crowd: Vec<Member>, driving: &AtomicBool) -> Vec<Member> {
    let mut next = Instant::now();
    while driving.load(Ordering::Acquire) {
        for member in &crowd {
            if member.gate.take(FRAMES_A_STEP) != Taken::Yes || member.gate.crossed_ask_mark() {
                member.line.ask();
            }
        }
        next += STEP;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    crowd
}

async fn show(time: Duration, silent: bool) {
    let bar = if silent { ProgressBar::hidden() } else { ProgressBar::new(time.as_secs()) };
    bar.set_style(ProgressStyle::with_template("{bar:32} {pos}/{len} s").expect("the template is constant"));
    for _ in 0..time.as_secs() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bar.inc(1);
    }
    bar.finish_and_clear();
}
