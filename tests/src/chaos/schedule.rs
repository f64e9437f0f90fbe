//! What goes wrong, and when: a pure function of the seed.

use std::fmt;
use std::time::Duration;

use super::dice::Dice;

/// Faults begin after this, when the sessions speak.
const FIRST_AFTER_MS: u64 = 1_000;
/// The pause between two beginnings.
const PAUSE_MS: (u64, u64) = (1_500, 6_000);
/// No fault begins this near the end.
const LAST_BEFORE: Duration = Duration::from_secs(3);
/// How often another fault is drawn when what the first one would hit is harmed already.
const DRAWS_MAX: usize = 8;

/// What is drawn how often.
const KINDS: [(Kind, usize); 9] = [
    (Kind::Kill, 5),
    (Kind::Stop, 4),
    (Kind::Cut, 6),
    (Kind::Slow, 2),
    (Kind::Store, 3),
    (Kind::Flush, 1),
    (Kind::Clock, 2),
    (Kind::Disk, 2),
    (Kind::Pair, 1),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kill,
    Stop,
    Cut,
    Slow,
    Store,
    Flush,
    Clock,
    Disk,
    Pair,
}

/// How the nodes' Redis is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreForm {
    /// One server, which is killed and comes back.
    Single,
    /// A master, a replica, and a Sentinel: when the master is killed, the replica takes over.
    Sentinel,
}

/// Which way packets are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nothing passes.
    Both,
    /// What the node sends is lost: it hears the others, and they do not hear it.
    Out,
    /// What is sent to the node is lost.
    In,
}

/// Whom a node is cut off from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The store and the other nodes.
    All,
    /// The store alone.
    Store,
    /// The other nodes alone.
    Nodes,
}

/// One thing that goes wrong. Nodes go by their place, from 0.
#[allow(missing_docs, reason = "the fields are the words of the variants")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`; started again after a while.
    Kill { node: usize, down: Duration },
    /// SIGSTOP, and SIGCONT after a while: the owner who does not know that it is one no more.
    Stop { node: usize, lasts: Duration },
    /// Packets are lost between a node and others.
    Cut { node: usize, way: Way, whom: Whom, lasts: Duration },
    /// Packets from and to a node are late.
    Slow { node: usize, lasts: Duration },
    /// Redis is killed, and started again on its files.
    KillStore { down: Duration },
    /// The master is killed, and its replica takes over.
    FailOver,
    /// Somebody with the nodes' own password sends FLUSHALL, which the server must refuse.
    Flush,
    /// A node's clock is set wrong, and right again after a while.
    Clock { node: usize, by_ms: i64, lasts: Duration },
    /// A node's disk is full for a while.
    FillDisk { node: usize, lasts: Duration },
}

/// A fault and its moment, counted from when the sessions speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// When it begins.
    pub at: Duration,
    /// What it is.
    pub fault: Fault,
}

/// Everything that follows from a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The seed.
    pub seed: u64,
    /// How long faults are made.
    pub lasts: Duration,
    /// How many nodes there are.
    pub nodes: usize,
    /// How Redis is set up.
    pub store: StoreForm,
    /// The nodes' `metering.heartbeat`: short ones make many commits, long ones make crashes depend on what is proved.
    pub heartbeat: Duration,
    /// What goes wrong, in order.
    pub faults: Vec<Planned>,
}

impl Schedule {
    /// The schedule of a seed.
    #[must_use]
    pub fn of(seed: u64, lasts: Duration, nodes: usize) -> Self {
        let mut dice = Dice::new(seed, 1);
        let store = if dice.happens(40) { StoreForm::Sentinel } else { StoreForm::Single };
        let heartbeat = Duration::from_secs(*dice.pick(&[2, 5, 20]));
        let mut busy = Busy { nodes: vec![Duration::ZERO; nodes], store: Duration::ZERO };
        let mut faults = Vec::new();
        let mut at = dice.between(FIRST_AFTER_MS, FIRST_AFTER_MS + 2_000);
        while at + LAST_BEFORE < lasts {
            for fault in draw(&mut dice, &mut busy, at, nodes, store) {
                faults.push(Planned { at, fault });
            }
            at += dice.between(PAUSE_MS.0, PAUSE_MS.1);
        }
        Self { seed, lasts, nodes, store, heartbeat, faults }
    }
}

