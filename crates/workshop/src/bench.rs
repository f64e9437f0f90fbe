//! The workbench: from a task to a bundle that was checked, and a picture of it.

use footlight_avatar::bundle::{AvatarBundle, BundleLimits};

use crate::dynamics;
use crate::order::{AgentOrder, DynamicsOrder};
use crate::portrait::{self, PortraitOrder, Step};

/// What is to be made, with everything that it takes.
#[derive(Debug)]
pub enum Task {
    /// An avatar from this picture.
    Agent(AgentOrder, Vec<u8>),
    /// Gestures for this avatar.
    Dynamics(DynamicsOrder, Box<AvatarBundle>),
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The packed bundle.
    pub bundle: Vec<u8>,
    /// A picture of it for people: PNG.
    pub preview: Vec<u8>,
}

/// Somebody who makes things. Blocks for seconds.
pub trait Craft: Send + Sync + 'static {
    /// Makes something; `told` is how far it is, of a hundred, and what it is at.
    ///
    /// # Errors
    /// Why it cannot be made, for the account that asked.
    fn make(&self, task: Task, told: &mut dyn FnMut(u8, &str)) -> Result<Made, String>;
}

/// The makers of this crate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bench;

impl Craft for Bench {
    fn make(&self, task: Task, told: &mut dyn FnMut(u8, &str)) -> Result<Made, String> {
        match task {
            Task::Agent(order, picture) => agent(order, &picture, told),
            Task::Dynamics(order, bundle) => dynamics_for(&order, *bundle, told),
        }
    }
}

fn agent(order: AgentOrder, picture: &[u8], told: &mut dyn FnMut(u8, &str)) -> Result<Made, String> {
    let portrait = PortraitOrder {
        picture,
        name: order.name.clone(),
        title: order.title().to_owned(),
        licence: order.licence().to_owned(),
        landmarks: order.landmarks,
    };
    let bundle = portrait::avatar_from(&portrait, &mut |step| told(share_of(step), note_of(step)))
        .map_err(|error| error.to_string())?;
    told(80, "checking it");
    portrait::check(&bundle).map_err(|error| error.to_string())?;
    told(90, "drawing its preview");
    pack(&bundle, portrait::preview(&bundle).map_err(|error| error.to_string())?)
}

fn dynamics_for(
    order: &DynamicsOrder,
    mut bundle: AvatarBundle,
    told: &mut dyn FnMut(u8, &str),
) -> Result<Made, String> {
    told(10, "fitting gestures");
    let fitted = dynamics::gestures_for(&bundle).map_err(|error| error.to_string())?;
    // Those of other names stay.
    bundle.gestures.retain(|gesture| fitted.iter().all(|new| new.name != gesture.name));
    bundle.gestures.extend(fitted);
    order.result_name().clone_into(&mut bundle.manifest.name);
    told(50, "drawing its preview");
    let preview = dynamics::preview(&bundle, &bundle.gestures).map_err(|error| error.to_string())?;
    pack(&bundle, preview)
}

/// How far all of the work is when a step begins, of a hundred: drawing is three quarters of it.
fn share_of(step: Step) -> u8 {
    step.percent() / 4 * 3
}

fn note_of(step: Step) -> &'static str {
    match step {
        Step::Reading => "reading the picture",
        Step::Staging => "looking at the face",
        Step::Moving => "working out how it moves",
        Step::Mouth => "drawing the mouth",
        Step::Eyes => "drawing the eyes",
    }
}

/// Packs a bundle and opens it again as those will who show it.
fn pack(bundle: &AvatarBundle, preview: Vec<u8>) -> Result<Made, String> {
    let packed = bundle.to_bytes().map_err(|error| error.to_string())?;
    AvatarBundle::from_bytes_within(&packed, &BundleLimits::MADE).map_err(|error| error.to_string())?;
    Ok(Made { bundle: packed, preview })
}
