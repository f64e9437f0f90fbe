//! A client of Footlight's API, and the metering half of an engine that runs elsewhere.
//!
//! [`Client`] speaks to a node as a customer. [`MeteredEngine`] is for who makes the frames himself, on his own servers or
//! on a device: it counts them, holds credits for them before they are made, reports, goes on for the grace when the node
//! cannot be reached, and stops at the unit where the credits end.
//!
//! ```no_run
//! use footlight_client::{Allowed, EngineOptions, MeteredEngine, Product};
//!
//! # async fn run() -> Result<(), footlight_client::EngineError> {
//! let options = EngineOptions::new("http://127.0.0.1:8080", "fl_live_...", Product::EssenceSelfHosted, 25);
//! let engine = MeteredEngine::start(options).await?;
//! while let Allowed::Yes = engine.next_unit().await {
//!     // Make one frame, and hand it out.
//! }
//! let bill = engine.end().await?;
//! println!("{} units, {} credits", bill.units, bill.credits);
//! # Ok(())
//! # }
//! ```

mod api;
mod engine;
mod error;
mod http;
pub mod shapes;

pub use api::Client;
pub use engine::{Allowed, Bill, EngineError, EngineOptions, EngineStatus, MeteredEngine, is_unmetered};
pub use error::{ApiError, innermost};
pub use footlight_ledger::{EndReason, Microcredits, PauseReason, Product, SessionId, Surface, Units};
pub use http::{http_client, redirected, tls};
