//! Who is calling: API secrets and what they were turned into on the public listener, the operator's token on the admin
//! one.
//!
//! What a caller may do is decided by what a route takes: [`Authenticated`] is a whole account, by its secret alone;
//! [`EngineCaller`] an engine elsewhere too; [`ViewerCaller`] somebody who follows one session too. A route that does not
//! think of tokens is closed to them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{self, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest, ResponseError as _, web};
use footlight_actors::Caller;
use footlight_cluster::Pass;
use footlight_ledger::{AccountId, SecretId, SessionId, Surface, Timestamp};
use footlight_store::{Store, StoreError};
use futures_util::future::{Ready, ready};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::admin::log::{self, ActionJson};
use crate::forwarded;
use crate::limits::{self, Left, Payer};
use crate::operator::{Operator, Role, lacks};
use crate::options::{AdminToken, ApiOptions};
use crate::problem::{Code, Problem};
use crate::secret::{self, SecretHash};
use crate::state::ApiState;
use crate::stream::Follower;
use crate::token::{self, Claims, TokenFault, Usage};
use crate::trace::RequestId;

/// The header that carries an API secret.
pub(crate) const API_SECRET: &str = "api-secret";

/// The longest path that the log of operators' actions keeps.
const LOGGED_PATH_MAX: usize = 500;
/// Secrets remembered at most. Beyond it all are forgotten at once, which costs one look-up each.
const CACHED_MAX: usize = 100_000;
/// How often at most the secret behind an open connection is looked at again.
const LOOK_AGAIN_MIN: Duration = Duration::from_secs(1);

/// The query value and the WebSocket subprotocol by which browsers, which cannot set headers there, send a token.
const TOKEN_QUERY: &str = "token";
/// A browser offers `footlight` and `footlight.token.TOKEN` as subprotocols; the first is what is spoken.
pub(crate) const SUBPROTOCOL: &str = "footlight";
const TOKEN_SUBPROTOCOL: &str = "footlight.token.";

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
    /// Secrets behind tokens: whether they were revoked, and when that was looked up.
    revoked: Mutex<HashMap<SecretId, (bool, Instant)>>,
    fresh_for: Duration,
    grace: Duration,
}

impl SecretBook {
    pub(crate) fn new(options: &ApiOptions) -> Self {
        Self {
            known: Mutex::new(HashMap::new()),
            revoked: Mutex::new(HashMap::new()),
            fresh_for: Duration::from_secs(options.secret_cache_s),
            grace: Duration::from_secs(options.secret_grace_s),
        }
    }

    /// Whether this was somebody's secret when it was last looked up, however long ago.
    fn was_good(&self, text: &str) -> bool {
        self.known.lock().get(&secret::hash(text)).is_some_and(|known| known.found.is_some())
    }

