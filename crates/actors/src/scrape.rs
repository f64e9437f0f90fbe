//! Metrics that others count: read from the stage and the desk at each scrape.

use std::sync::Arc;

use footlight_stage::{Histogram as StageHistogram, Stage};
use footlight_store::LedgerDesk;
use footlight_store::desk::{COMMIT_SECONDS_BOUNDS, Moved};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily, MetricType};

/// Reads the stage's and the desk's figures at each scrape.
pub(crate) struct Scrape {
    desk: LedgerDesk,
    stage: Arc<Stage>,
    descs: Vec<Desc>,
}

impl Scrape {
    pub(crate) fn new(desk: LedgerDesk, stage: Arc<Stage>) -> Self {
        let mut scrape = Self { desk, stage, descs: Vec::new() };
        // A registry wants to know all names beforehand.
        scrape.descs = scrape
            .collect()
            .iter()
            .filter_map(|family| {
                let labels = family
                    .get_metric()
                    .first()
                    .map(|metric| metric.get_label().iter().map(|label| label.name().to_owned()).collect::<Vec<_>>());
                Desc::new(
                    family.name().to_owned(),
                    family.help().to_owned(),
                    labels.unwrap_or_default(),
                    std::collections::HashMap::new(),
                )
                .ok()
            })
            .collect();
        scrape
    }
}

impl Collector for Scrape {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let stage = self.stage.stats();
        let desk = self.desk.figures();
        let counters = [
            ("footlight_frames_total", "Frames handed out, of any kind.", stage.frames),
            (
                "footlight_active_frames_total",
                "Frames driven by submitted audio that were handed out.",
                stage.active_frames,
            ),
            ("footlight_stalls_total", "Frames skipped because they were late, or had no audio yet.", stage.stalls),
            ("footlight_forced_idrs_total", "IDRs made for readers who joined or lost units.", stage.forced_idrs),
            ("footlight_renderer_failures_total", "Performances that broke.", stage.failures),
            ("footlight_ledger_commands_total", "Commands answered by the ledger desk.", desk.commands),
            ("footlight_commits_total", "Commits written: one per account and batch.", desk.commits),
            ("footlight_commit_conflicts_total", "Commits that met another node's change.", desk.conflicts),
            (
                "footlight_commit_outcomes_unknown_total",
                "Commits whose reply was lost and that were read back.",
                desk.unknown,
            ),
            ("footlight_commit_failures_total", "Batches whose callers got an error of the store.", desk.failures),
            (
                "footlight_sum_rule_failures_total",
                "Batches not written because the books would not have added up.",
                desk.sum_rule_failures,
            ),
            ("footlight_fenced_writes_total", "Commands of a session's former owner that were refused.", desk.fenced),
            ("footlight_account_loads_total", "Accounts read because they, or a tab, were not known.", desk.loads),
        ];
        let mut families: Vec<MetricFamily> =
            counters.into_iter().map(|(name, help, value)| counter(name, help, value)).collect();
        families.extend(credits_of(&desk.moved));
        families.push(durations(
            "footlight_frame_lateness_seconds",
            "How late frames were handed out, behind their time and the fixed pipeline delay.",
            &stage.lateness,
        ));
        families.push(durations("footlight_frame_seconds", "Making one active frame, all of it.", &stage.frame_time));
        let stages = [
            ("face", &stage.face),
            ("render", &stage.render),
            ("h264", &stage.h264),
            ("opus", &stage.opus),
            ("hand_out", &stage.hand_out),
        ];
        let metrics = stages.into_iter().map(|(stage, taken)| {
            let mut metric = metric_of(&buckets_of(taken), taken.count(), taken.sum().as_secs_f64());
            let mut label = LabelPair::default();
            label.set_name("stage".to_owned());
            label.set_value(stage.to_owned());
            metric.set_label(vec![label]);
            metric
        });
        families.push(family(
            "footlight_frame_stage_seconds",
            "The parts of making an active frame.",
            MetricType::HISTOGRAM,
            metrics.collect(),
        ));
        let mut seen = 0;
        let bounds = COMMIT_SECONDS_BOUNDS.iter().zip(&desk.commit_seconds).map(|(bound, count)| {
            seen += count;
            (*bound, seen)
        });
        let bounds: Vec<(f64, u64)> = bounds.collect();
        let count = desk.commit_seconds.iter().sum();
        let metric = metric_of(&bounds, count, desk.commit_micros as f64 / 1e6);
        let help = "Calls of the store that commit, each for up to many accounts.";
        families.push(family("footlight_commit_seconds", help, MetricType::HISTOGRAM, vec![metric]));
        families
    }
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn counter(name: &str, help: &str, value: u64) -> MetricFamily {
    family(name, help, MetricType::COUNTER, vec![counted(value as f64)])
}

/// The credits that this node's commits moved.
fn credits_of(moved: &Moved) -> [MetricFamily; 5] {
    let labelled = |name: &str, help: &str, label: &str, values: &[(&str, u64)]| {
        let metrics = values.iter().map(|(word, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(label.to_owned());
            pair.set_value((*word).to_owned());
            let mut metric = counted(*value as f64 / MICRO);
            metric.set_label(vec![pair]);
            metric
        });
        family(name, help, MetricType::COUNTER, metrics.collect())
    };
    let plain = |name: &str, help: &str, value: u64| {
        family(name, help, MetricType::COUNTER, vec![counted(value as f64 / MICRO)])
    };
    let [plan, promo, top_up] = moved.granted;
    [
        labelled(
            "footlight_credits_granted_total",
            "Credits given to accounts by this node's commits, by kind of grant.",
            "kind",
            &[("plan", plan), ("promo", promo), ("top_up", top_up)],
        ),
        plain(
            "footlight_credits_held_total",
            "Credits set aside for slices and jobs; what is given back is not taken off.",
            moved.held,
        ),
        labelled(
            "footlight_credits_spent_total",
            "Credits spent, by what paid: grants (debt included) or overage.",
            "from",
            &[("grants", moved.spent), ("overage", moved.overage)],
        ),
        plain("footlight_credits_expired_total", "Credits that expired unused.", moved.expired),
        plain("footlight_credits_voided_total", "Credits that were taken back.", moved.voided),
    ]
}

/// Microcredits in a credit.
const MICRO: f64 = 1e6;

fn counted(value: f64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = Metric::default();
    metric.set_counter(counter);
    metric
}

fn durations(name: &str, help: &str, taken: &StageHistogram) -> MetricFamily {
    let metric = metric_of(&buckets_of(taken), taken.count(), taken.sum().as_secs_f64());
    family(name, help, MetricType::HISTOGRAM, vec![metric])
}

fn buckets_of(taken: &StageHistogram) -> Vec<(f64, u64)> {
    taken.cumulative().collect()
}

/// One histogram; `buckets` are upper bounds and cumulative counts.
fn metric_of(buckets: &[(f64, u64)], count: u64, sum: f64) -> Metric {
    let mut histogram = Histogram::default();
    histogram.set_sample_count(count);
    histogram.set_sample_sum(sum);
    histogram.set_bucket(
        buckets
            .iter()
            .map(|(bound, count)| {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(*bound);
                bucket.set_cumulative_count(*count);
                bucket
            })
            .collect(),
    );
    let mut metric = Metric::default();
    metric.set_histogram(histogram);
    metric
}
