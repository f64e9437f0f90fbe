//! What goes wrong, as clients see it: RFC 9457 problem details with a stable code.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::limits::Left;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal, $status:ident, $title:literal;)*) => {
        /// The stable names of everything that can go wrong. Programs match on these and never on the prose.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $doc])* $name,)*
        }

        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it stands in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status that it always comes with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// A short summary that never changes with the occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What it means and what to do about it.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*).trim_ascii(),)* }
            }
        }
    };
}

codes! {
    /// Send your API secret in the header `api-secret`.
    ApiSecretMissing = "api_secret_missing", UNAUTHORIZED, "No API secret was sent";
    /// The API secret is unknown or was revoked. Ask the operator for a new one.
    ApiSecretInvalid = "api_secret_invalid", UNAUTHORIZED, "The API secret is not valid";
    /// The token is damaged, forged, of another node's key, or over. Ask for a new one.
    TokenInvalid = "token_invalid", UNAUTHORIZED, "The token is not valid";
    /// The token's time is over. Ask for a new one with your API secret.
    TokenExpired = "token_expired", UNAUTHORIZED, "The token has expired";
    /// The token is good, and this call is not what it was given for.
    TokenNotEnough = "token_not_enough", FORBIDDEN, "The token does not open this";
    /// Send the operator's token as `authorization: Bearer ...`.
    AdminTokenMissing = "admin_token_missing", UNAUTHORIZED, "No admin token was sent";
    /// The token is not the one this node was started with.
    AdminTokenInvalid = "admin_token_invalid", UNAUTHORIZED, "The admin token is not valid";
    /// The operator's token does not have the role that this call asks for; `role` names it.
    RoleMissing = "role_missing", FORBIDDEN, "The token does not have the role";
    /// Too many secrets or tokens that open nothing came from this address. Try again after `retry-after` seconds.
    TooManyFailures = "too_many_failures", TOO_MANY_REQUESTS, "Too many failed guesses";
    /// The account asks more than this node takes in a minute. The `ratelimit` header tells what is left, `retry-after` when
    /// to ask again. Heartbeats are never limited.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests";
    /// This node was started without an admin token. Set FOOTLIGHT_ADMIN_TOKEN and start it again.
    AdminDisabled = "admin_disabled", FORBIDDEN, "The admin API is switched off";
    /// A webhook call is not signed with this node's secret for it, or too long ago. Nothing was done.
    SignatureInvalid = "signature_invalid", BAD_REQUEST, "The signature is not valid";
    /// This listener is for the nodes of one cluster among themselves, and the call carries no good pass of one.
    PassInvalid = "pass_invalid", UNAUTHORIZED, "The call is not of a node of this cluster";
    /// The account is suspended: it can read, and neither start nor speak.
    AccountSuspended = "account_suspended", FORBIDDEN, "The account is suspended";
    /// The account is closed for good.
    AccountClosed = "account_closed", FORBIDDEN, "The account is closed";

    /// Nothing lives at this path. The list is at `/docs`.
    RouteNotFound = "route_not_found", NOT_FOUND, "There is nothing at this path";
    /// The path exists with other methods; the header `allow` names them.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The path does not take this method";
    /// There is no such session, or it belongs to another account.
    UnknownSession = "unknown_session", NOT_FOUND, "No such session";
    /// There is no such account.
    UnknownAccount = "unknown_account", NOT_FOUND, "No such account";
    /// There is no such secret.
    UnknownSecret = "unknown_secret", NOT_FOUND, "No such secret";
    /// There is no such webhook or delivery, or it belongs to another account.
    UnknownWebhook = "unknown_webhook", NOT_FOUND, "No such webhook";
    /// The account has as many webhooks as it may have; `limit` says how many. Remove one first.
    TooManyWebhooks = "too_many_webhooks", CONFLICT, "Too many webhooks";
    /// The webhook failed for days, or said that it is gone, and is not called. Enable it first.
    WebhookDisabled = "webhook_disabled", CONFLICT, "The webhook is disabled";
    /// There is no such job, or it belongs to another account.
    UnknownJob = "unknown_job", NOT_FOUND, "No such job";
    /// The job was given to another worker, or is over. Stop working on it.
    ClaimLost = "claim_lost", CONFLICT, "The claim is lost";
    /// There is nothing by that id.
    UnknownThing = "unknown_thing", NOT_FOUND, "Nothing by that id";
    /// The session is in a state that does not take this; `state` names it.
    WrongState = "wrong_state", CONFLICT, "Not in this state";
    /// The session is over; `end_reason` says why. Create a new one.
    SessionEnded = "session_ended", CONFLICT, "The session is over";

    /// A newer heartbeat of this session came before; `last` is its number. Report under a higher one.
    StaleRequest = "stale_request", CONFLICT, "An older request number";
    /// The session has another owner since; `epoch` is its epoch. This engine must stop.
    Fenced = "fenced", CONFLICT, "Another epoch";
    /// The session's engine is not one of our nodes: it can be read, paused, resumed and stopped here, and nothing else.
    EngineElsewhere = "engine_elsewhere", CONFLICT, "The session is made elsewhere";
    /// A node makes this session and meters it itself: it takes no heartbeats.
    EngineHere = "engine_here", CONFLICT, "The session is made by a node";

    /// The body is not the JSON that this call takes; `errors` points at the place.
    InvalidBody = "invalid_body", BAD_REQUEST, "The body cannot be read";
    /// The query of the URL is not what this call takes.
    InvalidQuery = "invalid_query", BAD_REQUEST, "The query cannot be read";
    /// A value is outside what is possible; `errors` points at the field.
    InvalidField = "invalid_field", UNPROCESSABLE_ENTITY, "A value is not possible";
    /// There is no avatar of that name; `known` lists those there are.
    UnknownAvatar = "unknown_avatar", UNPROCESSABLE_ENTITY, "No such avatar";
    /// The session's avatar has no gesture of that name; `known` lists those it has.
    UnknownGesture = "unknown_gesture", UNPROCESSABLE_ENTITY, "No such gesture";
    /// There is an avatar of that name: remove it first, send `replace=true` if it is yours, or choose another name.
    AvatarTaken = "avatar_taken", CONFLICT, "The avatar's name is taken";
    /// The bundle is damaged, or does not follow the format; the detail names the entry.
    InvalidAvatar = "invalid_avatar", UNPROCESSABLE_ENTITY, "The avatar cannot be used";
    /// The picture is neither PNG nor JPEG.
    PictureUnsupported = "picture_unsupported", UNSUPPORTED_MEDIA_TYPE, "The picture's format is not known";
    /// The account keeps as many of these as it may; `limit` says how many. Remove one first.
    TooManyKept = "too_many_kept", CONFLICT, "Too many are kept";
    /// There is no plan of that name; `known` lists those there are.
    UnknownPlan = "unknown_plan", UNPROCESSABLE_ENTITY, "No such plan";
    /// The body is larger than this node takes. Send long speech in pieces with `mode=append`.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body stopped arriving. Send it again.
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "The body did not arrive in time";
    /// This path speaks WebSocket: send an upgrade request.
    WebsocketExpected = "websocket_expected", UPGRADE_REQUIRED, "This path speaks WebSocket";

    /// The audio is none of WAV, FLAC, MP3, Ogg or raw PCM.
    AudioUnsupported = "audio_unsupported", UNSUPPORTED_MEDIA_TYPE, "The audio's format is not known";
    /// There is no sound in the audio.
    AudioEmpty = "audio_empty", UNPROCESSABLE_ENTITY, "There is no audio";
    /// The audio is damaged or cut off.
    AudioDamaged = "audio_damaged", UNPROCESSABLE_ENTITY, "The audio is damaged";
    /// One utterance may not be this long. Cut it and send the pieces with `mode=append`.
    AudioTooLong = "audio_too_long", UNPROCESSABLE_ENTITY, "The audio is too long";
    /// A session takes only so many WebSockets and event streams at once. Close one first.
    TooManyStreams = "too_many_streams", TOO_MANY_REQUESTS, "Too many clients follow the session";
    /// Enough speech is waiting already. Send more when some of it is spoken.
    AudioQueueFull = "audio_queue_full", TOO_MANY_REQUESTS, "Too much speech is waiting";
    /// Commands to this session come faster than it can obey them. Send them more slowly.
    TooManyCommands = "too_many_commands", TOO_MANY_REQUESTS, "Too many commands wait";

    /// The balance does not pay for one second. Top up; paused sessions resume by themselves.
    CreditsExhausted = "credits_exhausted", PAYMENT_REQUIRED, "The credits are used up";
    /// The account owes credits. Nothing starts until they are repaid.
    Debt = "debt", PAYMENT_REQUIRED, "The account is in debt";
    /// The secret's own spending limit is reached: `limit` and `spent` say how far. Raise it, or use another secret.
    SpendingLimit = "spending_limit", PAYMENT_REQUIRED, "The secret's spending limit is reached";
    /// The account's plan, or having none, does not allow more sessions at once: `limit` says how many.
    TooManySessions = "too_many_sessions", TOO_MANY_REQUESTS, "Too many sessions at once";

    /// An idempotency key is 1 to 255 visible ASCII characters.
    IdempotencyKeyInvalid = "idempotency_key_invalid", BAD_REQUEST, "The idempotency key is not valid";
    /// This key was used before, for another request. Keys are never used twice.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The idempotency key was used for something else";
    /// The first request under this key has not been answered yet. Ask again in a moment.
    IdempotencyInProgress = "idempotency_in_progress", CONFLICT, "The same request is being worked on";

    /// There is no room: `used` of `total` are taken, `available` are left, of `what`. Try again after `retry-after` seconds.
    Capacity = "capacity", SERVICE_UNAVAILABLE, "There is no room";
    /// The session's node does not answer, and the session goes on at another within seconds. Ask again after `retry-after`
    /// seconds, of any node. What was asked may have been done, unless it is said that it was not.
    SessionMoving = "session_moving", SERVICE_UNAVAILABLE, "The session is on its way to another node";
    /// The session could not be moved, and goes on where it is.
    NotMoved = "not_moved", SERVICE_UNAVAILABLE, "The session was not moved";
    /// There is no node of that name.
    UnknownNode = "unknown_node", NOT_FOUND, "No such node";
    /// This node shares its store with no others: it is no cluster.
    StandsAlone = "stands_alone", CONFLICT, "The node stands alone";
    /// The node holds its lease, and only one that is lost can be given up.
    NodeAlive = "node_alive", CONFLICT, "The node is alive";
    /// The node's lease is over: its sessions go on elsewhere.
    NodeLost = "node_lost", CONFLICT, "The node is lost";
    /// The node holds its lease and does not answer the one that was asked. Ask again, or ask it itself.
    NodeUnreachable = "node_unreachable", SERVICE_UNAVAILABLE, "The node does not answer";
    /// The node is being emptied and takes nothing new.
    NodeDraining = "node_draining", SERVICE_UNAVAILABLE, "The node is draining";
    /// The store cannot be reached. Nothing was charged; try again in a moment.
    StoreUnreachable = "store_unreachable", SERVICE_UNAVAILABLE, "The store cannot be reached";
    /// A fault of ours. The log has it under the request id in the header `x-request-id`.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong here";
}

