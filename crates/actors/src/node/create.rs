//! Creating a session: check, admit, prepare, open, start.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use footlight_avatar::bundle::{AvatarChoice, DEFAULT_AVATAR};
use footlight_ledger::{AccountId, Counting, Microcredits, Pricing, Product, Refusal, SecretId, SessionId};
use footlight_session::{SessionRecord, SessionState};
use footlight_stage::PerformanceSpec;
use footlight_stage::spec::FRAME_RATES;
use footlight_store::SessionPut;
use uuid::Uuid;

use super::Node;
use super::launch::Launch;
use super::opening::FIRST_EPOCH;
use crate::metrics::REFUSALS;
use crate::{Caller, CreateSession, NodeError};

/// Frame rates that an engine elsewhere may count by.
const ENGINE_FRAME_RATES: RangeInclusive<u32> = 1..=240;
const AVATAR_BYTES_MAX: usize = 128;
const METADATA_KEYS_MAX: usize = 16;
const METADATA_KEY_BYTES_MAX: usize = 64;
const METADATA_VALUE_BYTES_MAX: usize = 512;

/// What was asked for, checked and completed.
pub(super) struct Order {
    spec: PerformanceSpec,
    product: Product,
    pricing: Pricing,
    idle_timeout_s: u32,
    max_duration_s: u32,
    request: CreateSession,
}

impl Node {
    /// Creates a session. It is `starting` when this returns, and can be spoken to and attached to at once.
    ///
    /// # Errors
    /// [`NodeError::InvalidField`] and [`NodeError::UnknownAvatar`] say what to change; [`NodeError::Capacity`],
    /// [`NodeError::Draining`], [`NodeError::TooManySessions`], [`NodeError::CreditsExhausted`], [`NodeError::InDebt`],
    /// [`NodeError::Suspended`] why not now; [`NodeError::StoreUnreachable`] that nothing is known.
    pub async fn create_session(&self, who: Caller, create: CreateSession) -> Result<SessionRecord, NodeError> {
        self.create_session_as(who, SessionId(Uuid::now_v7()), create).await
    }

    /// As [`Self::create_session`], under an id that somebody else has drawn, who can look it up when the answer is lost.
    ///
    /// # Errors
    /// As there.
    pub async fn create_session_as(
        &self,
        who: Caller,
        id: SessionId,
        create: CreateSession,
    ) -> Result<SessionRecord, NodeError> {
        let created = self.try_create(who, id, create).await;
        match &created {
            Ok(_) => self.inner.metrics.creates.inc(),
            Err(error) => self.inner.metrics.refusals.with_label_values(&[refusal_word(error)]).inc(),
        }
        created
    }

    /// What a session like this takes of the speaking slots, in thousandths of a 512x512 stream at 25 frames a second.
    ///
    /// # Errors
    /// [`NodeError::InvalidField`] says what to change.
    pub fn weight_of(&self, create: &CreateSession) -> Result<u64, NodeError> {
        Ok(self.check(SessionId(Uuid::nil()), AccountId(Uuid::nil()), create.clone())?.spec.weight_milli())
    }

    async fn try_create(&self, who: Caller, id: SessionId, create: CreateSession) -> Result<SessionRecord, NodeError> {
        let Caller::Account { account, secret } = who else {
            return Err(invalid("account", "is missing; sessions are created with an account's secret"));
        };
        if !self.tenure().holds_now() {
            // Its lease is over: an heir of what it had would not find this one.
            return Err(NodeError::Draining);
        }
        let mut order = self.check(id, account, create)?;
        if order.product.is_remote() {
            return self.create_engine_session(id, account, secret, &order).await;
        }
        let inner = &self.inner;
        let own = self.has_avatar(account, &order).await?;
        let seat = inner.supervisor.admit(order.spec.weight_milli()).await?;
        let mut opening = self.foresee(self.first_record(id, account, secret, &order)).await?;
        if own {
            order.spec.avatar = self.open_avatar(account, &order).await?;
        }
        self.prepare(&order.spec).await?;
        self.open(&mut opening).await?;
        let record = opening.stays();
        let max_duration = Duration::from_secs(u64::from(order.max_duration_s));
        let launch = Launch { record: record.clone(), spec: order.spec, seat, max_duration, former: None };
        self.launch(launch).await?;
        Ok(record)
    }

    /// Whether the avatar that was asked for is one of the account's own, or else one that all may show.
    async fn has_avatar(&self, account: AccountId, order: &Order) -> Result<bool, NodeError> {
        let Some(name) = &order.request.avatar else { return Ok(false) };
        let wardrobe = &self.inner.parts.wardrobe;
        if wardrobe.get(account, name).await?.is_some() {
            return Ok(true);
        }
        if wardrobe.shared().has(name) {
            return Ok(false);
        }
        let own = wardrobe.list(account).await?;
        let mut known: Vec<String> = wardrobe.shared().names().map(str::to_owned).collect();
        known.extend(own.into_iter().map(|kept| kept.name));
        known.sort_unstable();
        known.dedup();
        Err(NodeError::UnknownAvatar { name: name.clone(), known })
    }