/// Until when something is harmed already.
struct Busy {
    nodes: Vec<Duration>,
    store: Duration,
}

impl Busy {
    fn take_node(&mut self, node: usize, at: Duration, lasts: Duration) -> bool {
        let free = self.nodes[node] <= at;
        if free {
            self.nodes[node] = at + lasts;
        }
        free
    }

    fn take_store(&mut self, at: Duration, lasts: Duration) -> bool {
        let free = self.store <= at;
        if free {
            self.store = at + lasts;
        }
        free
    }
}

/// One fault, or two at once; none when everything that was drawn is harmed already.
fn draw(dice: &mut Dice, busy: &mut Busy, at: Duration, nodes: usize, store: StoreForm) -> Vec<Fault> {
    let all: usize = KINDS.iter().map(|(_, weight)| weight).sum();
    for _ in 0..DRAWS_MAX {
        let mut drawn = dice.below(all);
        let kind = KINDS.iter().find(|(_, weight)| {
            let found = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            found
        });
        let node = dice.below(nodes);
        let fault = match kind.map_or(Kind::Kill, |(kind, _)| *kind) {
            Kind::Kill => kill(dice, node),
            Kind::Stop => Fault::Stop { node, lasts: dice.between(1_000, 14_000) },
            Kind::Cut => {
                let way = *dice.pick(&[Way::Both, Way::Both, Way::Out, Way::In]);
                let whom = *dice.pick(&[Whom::All, Whom::All, Whom::Store, Whom::Nodes]);
                Fault::Cut { node, way, whom, lasts: dice.between(1_000, 14_000) }
            }
            Kind::Slow => Fault::Slow { node, lasts: dice.between(3_000, 10_000) },
            Kind::Store if store == StoreForm::Sentinel => Fault::FailOver,
            Kind::Store => Fault::KillStore { down: dice.between(500, 8_000) },
            Kind::Flush => Fault::Flush,
            Kind::Clock => {
                let by_ms = *dice.pick(&[-3_600_000, -5_000, -1_500, 1_500, 5_000, 3_600_000]);
                Fault::Clock { node, by_ms, lasts: dice.between(2_000, 8_000) }
            }
            Kind::Disk => Fault::FillDisk { node, lasts: dice.between(2_000, 8_000) },
            // A node is lost while the store is away: what was proved last is older than usual.
            Kind::Pair => {
                let store_fault = match store {
                    StoreForm::Sentinel => Fault::FailOver,
                    StoreForm::Single => Fault::KillStore { down: dice.between(500, 5_000) },
                };
                let kill = kill(dice, node);
                if busy.nodes[node] <= at && busy.store <= at {
                    busy.take_store(at, store_fault.lasts());
                    busy.take_node(node, at, kill.lasts());
                    return vec![store_fault, kill];
                }
                continue;
            }
        };
        let is_free = match fault.node() {
            Some(node) => busy.take_node(node, at, fault.lasts()),
            None if fault == Fault::Flush => true,
            None => busy.take_store(at, fault.lasts()),
        };
        if is_free {
            return vec![fault];
        }
    }
    Vec::new()
}

fn kill(dice: &mut Dice, node: usize) -> Fault {
    Fault::Kill { node, down: dice.between(500, 10_000) }
}

impl Fault {
    /// The node that it hits; `None` for those of the store.
    #[must_use]
    pub const fn node(&self) -> Option<usize> {
        match self {
            Self::Kill { node, .. }
            | Self::Stop { node, .. }
            | Self::Cut { node, .. }
            | Self::Slow { node, .. }
            | Self::Clock { node, .. }
            | Self::FillDisk { node, .. } => Some(*node),
            Self::KillStore { .. } | Self::FailOver | Self::Flush => None,
        }
    }

