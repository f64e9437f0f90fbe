//! One account: its head, its parts, its secrets.

use std::sync::Arc;

use footlight_ledger::{Account, AccountId};

use super::{Depth, MoveError, Mover};
use crate::transfer::tally::{Kind, Tally};
use crate::transfer::walk::{Pair, Side, Walk};
use crate::transfer::{AccountHead, Inventory, Item, Part};
use crate::{AccountAudit, Owner, Store, audit_account, codec};

/// Documents of an account read and written at once: a few hundred bytes each.
const ITEMS_PAGE: usize = 512;

impl Mover {
    /// One account with everything that belongs to it.
    pub(super) async fn account(
        &self,
        depth: Depth,
        account: AccountId,
        inventory: &Inventory,
    ) -> Result<Tally, MoveError> {
        let mut tally = Tally::default();
        let source = self.source.dump_head(account).await.map_err(MoveError::Source)?;
        let target = self.target.dump_head(account).await.map_err(MoveError::Target)?;
        if let Some(head) = &source {
            let read: Account = codec::decode(&head.document, || account.to_string()).map_err(MoveError::Source)?;
            tally.open_tabs += u64::from(read.open_sessions);
        }
        let count = tally.of(Kind::Accounts);
        count.source += u64::from(source.is_some());
        match (source, target) {
            // It was to be opened, and never was.
            (None, None) => {}
            (None, Some(_)) => {
                count.extra += 1;
                tally.note(|| format!("{account} is in the target, and the source does not know it"));
            }
            (Some(head), None) => {
                count.missing += 1;
                match depth {
                    Depth::Move => self.load(head, &mut tally).await?,
                    Depth::Look => {}
                    Depth::Verify => tally.note(|| format!("{account} is not in the target")),
                }
            }
            (Some(head), Some(there)) if head == there => {
                count.same += 1;
                if depth == Depth::Verify {
                    self.verify(account, &mut tally).await?;
                }
            }
            (Some(head), Some(_)) => {
                count.differing += 1;
                if depth == Depth::Move && self.continues {
                    self.load(head, &mut tally).await?;
                } else if depth == Depth::Verify || !self.continues {
                    tally.note(|| format!("{account} is another version in the target"));
                }
            }
        }
        // One reason is enough not to move an account: what belongs to it differs as well.
        if depth == Depth::Look && tally.noted > 0 {
            return Ok(tally);
        }
        self.secrets(depth, account, &mut tally).await?;
        self.owned(depth, Owner::Account(account), inventory, &mut tally).await?;
        Ok(tally)
    }

    /// Puts an account together in the target, in the place of what is there of it.
    async fn load(&self, head: AccountHead, tally: &mut Tally) -> Result<(), MoveError> {
        let account = head.account;
        self.target.clear_account(account).await.map_err(MoveError::Target)?;
        for part in Part::ALL {
            let mut after = None;
            loop {
                let page = self.source.dump_part(account, part, after, ITEMS_PAGE).await.map_err(MoveError::Source)?;
                let Some(last) = page.last() else { break };
                after = Some(last.key.clone());
                let (count, is_last) = (page.len(), page.len() < ITEMS_PAGE);
                tally.of(kind_of(part)).missing += count as u64;
                self.target.load_part(account, part, page).await.map_err(MoveError::Target)?;
                if is_last {
                    break;
                }
            }
        }
        if self.target.load_head(head).await.map_err(MoveError::Target)? {
            return Ok(());
        }
        Err(MoveError::Disturbed(format!("{account} has appeared there")))
    }