    /// The account's own avatar, with its bundle: megabytes, so it is read after who cannot pay was refused.
    async fn open_avatar(&self, account: AccountId, order: &Order) -> Result<AvatarChoice, NodeError> {
        let name = order.spec.avatar.name();
        match self.inner.parts.wardrobe.open(account, name).await? {
            Some(own) => Ok(AvatarChoice::Own(own)),
            // Removed in this moment.
            None => Err(NodeError::UnknownAvatar { name: name.to_owned(), known: Vec::new() }),
        }
    }

    fn check(&self, id: SessionId, account: AccountId, request: CreateSession) -> Result<Order, NodeError> {
        let options = &self.inner.parts.options;
        let product = request.product.unwrap_or(Product::EssenceCloud);
        if !product.is_remote() && product != Product::EssenceCloud {
            return Err(invalid("product", "is not made by this node; it makes `essence_cloud`"));
        }
        let tariff = self.inner.parts.rate_card.0.get(&product).copied();
        let tariff = tariff.ok_or_else(|| invalid("product", "has no price in the rate card"))?;
        let fps = request.fps.unwrap_or(25);
        if product.is_remote() && !ENGINE_FRAME_RATES.contains(&fps) {
            let (low, high) = (ENGINE_FRAME_RATES.start(), ENGINE_FRAME_RATES.end());
            return Err(invalid("fps", format!("is {fps}; it must be between {low} and {high}")));
        }
        if !product.is_remote() && !FRAME_RATES.contains(&fps) {
            return Err(invalid("fps", format!("is {fps}; choose 20, 25, 30 or 50")));
        }
        let (width, height) = (request.width.unwrap_or(512), request.height.unwrap_or(512));
        let spec = PerformanceSpec {
            session: id,
            account,
            avatar: request.avatar.as_deref().unwrap_or(DEFAULT_AVATAR).into(),
            fps,
            width,
            height,
            background: request.background.as_deref().map(parse_colour).transpose()?,
            when_unwatched: request.when_unwatched.unwrap_or_default(),
        };
        // The frame rates of engines elsewhere are their own affair, their avatars too.
        let checked = if product.is_remote() { PerformanceSpec { fps: 25, ..spec.clone() } } else { spec.clone() };
        checked.check().map_err(|error| {
            let side_fits = |side: u32| (64..=1920).contains(&side) && side.is_multiple_of(2);
            let field = if side_fits(width) { "height" } else { "width" };
            invalid(field, format!("cannot be used: {error}"))
        })?;
        let bytes = spec.avatar.name().len();
        if bytes > AVATAR_BYTES_MAX {
            return Err(invalid("avatar", format!("has {bytes} bytes; at most {AVATAR_BYTES_MAX} fit")));
        }
        let idle_timeout_s =
            seconds("idle_timeout_s", request.idle_timeout_s, options.idle_timeout, options.max_idle_timeout)?;
        let max_duration_s =
            seconds("max_duration_s", request.max_duration_s, options.max_duration, options.max_max_duration)?;
        check_metadata(&request)?;
        if !product.is_remote() && tariff.counting == Counting::Connected {
            return Err(invalid("product", "is priced by time, which this node does not meter"));
        }
        let pricing = tariff.pricing(NonZeroU32::new(fps).unwrap_or(NonZeroU32::MIN));
        Ok(Order { spec, product, pricing, idle_timeout_s, max_duration_s, request })
    }

