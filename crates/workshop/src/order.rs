//! What jobs of the kinds `agent` and `dynamics` ask for, as their input says it.

use std::str::FromStr as _;

use footlight_jobs::JobKind;
use footlight_ledger::AccountId;
use footlight_store::StoreError;
use footlight_wardrobe::{PictureId, WardrobeError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Workshop;
use crate::portrait::FaceLandmarks;

/// The licence of a picture of which nothing is said: its owner's own affair.
const LICENCE: &str = "LicenseRef-Proprietary";
const NAME_CHARS_MAX: usize = 40;
const TITLE_CHARS_MAX: usize = 80;

/// An avatar from a portrait.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentOrder {
    /// The avatar's name: 1 to 40 lower-case letters, digits or hyphens.
    pub name: String,
    /// Its name for people; the name, unless given.
    pub title: Option<String>,
    /// The licence of the picture, as an SPDX expression.
    pub licence: Option<String>,
    /// The uploaded portrait: `pic_…`.
    pub picture: String,
    /// Where the features of the face lie in it.
    pub landmarks: FaceLandmarks,
    /// Whether it may take the place of an avatar of the same name.
    #[serde(default)]
    pub replace: bool,
}

/// Gestures for an avatar.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicsOrder {
    /// The avatar to begin with: one's own, or one that all may show.
    pub avatar: String,
    /// What to call the result. Unless given, one's own avatar is replaced; one that all may show needs a new name.
    pub name: Option<String>,
}

/// What is wrong with an order, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFault {
    /// JSON pointer into the input.
    pub pointer: String,
    /// What is wrong there; goes on after the name of the field.
    pub detail: String,
}

impl OrderFault {
    fn at(pointer: &str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), detail: detail.into() }
    }
}

impl std::fmt::Display for OrderFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pointer.trim_start_matches('/') {
            "" => write!(f, "the input {}", self.detail),
            field => write!(f, "`{field}` {}", self.detail),
        }
    }
}

impl AgentOrder {
    /// Reads an input.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(input: &str) -> Result<Self, OrderFault> {
        let order: Self = read(input)?;
        check_name("/name", &order.name)?;
        for (pointer, text) in [("/title", &order.title), ("/licence", &order.licence)] {
            let fits = |text: &String| text.chars().count() <= TITLE_CHARS_MAX && !text.chars().any(char::is_control);
            if text.as_ref().is_some_and(|text| !fits(text)) {
                return Err(OrderFault::at(pointer, "must be at most 80 characters without control characters"));
            }
        }
        order.picture_id()?;
        Ok(order)
    }

    /// The picture's id.
    ///
    /// # Errors
    /// When it is none.
    pub fn picture_id(&self) -> Result<PictureId, OrderFault> {
        PictureId::from_str(&self.picture).map_err(|detail| OrderFault::at("/picture", detail))
    }

    /// The name for people.
    #[must_use]
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// The licence of the picture.
    #[must_use]
    pub fn licence(&self) -> &str {
        self.licence.as_deref().unwrap_or(LICENCE)
    }
}

impl DynamicsOrder {
    /// Reads an input.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(input: &str) -> Result<Self, OrderFault> {
        let order: Self = read(input)?;
        check_name("/avatar", &order.avatar)?;
        order.name.as_deref().map_or(Ok(()), |name| check_name("/name", name))?;
        Ok(order)
    }

    /// Whether the result takes the place of the avatar.
    #[must_use]
    pub fn replaces_itself(&self) -> bool {
        self.result_name() == self.avatar
    }

    /// What the result is called.
    #[must_use]
    pub fn result_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.avatar)
    }
}

fn read<T: DeserializeOwned>(input: &str) -> Result<T, OrderFault> {
    serde_json::from_str(input).map_err(|error| {
        let text = error.to_string();
        // Of one line of JSON the line says nothing.
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
        OrderFault::at("", format!("cannot be read: {text}"))
    })
}

fn check_name(pointer: &str, name: &str) -> Result<(), OrderFault> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.bytes().all(fits) {
        return Ok(());
    }
    Err(OrderFault::at(pointer, "must be 1 to 40 lower-case letters, digits or hyphens"))
}

impl Workshop {
    /// Looks whether a job can be worked on here, before it is paid for. Jobs of kinds that are made elsewhere are not
    /// looked at.
    ///
    /// # Errors
    /// What the store said; inside, what is wrong with the order.
    pub async fn look_at(
        &self,
        account: AccountId,
        kind: JobKind,
        input: &str,
    ) -> Result<Result<(), OrderFault>, StoreError> {
        if !self.works() {
            return Ok(Ok(()));
        }
        match kind {
            JobKind::Agent => match AgentOrder::read(input) {
                Ok(order) => self.look_at_agent(account, &order).await,
                Err(fault) => Ok(Err(fault)),
            },
            JobKind::Dynamics => match DynamicsOrder::read(input) {
                Ok(order) => self.look_at_dynamics(account, &order).await,
                Err(fault) => Ok(Err(fault)),
            },
            JobKind::Book => Ok(Ok(())),
        }
    }

    async fn look_at_agent(
        &self,
        account: AccountId,
        order: &AgentOrder,
    ) -> Result<Result<(), OrderFault>, StoreError> {
        if self.wardrobe().shared().has(&order.name) {
            return Ok(Err(taken_by_all(&order.name)));
        }
        let wardrobe = self.wardrobe();
        if !order.replace && wardrobe.get(account, &order.name).await?.is_some() {
            let detail = "is the name of an avatar you have; remove it first, or send `replace`: true";
            return Ok(Err(OrderFault::at("/name", detail)));
        }
        if wardrobe.get(account, &order.name).await?.is_none()
            && let Some(fault) = self.no_place(account).await?
        {
            return Ok(Err(fault));
        }
        match order.picture_id() {
            Ok(picture) if wardrobe.has_picture(account, picture).await? => Ok(Ok(())),
            Ok(_) => Ok(Err(OrderFault::at("/picture", "is not there; upload it first (it is kept for a while only)"))),
            Err(fault) => Ok(Err(fault)),
        }
    }

    async fn look_at_dynamics(
        &self,
        account: AccountId,
        order: &DynamicsOrder,
    ) -> Result<Result<(), OrderFault>, StoreError> {
        let name = order.result_name();
        if self.wardrobe().shared().has(name) {
            return Ok(Err(taken_by_all(name)));
        }
        let wardrobe = self.wardrobe();
        let is_there = wardrobe.get(account, &order.avatar).await?.is_some() || wardrobe.shared().has(&order.avatar);
        if !is_there {
            return Ok(Err(OrderFault::at("/avatar", "is not there")));
        }
        if order.replaces_itself() {
            return Ok(Ok(()));
        }
        if wardrobe.get(account, name).await?.is_some() {
            return Ok(Err(OrderFault::at(
                "/name",
                "is the name of an avatar you have; remove it first, or leave `name` out",
            )));
        }
        Ok(self.no_place(account).await?.map_or(Ok(()), Err))
    }

    async fn no_place(&self, account: AccountId) -> Result<Option<OrderFault>, StoreError> {
        match self.wardrobe().has_place(account).await {
            Ok(()) => Ok(None),
            Err(WardrobeError::Store(error)) => Err(error),
            Err(error) => Ok(Some(OrderFault::at("/name", format!("finds no place: {error}")))),
        }
    }
}

fn taken_by_all(name: &str) -> OrderFault {
    OrderFault::at("/name", format!("must be another: `{name}` is an avatar that all may show"))
}