    /// How long it lasts, as planned.
    #[must_use]
    pub const fn lasts(&self) -> Duration {
        match self {
            Self::Kill { down, .. } | Self::KillStore { down } => *down,
            Self::Stop { lasts, .. }
            | Self::Cut { lasts, .. }
            | Self::Slow { lasts, .. }
            | Self::Clock { lasts, .. }
            | Self::FillDisk { lasts, .. } => *lasts,
            // As long as a Sentinel takes, and the former master to come back.
            Self::FailOver => Duration::from_secs(10),
            Self::Flush => Duration::ZERO,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node().map_or(String::new(), |node| format!("n{}", node + 1));
        let seconds = self.lasts().as_secs_f64();
        match self {
            Self::Kill { .. } => write!(f, "kill -9 {node}, down for {seconds:.1} s"),
            Self::Stop { .. } => write!(f, "stop {node} for {seconds:.1} s"),
            Self::Cut { way, whom, .. } => {
                let whom = match whom {
                    Whom::All => "all",
                    Whom::Store => "the store",
                    Whom::Nodes => "the other nodes",
                };
                let way = match way {
                    Way::Both => "both ways",
                    Way::Out => "only what it sends is lost",
                    Way::In => "only what is sent to it is lost",
                };
                write!(f, "cut {node} off from {whom} for {seconds:.1} s, {way}")
            }
            Self::Slow { .. } => write!(f, "slow links of {node} for {seconds:.1} s"),
            Self::KillStore { .. } => write!(f, "kill -9 Redis, down for {seconds:.1} s"),
            Self::FailOver => write!(f, "kill -9 the master of Redis; its replica takes over"),
            Self::Flush => write!(f, "FLUSHALL with the nodes' password"),
            Self::Clock { by_ms, .. } => write!(f, "clock of {node} off by {by_ms} ms for {seconds:.1} s"),
            Self::FillDisk { .. } => write!(f, "disk of {node} full for {seconds:.1} s"),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.store {
            StoreForm::Single => "one Redis",
            StoreForm::Sentinel => "a master, a replica and a Sentinel",
        };
        writeln!(f, "seed {}: {} nodes on {form}, heartbeat {:?}", self.seed, self.nodes, self.heartbeat)?;
        for planned in &self.faults {
            writeln!(f, "  {:6.2} s  {}", planned.at.as_secs_f64(), planned.fault)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_seed_repeats_its_schedule_and_seeds_differ() {
        for seed in 0..200 {
            assert_eq!(Schedule::of(seed, MINUTE, 3), Schedule::of(seed, MINUTE, 3));
            assert_ne!(Schedule::of(seed, MINUTE, 3).faults, Schedule::of(seed + 1, MINUTE, 3).faults);
        }
    }

    #[test]
    fn a_hundred_seeds_make_every_fault_and_each_makes_several() {
        let schedules: Vec<Schedule> = (1..=100).map(|seed| Schedule::of(seed, MINUTE, 3)).collect();
        assert!(schedules.iter().all(|schedule| schedule.faults.len() >= 6));
        let faults: Vec<&Fault> =
            schedules.iter().flat_map(|plan| &plan.faults).map(|planned| &planned.fault).collect();
        let wanted: [fn(&Fault) -> bool; 12] = [
            |fault| matches!(fault, Fault::Kill { .. }),
            |fault| matches!(fault, Fault::Stop { .. }),
            |fault| matches!(fault, Fault::Cut { way: Way::Both, whom: Whom::All, .. }),
            |fault| matches!(fault, Fault::Cut { way: Way::Out, .. }),
            |fault| matches!(fault, Fault::Cut { way: Way::In, .. }),
            |fault| matches!(fault, Fault::Cut { whom: Whom::Store, .. }),
            |fault| matches!(fault, Fault::Slow { .. }),
            |fault| matches!(fault, Fault::KillStore { .. }),
            |fault| matches!(fault, Fault::FailOver),
            |fault| matches!(fault, Fault::Flush),
            |fault| matches!(fault, Fault::Clock { .. }),
            |fault| matches!(fault, Fault::FillDisk { .. }),
        ];
        for (at, wanted) in wanted.iter().enumerate() {
            let count = faults.iter().filter(|fault| wanted(fault)).count();
            assert!(count >= 10, "fault {at} is made {count} times");
        }
    }

    #[test]
    fn a_node_has_one_fault_at_a_time() {
        for seed in 1..=100 {
            let mut free_at = [Duration::ZERO; 3];
            for planned in Schedule::of(seed, MINUTE, 3).faults {
                let Some(node) = planned.fault.node() else { continue };
                assert!(free_at[node] <= planned.at, "seed {seed}, {}", planned.fault);
                free_at[node] = planned.at + planned.fault.lasts();
            }
        }
    }
}