    /// Finds out whose secret this is; `None` if nobody's, or revoked.
    ///
    /// While the store cannot be reached, what it last said holds for the grace: nobody can revoke a secret either
    /// then, and running sessions must stay reachable.
    pub(crate) async fn recognise(
        &self,
        store: &dyn Store,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<Authenticated>, StoreError> {
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
                    .filter(|record| !record.is_revoked(now))
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

    /// Whether the secret that a token was made from was revoked since. Known for as long as a secret is.
    ///
    /// While the store cannot be reached, what it last said holds for the grace, as for secrets; of a secret never looked
    /// up, nothing is known against it.
    async fn is_revoked(
        &self,
        store: &dyn Store,
        account: AccountId,
        secret: SecretId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let known = self.revoked.lock().get(&secret).copied();
        if let Some((is_revoked, looked_up)) = known
            && looked_up.elapsed() < self.fresh_for
        {
            return Ok(is_revoked);
        }
        match store.list_secrets(account).await {
            Ok(secrets) => {
                let found = secrets.iter().find(|record| record.id == secret);
                let is_revoked = found.is_none_or(|record| record.is_revoked(now));
                let mut revoked = self.revoked.lock();
                if revoked.len() >= CACHED_MAX {
                    revoked.clear();
                }
                revoked.insert(secret, (is_revoked, Instant::now()));
                Ok(is_revoked)
            }
            // The token itself is proof that the secret was good a few minutes ago.
            Err(error) if error.is_transport() => Ok(known.is_some_and(|(is_revoked, _)| is_revoked)),
            Err(error) => Err(error),
        }
    }

    /// Forgets a secret, because it was changed here.
    pub(crate) fn forget(&self, hash: &SecretHash, secret: SecretId) {
        self.known.lock().remove(hash);
        self.revoked.lock().remove(&secret);
    }

    fn remember(&self, hash: SecretHash, found: Option<Authenticated>) {
        let mut known = self.known.lock();
        if known.len() >= CACHED_MAX {
            known.clear();
        }
        known.insert(hash, Known { found, looked_up: Instant::now() });
    }
}

/// Returns once the secret behind a connection that stays open was revoked; never for operators.
pub(crate) async fn until_revoked(state: web::Data<ApiState>, who: Caller) {
    let Caller::Account { account, secret: Some(secret) } = who else { return std::future::pending().await };
    if state.options.unmetered.is_some() {
        // Nobody showed a secret.
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(state.secrets.fresh_for.max(LOOK_AGAIN_MIN)).await;
        // Whether it is good while the store is away the calls decide; here nothing ends for that.
        if let Ok(true) = state.secrets.is_revoked(&**state.node.store(), account, secret, state.node.now()).await {
            return;
        }
    }
}

/// What a caller showed, found good.
#[derive(Debug, Clone)]
enum Credential {
    /// An API secret: the whole account.
    Secret(Authenticated),
    /// A token that was made from one.
    Token {
        claims: Claims,
        /// Whether the secret behind it is no more.
        is_revoked: bool,
    },
}

/// Stands before every route that belongs to an account, so that none can forget to ask.
pub(crate) async fn require_credential(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let admitted = match recognise_caller(request.request()).await {
        Ok(credential) => check_path(request.request())
            .and_then(|()| charge_manners(request.request(), &credential))
            .map(|left| (credential, left)),
        Err(problem) => Err(problem),
    };
    match admitted {
        Ok((credential, left)) => {
            request.extensions_mut().insert(credential);
            let mut response = next.call(request).await?;
            if let Some(left) = left {
                left.tell(response.headers_mut());
            }
            Ok(response.map_into_left_body())
        }
        Err(problem) => Ok(request.into_response(problem.error_response()).map_into_right_body()),
    }
}

/// Passes a path without escapes. No name of ours needs one, and a path that routes read otherwise than roles, limits and
/// idempotency keys do would open what they close.
fn check_path(request: &HttpRequest) -> Result<(), Problem> {
    if request.path().contains('%') {
        return Err(Problem::new(
            Code::RouteNotFound,
            "there is nothing at a path with escapes; /docs lists what there is",
        ));
    }
    Ok(())
}

/// Takes what the call costs from the account's limit; answers what is left, where there is a limit.
fn charge_manners(request: &HttpRequest, credential: &Credential) -> Result<Option<Left>, Problem> {
    let payer = match credential {
        Credential::Secret(caller) => Payer::Account(caller.account),
        Credential::Token { claims, .. } => match claims.usage {
            // What strangers may do with a page's token must be neither the account's loss nor its engine's.
            Usage::Viewer { session, .. } => Payer::Viewers(session),
            Usage::Engine { session: Some(session), .. } => Payer::Session(session),
            Usage::Engine { session: None, .. } => Payer::Account(claims.account),
        },
    };
    let cost = limits::cost_of(request.method(), request.path());
    match ApiState::of(request).limits.take(payer, cost) {
        None => Ok(None),
        Some(Ok(left)) => Ok(Some(left)),
        Some(Err(too_much)) => {
            let wait = seconds(too_much.retry_after);
            let detail = format!("{} more than this node takes in a minute; ask again in {wait} s", payer.asks());
            Err(Problem::new(Code::RateLimited, detail).retry_after(wait).limited(too_much.left))
        }
    }
}

/// Whole seconds, the begun one counted.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Refuses further guesses from an address that has guessed too often.
fn check_guesses(request: &HttpRequest) -> Result<(), Problem> {
    let Some(wait) = ApiState::of(request).limits.guesses_again_after(client_address(request)) else { return Ok(()) };
    let detail = "too many secrets and tokens that open nothing came from this address; check yours, and wait";
    Err(Problem::new(Code::TooManyFailures, detail).retry_after(seconds(wait)))
}

/// Notes a guess that failed.
fn note_failure(request: &HttpRequest, problem: Problem) -> Problem {
    let is_guess = matches!(problem.code, Code::ApiSecretInvalid | Code::TokenInvalid | Code::AdminTokenInvalid);
    if is_guess {
        ApiState::of(request).limits.failed(client_address(request));
    }
    problem
}

/// From where a call first came: for one that another node passes on, that node says it, and for one through a proxy that
/// is trusted, the proxy.
pub(crate) fn client_address(request: &HttpRequest) -> Option<IpAddr> {
    match request.extensions().get::<Pass>() {
        Some(pass) => pass.client,
        None => {
            let peer = request.peer_addr()?.ip();
            Some(forwarded::caller_behind(peer, request.headers(), &ApiState::of(request).options.trusted_proxies))
        }
    }
}

/// Stands before every route of the operator.
pub(crate) async fn require_operator(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let state = ApiState::of(request.request()).clone();
    let operator = match recognise_operator(request.request()).and_then(|it| check_path(request.request()).map(|()| it))
    {
        Ok(operator) => operator,
        Err(problem) => return Ok(request.into_response(problem.error_response()).map_into_right_body()),
    };
    request.extensions_mut().insert(operator.clone());
    if !log::is_logged(request.method()) || Role::needed_for(request.method(), request.path()) == Role::Work {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let action = ActionJson {
        id: Uuid::now_v7().to_string(),
        at: state.node.now().into(),
        operator: operator.name,
        address: client_address(request.request()).map(|address| address.to_string()),
        method: request.method().to_string(),
        path: request.path().chars().take(LOGGED_PATH_MAX).collect(),
        status: None,
        request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()),
    };
    if let Err(problem) = log::begin(&state, &action).await {
        return Ok(request.into_response(problem.error_response()).map_into_right_body());
    }
    let response = next.call(request).await?;
    log::end(&state, action, response.status()).await;
    Ok(response.map_into_left_body())
}

impl FromRequest for Authenticated {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(match credential(request) {
            Ok(Credential::Secret(caller)) => Ok(caller),
            Ok(Credential::Token { .. }) => Err(not_enough("this call takes the account's API secret, not a token")),
            Err(problem) => Err(problem),
        })
    }
}

/// An account, or an engine elsewhere that acts for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineCaller {
    pub account: AccountId,
    pub secret: SecretId,
    /// Where the engine runs, if it came with a token.
    pub surface: Option<Surface>,
    /// The one session that its token is for, if it is bound.
    pub session: Option<SessionId>,
    /// Whether the secret behind its token was revoked: it may report what it used, and nothing else.
    pub is_revoked: bool,
}