    /// Loads the avatar and what sessions of this size share, on a thread that may block: the first time it takes a
    /// while, and only a few are at it at once, because those who speak need the cores.
    pub(super) async fn prepare(&self, spec: &PerformanceSpec) -> Result<(), NodeError> {
        let closed = |_| NodeError::Internal { detail: "the node has stopped".to_owned() };
        let turn = Arc::clone(&self.inner.preparing).acquire_owned().await.map_err(closed)?;
        let (stage, spec) = (Arc::clone(&self.inner.parts.stage), spec.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            // Held here: the work goes on when nobody waits for it any more.
            let _turn = turn;
            stage.prepare(&spec)
        })
        .await;
        prepared.map_err(|error| NodeError::Internal { detail: format!("preparing the avatar failed: {error}") })??;
        Ok(())
    }

    /// Writes a record that must be there before anything follows.
    pub(super) async fn put_record(&self, record: &SessionRecord) -> Result<(), NodeError> {
        match self.inner.parts.store.put_session(record.clone()).await {
            Ok(SessionPut::Written) => Ok(()),
            Ok(SessionPut::Fenced) => {
                self.inner.metrics.fenced("record");
                Err(NodeError::Moving)
            }
            Err(error) => {
                self.inner.metrics.store_failed(&error);
                Err(error.into())
            }
        }
    }

    pub(super) fn first_record(
        &self,
        id: SessionId,
        account: AccountId,
        secret: Option<SecretId>,
        order: &Order,
    ) -> SessionRecord {
        SessionRecord {
            id,
            account,
            secret,
            state: SessionState::Starting,
            pause_reasons: Default::default(),
            end_reason: None,
            product: order.product,
            pricing: order.pricing,
            avatar: order.spec.avatar.name().to_owned(),
            fps: order.spec.fps,
            width: order.spec.width,
            height: order.spec.height,
            background: order.request.background.clone(),
            when_unwatched: order.spec.when_unwatched,
            idle_timeout_s: order.idle_timeout_s,
            max_duration_s: order.max_duration_s,
            units: 0,
            stalls: 0,
            credits_used: Microcredits::ZERO,
            epoch: FIRST_EPOCH,
            node: self.inner.parts.options.name.clone(),
            boot: self.inner.boot,
            created_at: self.now(),
            ended_at: None,
            metadata: order.request.metadata.clone(),
            labels: order.request.labels.clone(),
        }
    }
}

fn invalid(field: &'static str, detail: impl Into<String>) -> NodeError {
    NodeError::InvalidField { field, detail: detail.into() }
}

fn seconds(field: &'static str, asked: Option<u32>, default: Duration, most: Duration) -> Result<u32, NodeError> {
    let most = u32::try_from(most.as_secs()).unwrap_or(u32::MAX);
    match asked {
        None => Ok(u32::try_from(default.as_secs()).unwrap_or(u32::MAX)),
        Some(asked) if (1..=most).contains(&asked) => Ok(asked),
        Some(asked) => Err(invalid(field, format!("is {asked}; it must be between 1 and {most}"))),
    }
}

pub(super) fn parse_colour(text: &str) -> Result<[u8; 3], NodeError> {
    let wrong = || {
        invalid(
            "background",
            format!("is `{}`; write a colour like #1e90ff", text.chars().take(32).collect::<String>()),
        )
    };
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii()).ok_or_else(wrong)?;
    let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong());
    Ok([channel(0)?, channel(2)?, channel(4)?])
}

fn check_metadata(request: &CreateSession) -> Result<(), NodeError> {
    let metadata = &request.metadata;
    if metadata.len() > METADATA_KEYS_MAX {
        return Err(invalid("metadata", format!("has {} keys; at most {METADATA_KEYS_MAX} are kept", metadata.len())));
    }
    for (key, value) in metadata {
        if key.is_empty() || key.len() > METADATA_KEY_BYTES_MAX {
            return Err(invalid(
                "metadata",
                format!("has a key of {} bytes; 1 to {METADATA_KEY_BYTES_MAX} fit", key.len()),
            ));
        }
        if value.len() > METADATA_VALUE_BYTES_MAX {
            let detail =
                format!("has a value of {} bytes under `{key}`; at most {METADATA_VALUE_BYTES_MAX} fit", value.len());
            return Err(invalid("metadata", detail));
        }
    }
    Ok(())
}

/// The label of a refused create; one of [`REFUSALS`].
fn refusal_word(error: &NodeError) -> &'static str {
    let word = match error {
        NodeError::Capacity { .. } => "capacity",
        NodeError::TooManySessions { .. } => "too_many_sessions",
        NodeError::CreditsExhausted { .. } => "credits_exhausted",
        NodeError::InDebt { .. } => "in_debt",
        NodeError::Refused(Refusal::OverSpendingLimit { .. }) => "spending_limit",
        NodeError::Suspended | NodeError::Closed => "suspended",
        NodeError::UnknownAvatar { .. } | NodeError::InvalidField { .. } => "invalid",
        NodeError::StoreUnreachable(_) => "store_unreachable",
        NodeError::Draining => "draining",
        NodeError::NotFound { .. }
        | NodeError::MadeElsewhere
        | NodeError::MadeHere
        | NodeError::Ended { .. }
        | NodeError::Moving
        | NodeError::UnknownGesture { .. }
        | NodeError::AudioQueueFull { .. }
        | NodeError::WrongState { .. }
        | NodeError::NameTaken
        | NodeError::Refused(_)
        | NodeError::Store(_)
        | NodeError::Stage(_)
        | NodeError::Internal { .. } => "internal",
    };
    debug_assert!(REFUSALS.contains(&word));
    word
}
