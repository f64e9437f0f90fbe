//! Looks after the others: finds nodes whose lease is over, claims them, and hands their sessions out.
//!
//! A claim is one step in the store, so that one node inherits. It hands sessions out to whoever has room, itself
//! included, a few at a time. Each is taken over by an account commit, which alone decides who owns it; what goes wrong in
//! between is done again, by this heir or the next.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use footlight_ledger::{BootId, SessionId, Units};
use footlight_session::{Heirloom, Inherited, SessionRecord};
use footlight_store::nodes::{Claimed, NodeEntry, Placed, Wish};
use footlight_store::{StoreError, recover_from_store};
use futures_util::stream::{self, StreamExt as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::cluster::Inner;
use crate::directory::Peer;
use crate::view::peer_of;
use crate::wire::NotAdopted;

/// How often the list of nodes is read.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one claim lasts. It is extended while work goes on; after it another heir may go on.
const CLAIM_FOR: Duration = Duration::from_secs(10);
/// How often it is extended.
const EXTEND_EVERY: Duration = Duration::from_secs(3);
/// Sessions handed out at once: each loads its account and builds a renderer somewhere, while others speak there.
const AT_ONCE: usize = 16;
/// The pause before a session for which there was no room is offered again.
const OFFER_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long room is looked for, before a session is ended.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);
/// The least of that for each of them, wherever it stands in the line.
const OFFERED_FOR_MIN: Duration = Duration::from_secs(5);
/// How often the same node is asked what became of a session.
const ASK_AGAIN_MAX: u32 = 3;

/// A lease that shrank by so much more than the time between two looks was not waited for: the store's clock was set.
const STEP_MIN: Duration = Duration::from_secs(2);

/// Looks until the node is gone.
pub(crate) async fn watch(cluster: Weak<Inner>) {
    let mut before: Option<(Instant, Vec<NodeEntry>)> = None;
    loop {
        sleep(LOOK_EVERY).await;
        let Some(inner) = cluster.upgrade() else { return };
        let asked = Instant::now();
        match inner.look().await {
            Ok(nodes) => {
                inner.note_store(true);
                inner.show(&nodes);
                if let Some((then, former)) = before.replace((asked, nodes.clone())) {
                    let elapsed = then.elapsed();
                    if elapsed > inner.parts.options.times().unschedulable_after() {
                        // It stood still, or the store did. Others may have come back a moment ago as well.
                        tracing::warn!(
                            ?elapsed,
                            "the other nodes were not looked at for long; each gets the time to renew its lease"
                        );
                        inner.begin_quarantine();
                    } else if clock_stepped(&former, &nodes, elapsed) {
                        tracing::warn!(
                            "the store's clock was set forward; every node gets the time to renew its lease"
                        );
                        inner.begin_quarantine();
                    }
                }
                inner.look_after(nodes);
            }
            Err(error) => {
                inner.note_store(!error.is_transport());
                tracing::debug!(%error, "the list of nodes could not be read");
            }
        }
    }
}

/// Hands out what former runs of this node left that are not on the list (any more): nobody else looks for it.
pub(crate) async fn hand_out_unlisted(cluster: Arc<Inner>, nodes: Vec<NodeEntry>) {
    let is_listed = |boot: BootId| nodes.iter().any(|node| node.card.boot == boot);
    let unlisted: Vec<Heirloom> =
        cluster.left_behind.lock().values().filter(|left| !is_listed(left.record.boot)).cloned().collect();
    let left = cluster.hand_out_each(unlisted, Instant::now()).await;
    let is_former_run =
        |node: &NodeEntry| node.card.address == cluster.parts.options.address && node.card.boot != cluster.parts.boot;
    if left == 0 && !nodes.iter().any(is_former_run) {
        cluster.parts.host.forget_former_runs();
    }
}

/// Whether nothing may be taken over, because more nodes look lost than do not: then it is more likely that this one sees
/// wrongly than that all of them are gone. Nodes that are cut off together lose their leases one after the other, so those
/// count that are overdue, with less than `half` a lease left.
fn is_frozen(nodes: &[NodeEntry], half: Duration) -> bool {
    let half_ms = i64::try_from(half.as_millis()).unwrap_or(i64::MAX);
    let is_silent = |node: &&NodeEntry| !node.given_up && (node.is_lost() || node.lease_left_ms < half_ms);
    nodes.iter().filter(is_silent).count() * 2 > nodes.len()
}

