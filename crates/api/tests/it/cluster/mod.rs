//! Two nodes over one store, with real listeners: any node answers any call.

mod broken;
mod pair;
mod passes;
mod passing;
mod placing;
mod uploads;
