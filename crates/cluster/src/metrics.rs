//! What the cluster counts, as Prometheus sees it.

use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    exponential_buckets,
};

/// What this node counts of the cluster.
#[derive(Debug)]
#[allow(missing_docs, reason = "each field's help text says it, where it is made")]
pub(crate) struct Metrics {
    pub(crate) nodes: IntGaugeVec,
    pub(crate) lease_remaining: Gauge,
    pub(crate) silent: IntGauge,
    pub(crate) frozen: IntGauge,
    pub(crate) nodes_lost: IntCounter,
    pub(crate) failovers: IntCounterVec,
    pub(crate) failover_seconds: Histogram,
    pub(crate) moves: IntCounterVec,
    pub(crate) placements: IntCounterVec,
    pub(crate) placement_seconds: Histogram,
    pub(crate) creates_waiting: IntGauge,
}

/// States of nodes, as label values.
pub(crate) const NODE_STATES: [&str; 4] = ["ready", "draining", "unschedulable", "lost"];

impl Metrics {
    /// Makes every series and registers it.
    ///
    /// # Errors
    /// When `registry` holds a metric of the same name already.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, results: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counters = IntCounterVec::new(Opts::new(name, help), &["result"])?;
            results.iter().for_each(|result| drop(counters.with_label_values(&[result])));
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let histogram = |name: &str, help: &str, buckets: Vec<f64>| -> Result<Histogram, prometheus::Error> {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let nodes =
            IntGaugeVec::new(Opts::new("footlight_nodes", "Nodes as this one sees them, by state."), &["state"])?;
        NODE_STATES.iter().for_each(|state| nodes.with_label_values(&[state]).set(0));
        registry.register(Box::new(nodes.clone()))?;
        let lease_remaining = Gauge::new(
            "footlight_lease_remaining_seconds",
            "How long this node may still run sessions without a renewal; negative once it may not.",
        )?;
        registry.register(Box::new(lease_remaining.clone()))?;
        let nodes_lost = IntCounter::new("footlight_nodes_lost_total", "Lost nodes that this one has inherited from.")?;
        registry.register(Box::new(nodes_lost.clone()))?;
        Ok(Self {
            nodes,
            lease_remaining,
            silent: gauge("footlight_silent", "Whether this node hands nothing out because its lease is over.")?,
            frozen: gauge(
                "footlight_failover_frozen",
                "Whether nothing is taken over because most nodes look lost at once.",
            )?,
            nodes_lost,
            failovers: counters(
                "footlight_failovers_total",
                "Sessions of lost nodes that this one has handed out, by result.",
                &["adopted", "ended", "failed"],
            )?,
            failover_seconds: histogram(
                "footlight_failover_seconds",
                "From the end of a lost node's lease to its session running elsewhere.",
                exponential_buckets(0.125, 2.0, 9)?,
            )?,
            moves: counters("footlight_moves_total", "Sessions that were moved off this node.", &["moved", "failed"])?,
            placements: counters(
                "footlight_placements_total",
                "Places that were looked for by this node, by result.",
                &["here", "elsewhere", "full", "failed"],
            )?,
            placement_seconds: histogram(
                "footlight_placement_seconds",
                "Choosing a node and reserving a place there.",
                exponential_buckets(0.000_25, 2.0, 12)?,
            )?,
            creates_waiting: gauge("footlight_creates_waiting", "Creates that wait for room.")?,
        })
    }
}
