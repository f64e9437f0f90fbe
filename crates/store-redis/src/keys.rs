//! Every key that Footlight uses in Redis.
//!
//! | key | type | TTL | written by |
//! | --- | --- | --- | --- |
//! | `fl:{acc_…}:a` | string: version, former commit ids, document | - | `commit.lua` |
//! | `fl:{acc_…}:t` | hash: session -> tab | - | `commit.lua` |
//! | `fl:{acc_…}:n` | hash: name of a money operation -> operation | - | `commit.lua` |
//! | `fl:{acc_…}:j` | hash: job -> hold | - | `commit.lua` |
//! | `fl:{acc_…}:e` | stream, id = number + 1: journal entries | - | `commit.lua`, `trim.lua` |
//! | `fl:{acc_…}:c` | hash `next`, `d`: the journal's checkpoint | - | `trim.lua` |
//! | `fl:{acc_…}:d` | sorted set: session by the bucket in which it is due | - | `commit.lua` |
//! | `fl:{acc_…}:dj` | sorted set: job by when its hold is given back | - | `commit.lua` |
//! | `fl:{acc_…}:b` | string: written to learn that all before is durable | 1 s | a money write |
//! | `fl:{acc_…}:secrets` | hash: secret's id -> record | - | `replace.lua` |
//! | `fl:{acc_…}:sessions` | sorted set, score 0: session ids | trimmed | the owning node |
//! | `fl:{owner}:r:<collection>` | hash: record's id -> version, queue, instant, body | - | `write_records.lua` |
//! | `fl:{owner}:r:<collection>:i` | sorted set, score 0: record ids | - | `write_records.lua` |
//! | `fl:{owner}:r:<collection>:d:<queue>` | sorted set: record by when it is due | - | `write_records.lua` |
//! | `fl:{owner}:blobs` | hash: blob's id -> length | - | the API, workers |
//! | `fl:{owner}:blob:<id>` | hash `len`, `version` and numbered pieces of 1 MiB | - | the API, workers |
//! | `fl:{owner}:unfinished:<uuid>` | the same, on its way to its name | 10 min | the API, workers |
//! | `fl:due:{<collection>}` | sorted set: owner and queue by when to look there | - | `hint_due.lua`, `settle_hint.lua` |
//! | `fl:{accounts}` | sorted set, score 0: account ids | - | before an account's first commit |
//! | `fl:{accounts}:b` | string: written to learn that all before is durable | 1 s | before an account's first commit |
//! | `fl:secret:{<hash>}` | string: record | - | `replace.lua` |
//! | `fl:session:{ses_…}` | string: epoch, owner, record | 30 days from its end | `put_session.lua` |
//! | `fl:{sessions}` | sorted set, score 0: session ids | trimmed | the owning node |
//! | `fl:node:{<name>}:live` | set: ids of sessions that have not ended | - | the owning node, its heirs |
//! | `fl:request:{<digest>}` | hash `body`, `claim`, `status`, `answer` | 1 min, then 24 h | `begin_request.lua`, `renew_request.lua`, `finish_request.lua` |
//! | `fl:progress:{boo_…}` | hash: block -> bytes | 7 days | the node of that boot |
//! | `fl:{ping}` | string: written to learn whether the server takes writes | 1 s | each node |
//! | `fl:{nodes}:leases` | sorted set: boot by when its lease ends | - | `renew_node.lua`, `bury_node.lua` |
//! | `fl:{nodes}:names` | hash: name -> boot | - | `renew_node.lua`, `bury_node.lua` |
//! | `fl:{nodes}:n:<boo_…>` | hash: a node's card, room, labels, avatars, heir | - | `renew_node.lua`, `place.lua`, `claim_node.lua`, `bury_node.lua` |
//! | `fl:{nodes}:reserved` | hash: session -> weight and boot | - | `place.lua`, `renew_node.lua`, `give_back.lua` |
//! | `fl:{nodes}:reserved:ends` | sorted set: session by when its reservation ends | - | as above |
//! | `fl:rises` | channel: 16 bytes of an account id | | `commit.lua`, a migration |
//!
//! Ids in fields, members and messages are the 16 bytes of their UUIDs. Every key has a hash tag, in braces. All that one
//! commit touches has the account's, `{acc_…}`, and so lies in one slot of a cluster. A migration (`transfer.rs`) writes the
//! same keys, by `load_entries.lua`, `load_head.lua` and plain commands. An owner is an account or `service`.
//! The sets outside of it are hints: what they name may be gone. No key is without an owner or a time to live, and no type
//! or time to live differs from this table: `tests/forms/keys.rs` holds every key that the contract writes against it.

use data_encoding::HEXLOWER;
use footlight_ledger::{AccountId, BootId, SessionId};
use footlight_store::Owner;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// All accounts.
pub(crate) const ACCOUNTS: &str = "fl:{accounts}";
/// Written after an account was put on the list of all, to learn that the list is durable.
pub(crate) const ACCOUNTS_BARRIER: &str = "fl:{accounts}:b";
/// All sessions.
pub(crate) const SESSIONS: &str = "fl:{sessions}";
/// Told when an account's available credits rose.
pub(crate) const RISES: &str = "fl:rises";
/// Written to learn whether the server takes writes.
pub(crate) const PING: &str = "fl:{ping}";