/// The media type of problems.
pub(crate) const PROBLEM_TYPE: &str = "application/problem+json";

/// A place in the request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// JSON pointer into the body, or the name of a query parameter or header.
    #[schema(example = "/fps")]
    pub pointer: String,
    /// What is wrong there.
    #[schema(example = "is 24; choose 20, 25, 30 or 50")]
    pub detail: String,
}

/// The error type of every route: what went wrong, in a form that programs and people can act on.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Its stable name; the status follows from it.
    pub code: Code,
    /// This occurrence, in a sentence.
    pub detail: String,
    /// The places that are wrong, if it is about the request's contents.
    pub errors: Vec<Fault>,
    /// When to try again, in seconds; also sent as `Retry-After`.
    pub retry_after_s: Option<u64>,
    /// What is left of the account's limit, if that is what it is about.
    pub(crate) limit: Option<Left>,
    /// Further members, named in the code's meaning.
    pub members: Vec<(&'static str, Value)>,
}

impl Problem {
    /// A problem of this kind, described.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after_s: None, limit: None, members: Vec::new() }
    }

    /// A fault of ours. What happened goes to the log, not to the client.
    #[must_use]
    pub fn internal(what: impl fmt::Display) -> Self {
        tracing::error!(error = %what, "a request failed by a fault of ours");
        Self::new(Code::Internal, "something went wrong here; the log has it under this answer's x-request-id")
    }

    /// A value that is not possible, and where it stands. `detail` goes on after the name: `must be 1 to 200`.
    #[must_use]
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        let name = pointer.trim_start_matches('/').replace('/', ".");
        let mut problem = Self::new(Code::InvalidField, format!("`{name}` {detail}"));
        problem.errors.push(Fault { pointer, detail });
        problem
    }

    /// Adds a place that is wrong.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(Fault { pointer: pointer.into(), detail: detail.into() });
        self
    }

    /// Says when to try again.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Tells what is left of the account's limit.
    #[must_use]
    pub(crate) const fn limited(mut self, left: Left) -> Self {
        self.limit = Some(left);
        self
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }
}

