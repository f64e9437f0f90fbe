//! Account affairs: thin calls on the desk. What raises an account's credits wakes its waiting sessions, through the
//! desk's own notices.

use footlight_ledger::{
    Account, AccountId, AccountStatus, Command, GrantId, GrantKind, GrantName, Limits, Microcredits, Outcome,
    PauseReason, PlanTerms, SecretId, SpendingLimit, Timestamp, Touched,
};
use uuid::Uuid;

use super::Node;
use crate::NodeError;

/// What a grant came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// The grant's id.
    pub grant: GrantId,
    /// What was given.
    pub amount: Microcredits,
    /// Whether this name had been used before for the same thing: nothing was given now.
    pub replayed: bool,
}

impl Node {
    /// Opens an account, on a plan if one is given.
    ///
    /// # Errors
    /// What the store said.
    pub async fn open_account(&self, plan: Option<PlanTerms>, limits: Limits) -> Result<Account, NodeError> {
        let id = AccountId(Uuid::now_v7());
        let opened = self.inner.parts.desk.open_account(id, limits).await?;
        if plan.is_none() {
            return Ok(opened);
        }
        self.set_plan(id, plan, GrantId(Uuid::now_v7())).await
    }

    /// An account as it stands now, its period rolled. Nothing is written: the next command does that.
    ///
    /// # Errors
    /// [`NodeError::NotFound`]; what the store said.
    pub async fn account(&self, account: AccountId) -> Result<Account, NodeError> {
        Ok(self.stored_account(account).await?.as_of(self.now()))
    }

    /// Gives credits. Durable before it is acknowledged; waiting sessions are woken. The same name again with the same
    /// body answers the first grant.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::NameTaken`], [`NodeError::Refused`]; what the store said: then give again
    /// under the same name.
    pub async fn grant(
        &self,
        account: AccountId,
        name: GrantName,
        kind: GrantKind,
        amount: Microcredits,
        expires_at: Option<Timestamp>,
    ) -> Result<Granted, NodeError> {
        let id = GrantId(Uuid::now_v7());
        match self.submit(account, Command::Grant { id, name, kind, amount, expires_at }).await? {
            Outcome::Granted { grant, amount, replayed } => Ok(Granted { grant, amount, replayed }),
            outcome => Err(unexpected(&outcome)),
        }
    }

    /// Takes back what is still available of a grant, up to `amount`; answers how much that was.
    ///
    /// # Errors
    /// As [`Node::grant`].
    pub async fn void_grant(
        &self,
        account: AccountId,
        name: GrantName,
        grant: GrantId,
        amount: Microcredits,
    ) -> Result<Microcredits, NodeError> {
        match self.submit(account, Command::VoidGrant { name, grant, amount }).await? {
            Outcome::Voided { amount } => Ok(amount),
            outcome => Err(unexpected(&outcome)),
        }
    }

    /// Puts an account on a plan, or on none, from now on. `grant` names the change: the same one again changes nothing.
    ///
    /// # Errors
    /// As [`Node::change_plan`].
    pub async fn set_plan(
        &self,
        account: AccountId,
        plan: Option<PlanTerms>,
        grant: GrantId,
    ) -> Result<Account, NodeError> {
        self.change(account, Command::SetPlan { plan, grant }).await
    }

    /// Opens, suspends or closes an account. Its running sessions pause at their next heartbeat; those that wait ask
    /// again at once when it opens.
    ///
    /// # Errors
    /// [`NodeError::NotFound`]; what the store said.
    pub async fn set_status(&self, account: AccountId, status: AccountStatus) -> Result<Account, NodeError> {
        let changed = self.change(account, Command::SetStatus { status }).await?;
        self.inner.meter.credits_rose(account);
        Ok(changed)
    }

    /// Sets an account's limits.
    ///
    /// # Errors
    /// [`NodeError::NotFound`]; what the store said.
    pub async fn set_limits(&self, account: AccountId, limits: Limits) -> Result<Account, NodeError> {
        let changed = self.change(account, Command::SetLimits { limits }).await?;
        self.inner.meter.credits_rose(account);
        Ok(changed)
    }

    /// Goes over to another plan, or to none, as is fair: more comes at once, less when the present period ends. `grant`
    /// names the change: the same one again changes nothing.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::NameTaken`], [`NodeError::Refused`]; what the store said.
    pub async fn change_plan(
        &self,
        account: AccountId,
        plan: Option<PlanTerms>,
        grant: GrantId,
    ) -> Result<Account, NodeError> {
        self.change(account, Command::ChangePlan { plan, grant }).await
    }

    /// Drops a change of plan that was to come.
    ///
    /// # Errors
    /// [`NodeError::NotFound`]; what the store said.
    pub async fn keep_plan(&self, account: AccountId) -> Result<Account, NodeError> {
        self.change(account, Command::KeepPlan).await
    }

    /// Sets, changes or lifts how much may be spent with a secret. Its sessions that wait for that ask again.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Refused`]; what the store said.
    pub async fn set_spending_limit(
        &self,
        account: AccountId,
        secret: SecretId,
        limit: Option<SpendingLimit>,
    ) -> Result<Account, NodeError> {
        self.change(account, Command::SetSpendingLimit { secret, limit }).await
    }

    /// Gives a secret that follows another one the other's limit, if there is one, with what was spent of it.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Refused`]; what the store said.
    pub async fn carry_spending_limit(
        &self,
        account: AccountId,
        from: SecretId,
        to: SecretId,
    ) -> Result<Account, NodeError> {
        self.change(account, Command::CarrySpendingLimit { from, to }).await
    }

    /// Counts a payment that was made and will never be credited.
    pub fn count_payment_not_credited(&self) {
        self.inner.metrics.payments_not_credited.inc();
    }

    /// Says that a secret was revoked in the store: sessions opened with it pause as `key_revoked`. Those on other nodes
    /// are found within a heartbeat.
    pub async fn secret_revoked(&self, account: AccountId, secret: SecretId) {
        for card in self.inner.cards.all() {
            if card.account == account && card.secret == Some(secret) {
                self.inner.hold(&card, PauseReason::KeyRevoked);
            }
        }
    }

    async fn change(&self, account: AccountId, command: Command) -> Result<Account, NodeError> {
        self.submit(account, command).await?;
        self.stored_account(account).await
    }

    async fn stored_account(&self, account: AccountId) -> Result<Account, NodeError> {
        let books = self.inner.parts.desk.inspect(account, Touched::default()).await?;
        books.map(|books| books.account).ok_or(NodeError::NotFound { what: "account" })
    }
}

fn unexpected(outcome: &Outcome) -> NodeError {
    NodeError::Internal { detail: format!("the ledger answered {outcome:?}") }
}
