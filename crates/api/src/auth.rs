//! Who is calling: API secrets on the public listener, the operator's token on the admin one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{self, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest, ResponseError as _};
use footlight_ledger::{AccountId, SecretId};
use footlight_store::{Store, StoreError};
use futures_util::future::{Ready, ready};
use parking_lot::Mutex;
use subtle::ConstantTimeEq as _;

use crate::options::ApiOptions;
use crate::problem::{Code, Problem};
use crate::secret::{self, SecretHash};
use crate::state::ApiState;

/// The header that carries an API secret.
pub(crate) const API_SECRET: &str = "api-secret";

/// Secrets remembered at most. Beyond it all are forgotten at once, which costs one look-up each.
const CACHED_MAX: usize = 100_000;

/// An account, and the secret that it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authenticated {
    pub account: AccountId,
    pub secret: SecretId,
}

/// What was found for a secret, and when. Unknown secrets are remembered as well, so that a client that goes on
/// knocking with a bad one costs the store nothing.
#[derive(Clone, Copy)]
struct Known {
    found: Option<Authenticated>,
    looked_up: Instant,
}

/// Recognises API secrets, with a look into the store every few seconds at most.
pub(crate) struct SecretBook {
    known: Mutex<HashMap<SecretHash, Known>>,
    fresh_for: Duration,
    grace: Duration,
}

impl SecretBook {
    pub(crate) fn new(options: &ApiOptions) -> Self {
        Self {
            known: Mutex::new(HashMap::new()),
            fresh_for: Duration::from_secs(options.secret_cache_s),
            grace: Duration::from_secs(options.secret_grace_s),
        }
    }

    /// Finds out whose secret this is; `None` if nobody's, or revoked.
    ///
    /// While the store cannot be reached, what it last said holds for the grace: nobody can revoke a secret either
    /// then, and running sessions must stay reachable.
    pub(crate) async fn recognise(&self, store: &dyn Store, text: &str) -> Result<Option<Authenticated>, StoreError> {
        if !secret::is_well_formed(text) {
            return Ok(None);
        }
        let hash = secret::hash(text);
        let known = self.known.lock().get(&hash).copied();
        if let Some(known) = known.filter(|known| known.looked_up.elapsed() < self.fresh_for) {
            return Ok(known.found);
        }
        match store.find_secret(&hash).await {
            Ok(record) => {
                let found = record
                    .filter(|record| record.revoked_at.is_none())
                    .map(|record| Authenticated { account: record.account, secret: record.id });
                self.remember(hash, found);
                Ok(found)
            }
            Err(error) if error.is_transport() => match known {
                Some(known) if known.looked_up.elapsed() < self.grace => Ok(known.found),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Forgets a secret, because it was changed here.
    pub(crate) fn forget(&self, hash: &SecretHash) {
        self.known.lock().remove(hash);
    }

    fn remember(&self, hash: SecretHash, found: Option<Authenticated>) {
        let mut known = self.known.lock();
        if known.len() >= CACHED_MAX {
            known.clear();
        }
        known.insert(hash, Known { found, looked_up: Instant::now() });
    }
}

/// Stands before every route that belongs to an account, so that none can forget to ask.
pub(crate) async fn require_secret(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    match recognise_caller(request.request()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(next.call(request).await?.map_into_left_body())
        }
        Err(problem) => Ok(request.into_response(problem.error_response()).map_into_right_body()),
    }
}

/// Stands before every route of the operator.
pub(crate) async fn require_operator(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    match recognise_operator(request.request(), &ApiState::of(request.request()).options) {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(problem) => Ok(request.into_response(problem.error_response()).map_into_right_body()),
    }
}

impl FromRequest for Authenticated {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().copied();
        ready(caller.ok_or_else(|| Problem::new(Code::ApiSecretMissing, "this path asks for an API secret")))
    }
}

async fn recognise_caller(request: &HttpRequest) -> Result<Authenticated, Problem> {
    let Some(sent) = request.headers().get(API_SECRET) else {
        return Err(Problem::new(Code::ApiSecretMissing, "send your API secret in the header `api-secret`"));
    };
    let state = ApiState::of(request);
    // What is not text is not a secret.
    let text = sent.to_str().unwrap_or_default().trim();
    let found = state.secrets.recognise(state.node.store().as_ref(), text).await?;
    found.ok_or_else(|| {
        Problem::new(Code::ApiSecretInvalid, "the API secret is unknown or was revoked; nothing was charged")
    })
}

fn recognise_operator(request: &HttpRequest, options: &ApiOptions) -> Result<(), Problem> {
    let Some(expected) = options.admin_token.as_ref().filter(|token| token.is_set()) else {
        return Err(Problem::new(
            Code::AdminDisabled,
            "this node has no admin token: set FOOTLIGHT_ADMIN_TOKEN and start it again",
        ));
    };
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(sent) = strip_scheme(sent, "bearer") else {
        return Err(Problem::new(Code::AdminTokenMissing, "send the operator's token as `authorization: Bearer ...`"));
    };
    // Hashes are compared, and in constant time, so that neither the length nor a common beginning can be measured.
    let same = secret::hash(sent).ct_eq(&secret::hash(expected.text()));
    if bool::from(same) {
        Ok(())
    } else {
        Err(Problem::new(Code::AdminTokenInvalid, "the token is not the one this node was started with"))
    }
}

fn strip_scheme<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = value.trim().split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