/// Members in the order of RFC 9457, so that people read the summary first.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("type", &format_args!("/docs#{}", self.code.as_str()))?;
        object.serialize_entry("title", self.code.title())?;
        object.serialize_entry("status", &self.code.status().as_u16())?;
        object.serialize_entry("code", self.code.as_str())?;
        object.serialize_entry("detail", &self.detail)?;
        if !self.errors.is_empty() {
            object.serialize_entry("errors", &self.errors)?;
        }
        if let Some(seconds) = self.retry_after_s {
            object.serialize_entry("retry_after_s", &seconds)?;
        }
        for (name, value) in &self.members {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        response.insert_header((header::CONTENT_TYPE, PROBLEM_TYPE));
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(left) = &self.limit {
            let mut told = header::HeaderMap::new();
            left.tell(&mut told);
            for field in told {
                response.insert_header(field);
            }
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            // A 401 must name a scheme (RFC 9110, 11.6.1); ours is the header itself, which no registry lists.
            let scheme = match self.code {
                Code::AdminTokenMissing | Code::AdminTokenInvalid => "Bearer realm=\"footlight admin\"",
                _ => "ApiSecret realm=\"footlight\"",
            };
            response.insert_header((header::WWW_AUTHENTICATE, scheme));
        }
        response.body(serde_json::to_vec(self).expect("a problem is strings and numbers"))
    }
}

/// The shape of every error, for the OpenAPI document. Written by [`Problem`].
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "a schema, never built")]
pub struct ProblemSchema {
    /// Where the code is explained.
    #[serde(rename = "type")]
    #[schema(example = "/docs#credits_exhausted")]
    r#type: String,
    /// What kind of problem it is; the same for every occurrence.
    #[schema(example = "The credits are used up")]
    title: String,
    /// The HTTP status again.
    #[schema(example = 402)]
    status: u16,
    /// The stable name; match on this.
    #[schema(example = "credits_exhausted")]
    code: String,
    /// This occurrence.
    #[schema(example = "the account has 0.01 credits and needs 0.033334")]
    detail: String,
    /// The places in the request that are wrong.
    errors: Option<Vec<Fault>>,
    /// When to try again.
    retry_after_s: Option<u64>,
}