impl EngineCaller {
    /// Who that is for the node.
    pub(crate) const fn caller(&self) -> Caller {
        Caller::Account { account: self.account, secret: Some(self.secret) }
    }

    /// Passes if this caller may act for `session`.
    ///
    /// # Errors
    /// As if there were no such session.
    pub(crate) fn check_session(&self, session: SessionId) -> Result<(), Problem> {
        // A token that is bound to none begins sessions, and knows of none.
        let is_for_it = self.surface.is_none() || self.session == Some(session);
        if is_for_it { Ok(()) } else { Err(unknown_session()) }
    }

    /// Passes unless the secret behind the token was revoked.
    ///
    /// # Errors
    /// As for the secret itself.
    pub(crate) fn check_not_revoked(&self) -> Result<(), Problem> {
        if self.is_revoked { Err(invalid_secret()) } else { Ok(()) }
    }
}

impl FromRequest for EngineCaller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(match credential(request) {
            Ok(Credential::Secret(Authenticated { account, secret })) => {
                Ok(Self { account, secret, surface: None, session: None, is_revoked: false })
            }
            Ok(Credential::Token { claims, is_revoked }) => match claims.usage {
                Usage::Engine { surface, session } => Ok(Self {
                    account: claims.account,
                    secret: claims.secret,
                    surface: Some(surface),
                    session,
                    is_revoked,
                }),
                Usage::Viewer { .. } => Err(not_enough("a client token follows its session, and does nothing else")),
            },
            Err(problem) => Err(problem),
        })
    }
}

