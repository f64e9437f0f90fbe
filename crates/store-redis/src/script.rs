//! Scripts by their digest: loaded when the server does not know them (any more).

use std::sync::LazyLock;

use footlight_store::StoreError;
use redis::{Cmd, Script as Text, Value};

use crate::failure::{Stage, of_server};
use crate::link::Link;

/// A script of `lua/`.
pub(crate) struct Script {
    source: &'static str,
    digest: String,
}

macro_rules! script {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        $(#[$doc])*
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!(concat!("lua/", $file))));
    };
}

script!(COMMIT, "commit.lua");
script!(LOAD, "load.lua");
script!(TRIM, "trim.lua");
script!(BEGIN_REQUEST, "begin_request.lua");
script!(FINISH_REQUEST, "finish_request.lua");
script!(WRITE_RECORDS, "write_records.lua");
script!(HINT_DUE, "hint_due.lua");
script!(SETTLE_HINT, "settle_hint.lua");
script!(REPLACE, "replace.lua");
script!(BEGIN_BLOB, "begin_blob.lua");
script!(FINISH_BLOB, "finish_blob.lua");
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

    /// Sends calls of this script and returns their replies, a server's error as its meaning. What the server did not know
    /// it did not run, so those calls are sent again after loading the script: once.
    pub(crate) async fn send(
        &self,
        link: &Link,
        calls: Vec<Cmd>,
        stage: Stage,
    ) -> Result<Vec<Result<Value, StoreError>>, StoreError> {
        let mut replies = link.send(calls.clone(), stage).await?;
        let unknown: Vec<usize> = (0..replies.len()).filter(|at| is_no_script(&replies[*at])).collect();
        if !unknown.is_empty() {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(self.source);
            link.ask(load, Stage::Reading).await?;
            let again = unknown.iter().map(|at| calls[*at].clone()).collect();
            for (at, reply) in unknown.into_iter().zip(link.send(again, stage).await?) {
                replies[at] = reply;
            }
        }
        Ok(replies
            .into_iter()
            .map(|reply| match reply {
                Value::ServerError(error) => Err(of_server(error.code(), error.details().unwrap_or_default())),
                reply => Ok(reply),
            })
            .collect())
    }

    /// Runs one call.
    pub(crate) async fn run(&self, link: &Link, call: Cmd, stage: Stage) -> Result<Value, StoreError> {
        self.send(link, vec![call], stage).await?.pop().expect("one reply per call")
    }
}

fn is_no_script(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.code() == "NOSCRIPT")
}