/// Whether a lease shrank faster than time passed.
fn clock_stepped(before: &[NodeEntry], after: &[NodeEntry], elapsed: Duration) -> bool {
    let most = i64::try_from((elapsed + STEP_MIN).as_millis()).unwrap_or(i64::MAX);
    let left_before = |boot: BootId| before.iter().find(|node| node.card.boot == boot).map(|node| node.lease_left_ms);
    // One that leaves in order gives its lease back.
    let stays = after.iter().filter(|node| !node.card.draining);
    stays
        .filter_map(|node| Some((left_before(node.card.boot)?, node)))
        .any(|(left, node)| left - node.lease_left_ms > most)
}

impl Inner {
    fn show(&self, nodes: &[NodeEntry]) {
        let half = i64::try_from(self.parts.options.times().unschedulable_after().as_millis()).unwrap_or(i64::MAX);
        let state = |node: &NodeEntry| match node {
            node if node.is_lost() => "lost",
            node if node.card.draining => "draining",
            node if node.lease_left_ms <= half => "unschedulable",
            _ => "ready",
        };
        for name in crate::metrics::NODE_STATES {
            let count = nodes.iter().filter(|node| state(node) == name).count();
            self.metrics.nodes.with_label_values(&[name]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Inherits from whoever is lost, one after the other, beside the looking.
    fn look_after(self: &Arc<Self>, nodes: Vec<NodeEntry>) {
        let frozen = is_frozen(&nodes, self.parts.options.times().unschedulable_after());
        let was_frozen = self.metrics.frozen.get() == 1;
        self.metrics.frozen.set(i64::from(frozen));
        if frozen && !was_frozen {
            tracing::error!(
                nodes = nodes.len(),
                "most nodes look lost at once: nothing is taken over until they are back, or given up by an operator"
            );
        }
        if frozen {
            // It begins with the thaw: those who come back have been heard by the time that anybody is given up.
            self.begin_quarantine();
        }
        let Ok(turn) = Arc::clone(&self.inheriting).try_acquire_owned() else { return };
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            inner.inherit_from(&nodes).await;
            drop(turn);
        });
    }

    async fn inherit_from(self: &Arc<Self>, nodes: &[NodeEntry]) {
        for node in nodes.iter().filter(|node| node.is_lost() && node.card.boot != self.parts.boot) {
            // A former run at this node's own address is certainly gone: nobody else can be heard of there.
            let is_former_self = node.card.address == self.parts.options.address;
            let may = is_former_self || node.given_up || self.may_claim();
            if !may {
                continue;
            }
            match self.parts.store.claim_node(node.card.boot, self.parts.boot, CLAIM_FOR).await {
                Ok(Claimed::Yes) => {
                    if let Err(error) = self.inherit(node).await {
                        tracing::warn!(node = node.card.name, %error, "a lost node's sessions could not all be handed out; it is tried again");
                    }
                }
                Ok(Claimed::NotLost | Claimed::Taken | Claimed::NotAlive) => {}
                Err(error) => tracing::warn!(node = node.card.name, %error, "a lost node could not be claimed"),
            }
        }
    }

    /// Hands out everything that ran on a node that is claimed.
    async fn inherit(self: &Arc<Self>, lost: &NodeEntry) -> Result<(), StoreError> {
        let (name, boot) = (&lost.card.name, lost.card.boot);
        let lease_ended = Instant::now()
            .checked_sub(Duration::from_millis(lost.lease_left_ms.unsigned_abs()))
            .unwrap_or_else(Instant::now);
        // Ends with this, however this ends.
        let mut extending = JoinSet::new();
        extending.spawn(extend(Arc::clone(self), boot));
        let left = self.hand_out_all(name, boot, lease_ended).await?;
        drop(extending);
        if left == 0 {
            self.metrics.nodes_lost.inc();
            self.parts.store.delete_progress(boot).await?;
            self.parts.store.bury_node(boot, self.parts.boot).await?;
            if lost.card.address == self.parts.options.address {
                self.parts.host.forget_former_runs();
            }
        }
        Ok(())
    }

    /// Answers how many sessions are left to be handed out.
    async fn hand_out_all(
        self: &Arc<Self>,
        name: &str,
        boot: BootId,
        lease_ended: Instant,
    ) -> Result<usize, StoreError> {
        let records: Vec<SessionRecord> = self.parts.store.list_owned(name, boot).await?;
        if records.is_empty() {
            return Ok(0);
        }
        let progress = recover_from_store(&*self.parts.store, boot).await?;
        // A session that left this node and came back may be there twice: the later epoch counts.
        let mut proved: HashMap<SessionId, (u32, Units)> = HashMap::new();
        for entry in progress {
            let known = proved.entry(entry.session).or_default();
            *known = (*known).max((entry.epoch, entry.units));
        }
        tracing::warn!(node = name, sessions = records.len(), "a node is lost; its sessions go on elsewhere");
        let heirloom = |record: SessionRecord| {
            let (epoch, units) = proved.get(&record.id).copied().unwrap_or_default();
            let mirrored = if epoch == record.epoch { units } else { 0 };
            let own = self.left_behind.lock().get(&record.id).map_or(0, |left| left.proved);
            Heirloom { record, proved: mirrored.max(own), why: Inherited::NodeLost }
        };
        Ok(self.hand_out_each(records.into_iter().map(heirloom).collect(), lease_ended).await)
    }

    /// Answers how many of them are left to be handed out.
    async fn hand_out_each(&self, heirlooms: Vec<Heirloom>, lease_ended: Instant) -> usize {
        let until = Instant::now() + GIVE_UP_AFTER;
        stream::iter(heirlooms)
            .map(|heirloom| self.hand_out(heirloom, lease_ended, until))
            .buffer_unordered(AT_ONCE)
            .filter(|is_done| std::future::ready(!is_done))
            .count()
            .await
    }

    /// Finds a node for one session. Answers whether nothing is left to do about it.
    async fn hand_out(&self, mut heirloom: Heirloom, lease_ended: Instant, until: Instant) -> bool {
        let session = heirloom.record.id;
        // Those at the end of a long line are not given up for being full just once.
        let until = until.max((Instant::now() + OFFERED_FOR_MIN).min(until + GIVE_UP_AFTER));
        let failovers = |result: &str| self.metrics.failovers.with_label_values(&[result]).inc();
        loop {
            match self.offer(&mut heirloom).await {
                Ok(()) => {
                    failovers("adopted");
                    self.metrics.failover_seconds.observe(lease_ended.elapsed().as_secs_f64());
                    return true;
                }
                Err(NotAdopted::Gone { .. }) => return true,
                Err(refusal) if Instant::now() >= until => {
                    tracing::error!(%session, %refusal, "no node takes this session; it ends as node_lost");
                    return match self.parts.host.give_up(heirloom).await {
                        Ok(()) | Err(NotAdopted::Gone { .. }) => {
                            failovers("ended");
                            true
                        }
                        Err(refusal) => {
                            tracing::error!(%session, %refusal, "nor could it be ended");
                            failovers("failed");
                            false
                        }
                    };
                }
                Err(refusal) => tracing::debug!(%session, %refusal, "a session of a lost node is offered again"),
            }
            sleep(OFFER_AGAIN_AFTER).await;
        }
    }

    /// Offers a session to nodes with room, until one takes it or none is left.
    async fn offer(&self, heirloom: &mut Heirloom) -> Result<(), NotAdopted> {
        let session = heirloom.record.id;
        let mut not = vec![heirloom.record.boot];
        loop {
            let wish = self.wish_of(&heirloom.record, None, not.clone());
            let placed =
                self.parts.store.place(wish).await.map_err(|error| NotAdopted::Failed { detail: error.to_string() })?;
            let Placed::At(card) = placed else { return Err(NotAdopted::Full) };
            match self.hand_to(&peer_of(&card), heirloom).await {
                Err(NotAdopted::Full) => {
                    self.give_back(session).await;
                    not.push(card.boot);
                }
                Err(NotAdopted::Failed { .. }) => {
                    self.give_back(session).await;
                    not.push(card.boot);
                    // It may have failed after it was the owner: the next one takes over from it.
                    if let Ok(Some(record)) = self.parts.store.get_session(session).await
                        && record.boot == card.boot
                    {
                        heirloom.record = record;
                    }
                }
                answer => return answer,
            }
        }
    }

    /// What a session that lives somewhere asks of its next node.
    pub(crate) fn wish_of(&self, record: &SessionRecord, only: Option<BootId>, not: Vec<BootId>) -> Wish {
        Wish {
            session: record.id,
            weight_milli: self.parts.host.weight_milli(record),
            labels: record.labels.clone(),
            avatar: record.avatar.clone(),
            strategy: self.parts.options.strategy,
            only,
            not,
            dice: (self.parts.dice)(),
        }
    }

    /// Hands a session to one node, this one or another.
    pub(crate) async fn hand_to(&self, peer: &Peer, heirloom: &Heirloom) -> Result<(), NotAdopted> {
        if peer.boot == self.parts.boot {
            self.parts.host.adopt(heirloom.clone()).await?;
            self.absorb(heirloom.record.id);
            return Ok(());
        }
        let mut answer = self.parts.calls.adopt(peer, heirloom).await.map(drop);
        for _ in 1..ASK_AGAIN_MAX {
            // Adopting twice is adopting once.
            let Err(NotAdopted::Unclear { .. }) = answer else { break };
            sleep(OFFER_AGAIN_AFTER).await;
            answer = clearer(answer, self.parts.calls.adopt(peer, heirloom).await.map(drop));
        }
        answer
    }

    pub(crate) async fn give_back(&self, session: SessionId) {
        if let Err(error) = self.parts.store.give_back(session).await {
            // It ends by itself.
            tracing::debug!(%error, "a reserved place could not be given back");
        }
    }
}

/// What is known of an offer after it was repeated, which waits at the node for what went before.
fn clearer(unclear: Result<(), NotAdopted>, again: Result<(), NotAdopted>) -> Result<(), NotAdopted> {
    match again {
        // That it failed now says nothing of before: the node may have the session, and be cut off.
        Err(NotAdopted::Failed { .. }) => unclear,
        clear => clear,
    }
}

/// Keeps a claim while sessions are handed out.
async fn extend(cluster: Arc<Inner>, lost: BootId) {
    loop {
        sleep(EXTEND_EVERY).await;
        if let Err(error) = cluster.parts.store.claim_node(lost, cluster.parts.boot, CLAIM_FOR).await {
            tracing::warn!(%error, "a claim could not be extended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::node;

    const HALF: Duration = Duration::from_secs(5);

    fn with_leases(leases: &[i64]) -> Vec<NodeEntry> {
        leases.iter().zip(1..).map(|(lease_left_ms, number)| node(number, *lease_left_ms)).collect()
    }

    fn nodes(alive: usize, lost: usize) -> Vec<NodeEntry> {
        with_leases(&[vec![9_000; alive], vec![-1; lost]].concat())
    }

    #[test]
    fn failing_over_freezes_when_most_nodes_look_lost() {
        for (alive, lost, frozen) in [(2, 1, false), (1, 1, false), (1, 2, true), (3, 3, false), (3, 4, true)] {
            assert_eq!(is_frozen(&nodes(alive, lost), HALF), frozen, "{lost} of {}", alive + lost);
        }
        let mut nodes = nodes(1, 2);
        nodes[1].given_up = true;
        assert!(!is_frozen(&nodes, HALF), "an operator has given one of them up");
    }

    #[test]
    fn a_repeated_offer_that_fails_leaves_open_whether_the_first_one_was_taken() {
        let why = || "it was cut off".to_owned();
        let unclear = || Err(NotAdopted::Unclear { detail: why() });
        assert!(matches!(
            clearer(unclear(), Err(NotAdopted::Failed { detail: why() })),
            Err(NotAdopted::Unclear { .. })
        ));
        assert!(matches!(clearer(unclear(), Err(NotAdopted::Full)), Err(NotAdopted::Full)));
        assert!(clearer(unclear(), Ok(())).is_ok());
    }

    #[test]
    fn nodes_that_are_cut_off_together_are_counted_when_the_first_lease_ends() {
        assert!(is_frozen(&with_leases(&[9_000, -1, 800, 1_900]), HALF), "the other two are overdue");
        assert!(!is_frozen(&with_leases(&[9_000, -1, 8_000, 6_500]), HALF), "one of four is gone");
    }

    #[test]
    fn a_lease_that_shrinks_faster_than_time_passes_shows_that_a_clock_was_set() {
        let before = with_leases(&[9_000, 7_000]);
        let second = Duration::from_secs(1);
        assert!(!clock_stepped(&before, &with_leases(&[8_000, 9_900]), second), "time passed, and one renewed");
        assert!(!clock_stepped(&before, &with_leases(&[5_000, 3_000]), second * 4), "the look took long");
        assert!(clock_stepped(&before, &with_leases(&[-3_000, 9_900]), second), "ten seconds forward");
        let mut leaving = with_leases(&[0, 9_000]);
        leaving[0].card.draining = true;
        assert!(!clock_stepped(&before, &leaving, second), "it gave its lease back");
    }
}