/// Whoever may follow one session: its account, its engine, or a browser with a client token.
#[derive(Debug, Clone)]
pub(crate) struct ViewerCaller {
    who: Caller,
    session: Option<SessionId>,
    /// Whether it may pause, resume and stop the session, too.
    pub may_control: bool,
    /// The origin that a browser's token is bound to.
    pub origin: Option<String>,
}

impl ViewerCaller {
    /// Who that is for the node, as far as `session` is concerned.
    ///
    /// # Errors
    /// As if there were no such session, when the token is for another.
    pub(crate) fn for_session(&self, session: SessionId) -> Result<Caller, Problem> {
        match self.session {
            Some(bound) if bound != session => Err(unknown_session()),
            _ => Ok(self.who),
        }
    }

    /// Which places it may take among those who follow.
    pub(crate) const fn follower(&self) -> Follower {
        // The token of a page, which whoever comes there may read.
        if self.may_control { Follower::Own } else { Follower::Viewer }
    }
}

impl FromRequest for ViewerCaller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(match credential(request) {
            Ok(Credential::Secret(caller)) => {
                Ok(Self { who: caller.into(), session: None, may_control: true, origin: None })
            }
            Ok(Credential::Token { is_revoked: true, .. }) => Err(invalid_secret()),
            Ok(Credential::Token { claims, .. }) => {
                let who = Caller::Account { account: claims.account, secret: Some(claims.secret) };
                match claims.usage {
                    Usage::Viewer { session, origin } => match check_origin(request, origin.as_deref()) {
                        Ok(()) => Ok(Self { who, session: Some(session), may_control: false, origin }),
                        Err(problem) => Err(problem),
                    },
                    Usage::Engine { session: Some(session), .. } => {
                        Ok(Self { who, session: Some(session), may_control: true, origin: None })
                    }
                    Usage::Engine { session: None, .. } => {
                        Err(not_enough("a runtime token follows a session once it is bound to it"))
                    }
                }
            }
            Err(problem) => Err(problem),
        })
    }
}

/// A browser says where its page came from; a token may be bound to that.
fn check_origin(request: &HttpRequest, origin: Option<&str>) -> Result<(), Problem> {
    let Some(origin) = origin else { return Ok(()) };
    let sent = request.headers().get(header::ORIGIN).and_then(|value| value.to_str().ok());
    // Of a page of our own origin a browser does not say so where it only reads; a page of another cannot hide it.
    let is_same_origin = sent.is_none() && !request.headers().contains_key(header::UPGRADE);
    if is_same_origin || sent == Some(origin) {
        Ok(())
    } else {
        Err(not_enough("the token is for pages of another origin"))
    }
}

fn credential(request: &HttpRequest) -> Result<Credential, Problem> {
    request.extensions().get::<Credential>().cloned().ok_or_else(no_secret)
}

/// The account behind a call, where it showed something that was found good.
pub(crate) fn account_of(request: &HttpRequest) -> Option<AccountId> {
    request.extensions().get::<Credential>().map(|credential| match credential {
        Credential::Secret(caller) => caller.account,
        Credential::Token { claims, .. } => claims.account,
    })
}

fn no_secret() -> Problem {
    Problem::new(Code::ApiSecretMissing, "send your API secret in the header `api-secret`")
}

fn invalid_secret() -> Problem {
    Problem::new(Code::ApiSecretInvalid, "the API secret is unknown or was revoked; nothing was charged")
}

