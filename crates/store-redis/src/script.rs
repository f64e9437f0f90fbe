//! Scripts by their digest: sent whole when the server does not know them (any more).

use std::sync::LazyLock;

use footlight_store::StoreError;
use redis::{Arg, Cmd, Script as Text, Value};

use crate::failure::{Stage, is_no_script, of_server};
use crate::link::Link;

/// A script of `lua/`: one file, behind those that it builds on.
pub(crate) struct Script {
    source: &'static str,
    digest: String,
}

macro_rules! script {
    ($name:ident, $($file:literal),+) => {
        pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!(concat!("lua/", $file))),+)));
    };
}

script!(COMMIT, "commit.lua");
script!(LOAD, "load.lua");
script!(TRIM, "trim.lua");
script!(BEGIN_REQUEST, "begin_request.lua");
script!(RENEW_REQUEST, "renew_request.lua");
script!(FINISH_REQUEST, "finish_request.lua");
script!(WRITE_RECORDS, "write_records.lua");
script!(HINT_DUE, "hint_due.lua");
script!(SETTLE_HINT, "settle_hint.lua");
script!(REPLACE, "replace.lua");
script!(PUT_SESSION, "put_session.lua");
script!(BEGIN_BLOB, "begin_blob.lua");
script!(FINISH_BLOB, "finish_blob.lua");
script!(RENEW_NODE, "release.lua", "renew_node.lua");
script!(PLACE, "release.lua", "place.lua");
script!(GIVE_BACK, "release.lua", "give_back.lua");
script!(CLAIM_NODE, "claim_node.lua");
script!(BURY_NODE, "bury_node.lua");
script!(LIST_NODES, "list_nodes.lua");
script!(LOAD_ENTRIES, "load_entries.lua");
script!(LOAD_HEAD, "load_head.lua");

impl Script {
    fn new(source: &'static str) -> Self {
        Self { source, digest: Text::new(source).get_hash().to_owned() }
    }

    /// A call with these keys; arguments follow.
    pub(crate) fn call(&self, keys: &[String]) -> Cmd {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.digest).arg(keys.len()).arg(keys);
        call
    }

    /// A call that brings the script along.
    fn whole(&self, call: &Cmd) -> Cmd {
        let mut whole = redis::cmd("EVAL");
        whole.arg(self.source);
        // The first two are EVALSHA and the digest.
        for arg in call.args_iter().skip(2) {
            if let Arg::Simple(bytes) = arg {
                whole.arg(bytes);
            }
        }
        whole
    }

    /// Calls that bring the script along where their server needs it: over one connection the first is enough.
    pub(crate) fn whole_calls<'a>(&self, is_cluster: bool, calls: impl Iterator<Item = &'a Cmd>) -> Vec<Cmd> {
        let brings = |at: usize| at == 0 || is_cluster;
        calls.enumerate().map(|(at, call)| if brings(at) { self.whole(call) } else { call.clone() }).collect()
    }

    /// Sends calls of this script and returns their replies, a server's error as its meaning. What the server did not know
    /// it did not run, so those calls are sent again with the script: once. Each goes where its keys are and nowhere else, so
    /// that a part of a cluster which is away stops nobody but those whose accounts it has.
    pub(crate) async fn send(
        &self,
        link: &Link,
        calls: Vec<Cmd>,
        stage: Stage,
    ) -> Result<Vec<Result<Value, StoreError>>, StoreError> {
        let mut replies = link.send(calls.clone(), stage).await?;
        let unknown: Vec<usize> = (0..replies.len()).filter(|at| is_no_script(&replies[*at])).collect();
        if !unknown.is_empty() {
            let again = self.whole_calls(link.is_cluster(), unknown.iter().map(|at| &calls[*at]));
            for (at, reply) in unknown.into_iter().zip(link.send(again, stage).await?) {
                replies[at] = reply;
            }
        }
        Ok(replies.into_iter().map(told).collect())
    }

    /// Runs one call.
    pub(crate) async fn run(&self, link: &Link, call: Cmd, stage: Stage) -> Result<Value, StoreError> {
        self.send(link, vec![call], stage).await?.pop().expect("one reply per call")
    }
}

/// A reply, a server's error as its meaning.
pub(crate) fn told(reply: Value) -> Result<Value, StoreError> {
    match reply {
        Value::ServerError(error) => Err(of_server(error.code(), error.details().unwrap_or_default())),
        reply => Ok(reply),
    }
}
