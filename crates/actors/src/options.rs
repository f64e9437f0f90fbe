//! How a node is set up.

use std::time::Duration;

/// How many sessions may speak at once on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeakingSlots {
    /// As many clean streams as the stage makes when it is measured at start.
    Measured,
    /// This many streams of 512x512 at 25 frames a second; other sizes and rates weigh by pixels times rate.
    Fixed(u32),
}

/// How a node is set up. Heartbeat, grace and the shortest slice are the ledger's
/// [`Terms`](footlight_ledger::Terms): accounts and nodes must agree on them.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The node's name, unique among the nodes of one store. A restarted node finds its own sessions by it.
    pub name: String,
    /// The most sessions at once, speaking or not. Raising it costs memory: about 2 kB each while idle.
    pub max_sessions: u32,
    /// The most sessions at once whose engine is elsewhere. Raising it costs memory: about 1 kB each.
    pub max_engines: u32,
    /// The most sessions that speak at once.
    pub speaking_slots: SpeakingSlots,
    /// Sessions admitted per speaking slot. 1: every session reserves its slot at create, so speech never waits for
    /// one. Above 1 a slot is taken when speech starts, and given back when it ends.
    pub overcommit: f32,
    /// How long speech waits for a slot under overcommit before it fails with `capacity`.
    pub slot_wait: Duration,
    /// Ends a session that was silent or unwatched for this long, where its request says nothing.
    pub idle_timeout: Duration,
    /// The longest idle timeout a request may ask for.
    pub max_idle_timeout: Duration,
    /// Ends a session at this age, where its request says nothing.
    pub max_duration: Duration,
    /// The longest duration a request may ask for.
    pub max_max_duration: Duration,
    /// Ends a session that has been paused for this long.
    pub paused_timeout: Duration,
    /// How long a slice is kept after the last frame, in case speech goes on. Raising it keeps credits away from the
    /// account's other sessions for longer; when others wait, it is given back at once.
    pub hold_after_speech: Duration,
    /// How many times a failed renderer is started again within `restart_window`, with growing pauses between.
    pub restart_budget: u32,
    /// See `restart_budget`.
    pub restart_window: Duration,
    /// How long a drain waits for speech to end where the caller names no deadline.
    pub drain_deadline: Duration,
    /// How often due heartbeats are collected and sent, by account. Raising it makes bigger and fewer commits, and
    /// speech start later by up to as much.
    pub meter_tick: Duration,
    /// How long the first interval between heartbeats is at least, as a share of one heartbeat; the rest is drawn at
    /// random so that the sessions of one burst do not beat together for ever. 0 to 1.
    pub first_beat_least: f32,
    /// How often progress is written down. Raising it raises what a crash leaves unbilled.
    pub progress_every: Duration,
    /// How often overdue sessions of lost nodes are swept.
    pub sweep_every: Duration,
    /// How long journal entries are kept before they are folded into a checkpoint; `None`: for ever. Lists, and usage by
    /// day or session, show what is kept.
    pub journal_kept: Option<Duration>,
    /// How often journals are looked through for entries that were kept long enough.
    pub trim_every: Duration,
    /// Whether other nodes use the store, and may go on with what this one leaves: then speech is kept until it is spoken,
    /// and progress is mirrored. `None`: as the store says.
    pub is_shared: Option<bool>,
    /// The most bytes of uploaded speech that this node keeps in a shared store until it is spoken, 96 kB a second of it. What
    /// is over it is spoken, and lost with the node. Raising it takes as much of the store, for each node.
    pub max_kept_speech_bytes: u64,
    /// As `max_kept_speech_bytes`, for one account.
    pub max_kept_speech_bytes_per_account: u64,
    /// Whether sessions that a former run left are ended at the start. If not they are whoever's that adopts them; see
    /// [`Node::left_behind`](crate::Node::left_behind).
    pub ends_orphans: bool,
    /// How long recovery at start tries to reach the store before the start fails.
    pub recovery_patience: Duration,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            name: "node-1".to_owned(),
            max_sessions: 1000,
            max_engines: 100_000,
            speaking_slots: SpeakingSlots::Measured,
            overcommit: 1.0,
            slot_wait: Duration::from_millis(200),
            idle_timeout: Duration::from_secs(300),
            max_idle_timeout: Duration::from_secs(3600),
            max_duration: Duration::from_secs(3600),
            max_max_duration: Duration::from_secs(24 * 3600),
            paused_timeout: Duration::from_secs(3600),
            hold_after_speech: Duration::from_secs(10),
            restart_budget: 3,
            restart_window: Duration::from_secs(60),
            drain_deadline: Duration::from_secs(30),
            meter_tick: Duration::from_millis(20),
            first_beat_least: 0.5,
            progress_every: Duration::from_secs(1),
            sweep_every: Duration::from_secs(30),
            journal_kept: None,
            trim_every: Duration::from_secs(6 * 3600),
            is_shared: None,
            max_kept_speech_bytes: 512 << 20,
            max_kept_speech_bytes_per_account: 384 << 20,
            ends_orphans: true,
            recovery_patience: Duration::from_secs(30),
        }
    }
}