fn not_enough(why: &str) -> Problem {
    Problem::new(Code::TokenNotEnough, why)
}

fn unknown_session() -> Problem {
    Problem::new(Code::UnknownSession, "there is no such session")
}

async fn recognise_caller(request: &HttpRequest) -> Result<Credential, Problem> {
    let state = ApiState::of(request);
    if let Some(account) = state.options.unmetered {
        return Ok(Credential::Secret(Authenticated { account, secret: SecretId(Uuid::nil()) }));
    }
    let store = state.node.store().as_ref();
    if let Some(sent) = request.headers().get(API_SECRET) {
        // What is not text is not a secret.
        let text = sent.to_str().unwrap_or_default().trim();
        // Whoever was known may ask though others behind the same address guess.
        if !state.secrets.was_good(text) {
            check_guesses(request)?;
        }
        let found = state.secrets.recognise(store, text, state.node.now()).await?;
        return found.map(Credential::Secret).ok_or_else(|| note_failure(request, invalid_secret()));
    }
    let text = sent_token(request).ok_or_else(no_secret)?;
    let read = token::read(&state.options.token_key, &text, state.node.now());
    if read == Err(TokenFault::Invalid) {
        check_guesses(request)?;
    }
    let claims = read.map_err(|fault| match fault {
        TokenFault::Invalid => {
            let detail = if secret::is_well_formed(&text) {
                "an API secret is sent in the header `api-secret`; `authorization: Bearer` is for tokens"
            } else {
                "the token is not one of this system's, or is damaged"
            };
            note_failure(request, Problem::new(Code::TokenInvalid, detail))
        }
        TokenFault::Expired => Problem::new(Code::TokenExpired, "the token has expired; ask for a new one"),
    })?;
    let is_revoked = state.secrets.is_revoked(store, claims.account, claims.secret, state.node.now()).await?;
    Ok(Credential::Token { claims, is_revoked })
}

/// The token that a request carries: in its header, or where a browser can put one.
fn sent_token(request: &HttpRequest) -> Option<String> {
    bearer(request.headers())
        .map(str::to_owned)
        .or_else(|| {
            let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
            let offered = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
            offered.map(str::trim).find_map(|offer| offer.strip_prefix(TOKEN_SUBPROTOCOL)).map(str::to_owned)
        })
        .or_else(|| {
            // Tokens are letters, digits, dots, dashes and underscores: nothing of them is escaped.
            let pairs = request.query_string().split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(name, _)| *name == TOKEN_QUERY).map(|(_, value)| value.to_owned()).next()
        })
}

/// Whether a client speaks our subprotocol: one that offered any closes unless one of them is chosen.
pub(crate) fn offers_subprotocol(request: &HttpRequest) -> bool {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let mut offered = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    offered.any(|offer| offer.trim() == SUBPROTOCOL)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    strip_scheme(headers.get(header::AUTHORIZATION)?.to_str().ok()?, "bearer")
}

/// Finds out which operator this is, and whether that one may do this.
fn recognise_operator(request: &HttpRequest) -> Result<Operator, Problem> {
    let options = &ApiState::of(request).options;
    let is_set = options.admin_token.iter().chain(options.operators.iter().map(|it| &it.token)).any(AdminToken::is_set);
    if !is_set {
        return Err(Problem::new(
            Code::AdminDisabled,
            "this node has no admin token: set FOOTLIGHT_ADMIN_TOKEN and start it again",
        ));
    }
    let Some(sent) = bearer(request.headers()) else {
        return Err(Problem::new(Code::AdminTokenMissing, "send the operator's token as `authorization: Bearer ...`"));
    };
    let Some(operator) = Operator::of_token(options, sent) else {
        check_guesses(request)?;
        let detail = "the token is not one that this node was started with";
        return Err(note_failure(request, Problem::new(Code::AdminTokenInvalid, detail)));
    };
    let role = Role::needed_for(request.method(), request.path());
    if operator.may(role) { Ok(operator) } else { Err(lacks(role, &operator.name)) }
}

fn strip_scheme<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = value.trim().split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