/// Nodes by when their leases end. All of nodes is in one slot, since placement looks at several of them in one step.
pub(crate) const LEASES: &str = "fl:{nodes}:leases";
/// What the keys of single nodes begin with.
pub(crate) const NODES: &str = "fl:{nodes}:n:";
/// Which run has a name.
pub(crate) const NODE_NAMES: &str = "fl:{nodes}:names";
/// Places that are promised.
pub(crate) const RESERVATIONS: &str = "fl:{nodes}:reserved";
/// Until when.
pub(crate) const RESERVATIONS_END: &str = "fl:{nodes}:reserved:ends";

/// The keys of one account, in the order in which the scripts take them.
pub(crate) struct AccountKeys {
    tag: String,
}

impl AccountKeys {
    pub(crate) fn of(account: AccountId) -> Self {
        Self { tag: format!("fl:{{{account}}}:") }
    }

    /// What `commit.lua` takes; the first four are what `load.lua` takes.
    pub(crate) fn all(&self) -> [String; 7] {
        ["a", "t", "n", "j", "e", "d", "dj"].map(|last| self.key(last))
    }

    pub(crate) fn account(&self) -> String {
        self.key("a")
    }

    pub(crate) fn tabs(&self) -> String {
        self.key("t")
    }

    pub(crate) fn names(&self) -> String {
        self.key("n")
    }

    pub(crate) fn jobs(&self) -> String {
        self.key("j")
    }

    pub(crate) fn entries(&self) -> String {
        self.key("e")
    }

    pub(crate) fn checkpoint(&self) -> String {
        self.key("c")
    }

    pub(crate) fn due_tabs(&self) -> String {
        self.key("d")
    }

    pub(crate) fn due_jobs(&self) -> String {
        self.key("dj")
    }

    pub(crate) fn barrier(&self) -> String {
        self.key("b")
    }

    pub(crate) fn secrets(&self) -> String {
        self.key("secrets")
    }

    pub(crate) fn sessions(&self) -> String {
        self.key("sessions")
    }

    fn key(&self, last: &str) -> String {
        format!("{}{last}", self.tag)
    }
}

/// The keys of one owner's collection of records.
pub(crate) struct RecordKeys {
    values: String,
}

impl RecordKeys {
    pub(crate) fn of(owner: Owner, collection: &str) -> Self {
        Self { values: format!("{}{collection}", Self::all_of(owner)) }
    }

    /// What the keys of all collections of an owner begin with.
    pub(crate) fn all_of(owner: Owner) -> String {
        format!("fl:{{{owner}}}:r:")
    }

    pub(crate) fn values(&self) -> String {
        self.values.clone()
    }

    pub(crate) fn ids(&self) -> String {
        format!("{}:i", self.values)
    }

    pub(crate) fn due(&self, queue: &str) -> String {
        format!("{}:d:{queue}", self.values)
    }
}

/// The keys of one owner's blobs.
pub(crate) struct BlobKeys {
    tag: String,
}

impl BlobKeys {
    pub(crate) fn of(owner: Owner) -> Self {
        Self { tag: format!("fl:{{{owner}}}:") }
    }

    pub(crate) fn index(&self) -> String {
        format!("{}blobs", self.tag)
    }

    pub(crate) fn blob(&self, id: &str) -> String {
        format!("{}blob:{id}", self.tag)
    }

    pub(crate) fn unfinished(&self, number: Uuid) -> String {
        format!("{}unfinished:{}", self.tag, number.simple())
    }
}

pub(crate) fn node(boot: BootId) -> String {
    format!("{NODES}{boot}")
}

/// Whose key it is, and what follows the owner's tag; `None` for what has no owner.
pub(crate) fn owned(key: &str) -> Option<(Owner, &str)> {
    let (owner, rest) = key.strip_prefix("fl:{")?.split_once("}:")?;
    Some((Owner::parse(owner)?, rest))
}

pub(crate) fn due_lines(collection: &str) -> String {
    format!("fl:due:{{{collection}}}")
}

pub(crate) fn secret(hash: &[u8; 32]) -> String {
    format!("fl:secret:{{{}}}", HEXLOWER.encode(hash))
}

pub(crate) fn session(session: SessionId) -> String {
    format!("fl:session:{{{session}}}")
}

pub(crate) fn live_sessions(node: &str) -> String {
    format!("fl:node:{{{node}}}:live")
}

/// Scopes hold what callers choose, so only their digest becomes part of a key.
pub(crate) fn request(scope: &str) -> String {
    format!("fl:request:{{{}}}", HEXLOWER.encode(&Sha256::digest(scope.as_bytes())))
}

pub(crate) fn progress(boot: BootId) -> String {
    format!("fl:progress:{{{boot}}}")
}
