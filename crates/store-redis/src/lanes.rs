//! Connections for money: a wait for durability blocks its connection, and a commit that stood behind another's wait would be
//! late, so that its time would be refused.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use footlight_store::StoreError;
use redis::Value;

use crate::RedisOptions;
use crate::address::Address;
use crate::link::{Group, Link};

/// The most connections for money: twice what one desk has under way at once. Those that are not needed are not made.
const LANES: usize = 8;

/// Links of which the one with the least under way is taken, the first of those that have nothing.
pub(crate) struct Lanes(Vec<Lane>);

struct Lane {
    link: Link,
    busy: AtomicUsize,
}

impl Lanes {
    pub(crate) fn new(address: &Address, options: &RedisOptions) -> Result<Self, StoreError> {
        let lanes = (0..LANES).map(|_| Ok(Lane { link: Link::new(address, options)?, busy: AtomicUsize::new(0) }));
        lanes.collect::<Result<_, _>>().map(Self)
    }

    /// As [`Link::is_cluster`].
    pub(crate) fn is_cluster(&self) -> bool {
        self.0[0].link.is_cluster()
    }

    /// As [`Link::send_group`].
    pub(crate) async fn send_group(&self, group: Group) -> Result<Vec<Value>, StoreError> {
        let lane = self.0.iter().min_by_key(|lane| lane.busy.load(Relaxed)).expect("there are some");
        lane.busy.fetch_add(1, Relaxed);
        let _busy = Busy(&lane.busy);
        lane.link.send_group(group).await
    }

    /// As [`Link::look_again`], for all.
    pub(crate) async fn look_again(&self) {
        for lane in &self.0 {
            lane.link.look_again().await;
        }
    }
}

/// Counts a group until it is over, or given up.
struct Busy<'a>(&'a AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