    /// Compares an account part by part, and audits it on both sides.
    async fn verify(&self, account: AccountId, tally: &mut Tally) -> Result<(), MoveError> {
        for part in Part::ALL {
            let items = |store: &Arc<dyn Store>| {
                let store = Arc::clone(store);
                Walk::new(move |after: Option<&Item>| {
                    let (store, after) = (Arc::clone(&store), after.map(|item| item.key.clone()));
                    async move { store.dump_part(account, part, after, ITEMS_PAGE).await }
                })
            };
            let mut pair = Pair::new(items(&self.source), items(&self.target), |one, other| one.key.cmp(&other.key));
            let title = kind_of(part).title();
            while let Some(side) = pair.next().await? {
                let count = tally.of(kind_of(part));
                match side {
                    Side::Both(one, other) if one == other => {
                        count.source += 1;
                        count.same += 1;
                    }
                    Side::Both(..) => {
                        count.source += 1;
                        count.differing += 1;
                        tally.note(|| format!("{account}: one of the {title} differs"));
                    }
                    Side::Source(_) => {
                        count.source += 1;
                        count.missing += 1;
                        tally.note(|| format!("{account}: one of the {title} is not in the target"));
                    }
                    Side::Target(_) => {
                        count.extra += 1;
                        tally.note(|| format!("{account}: one of the {title} is only in the target"));
                    }
                }
            }
        }
        let source = audit_account(self.source.as_ref(), account).await.map_err(MoveError::Source)?;
        let target = audit_account(self.target.as_ref(), account).await.map_err(MoveError::Target)?;
        if [&source, &target].into_iter().flatten().any(|audit| !audit.is_balanced()) {
            tally.unbalanced += 1;
        }
        if !is_same_audit(source.as_ref(), target.as_ref()) {
            tally.note(|| format!("{account}: the audits differ"));
        }
        Ok(())
    }

    async fn secrets(&self, depth: Depth, account: AccountId, tally: &mut Tally) -> Result<(), MoveError> {
        let source = self.source.list_secrets(account).await.map_err(MoveError::Source)?;
        let target = self.target.list_secrets(account).await.map_err(MoveError::Target)?;
        let mut pair = Pair::new(Walk::of(source), Walk::of(target), |one, other| one.id.cmp(&other.id));
        while let Some(side) = pair.next().await? {
            let count = tally.of(Kind::Secrets);
            count.source += u64::from(!matches!(side, Side::Target(_)));
            match side {
                Side::Both(one, other) if one == other => {
                    // The list is for people; what opens is found by its hash. A run that was killed between the two
                    // writes has left the one without the other.
                    let is_found = if depth == Depth::Verify || depth == Depth::Move && self.continues {
                        let found = self.target.find_secret(&one.hash).await.map_err(MoveError::Target)?;
                        found.is_some_and(|found| found == one)
                    } else {
                        true
                    };
                    if is_found {
                        count.same += 1;
                    } else {
                        count.differing += 1;
                        match depth {
                            Depth::Move => self.target.put_secret(one).await.map_err(MoveError::Target)?,
                            Depth::Look | Depth::Verify => {
                                tally.note(|| format!("{account}: {} is not found by its hash in the target", one.id));
                            }
                        }
                    }
                }
                Side::Both(one, _) => {
                    count.differing += 1;
                    if depth == Depth::Move && self.continues {
                        // An end is never put off, so this takes over one that came since.
                        self.target.put_secret(one).await.map_err(MoveError::Target)?;
                    } else if depth == Depth::Verify || !self.continues {
                        tally.note(|| format!("{account}: {} differs", one.id));
                    }
                }
                Side::Source(one) => {
                    count.missing += 1;
                    match depth {
                        Depth::Move => self.target.put_secret(one).await.map_err(MoveError::Target)?,
                        Depth::Look => {}
                        Depth::Verify => tally.note(|| format!("{account}: {} is not in the target", one.id)),
                    }
                }
                Side::Target(other) => {
                    count.extra += 1;
                    tally.note(|| format!("{account}: {} is only in the target", other.id));
                }
            }
        }
        Ok(())
    }
}

fn is_same_audit(one: Option<&AccountAudit>, other: Option<&AccountAudit>) -> bool {
    let told = |audit: &AccountAudit| (audit.totals, audit.entries, audit.sessions, audit.differences.clone());
    one.map(told) == other.map(told)
}

const fn kind_of(part: Part) -> Kind {
    match part {
        Part::Tabs => Kind::Tabs,
        Part::Names => Kind::Names,
        Part::Jobs => Kind::JobHolds,
        Part::Entries => Kind::JournalEntries,
    }
}
