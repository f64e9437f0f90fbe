//! Why something about jobs is not done.

use footlight_ledger::Refusal;
use footlight_store::StoreError;

/// Why something about jobs is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// This kind has no price here.
    #[error("this kind of job is not taken here")]
    NotTaken,
    /// The ledger says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such job, or it is another account's.
    #[error("there is no such job")]
    NotFound,
    /// The claim is not the present one: the job was given to somebody else, or is over.
    #[error("the claim is lost: the job was given to another worker, or is over")]
    ClaimLost,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
