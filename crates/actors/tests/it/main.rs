//! A node from its callers' side: sessions that speak, pay, wait, end and come back.

mod engines;
mod harness;
mod heirs;
mod life;
mod metering;
mod outage;
mod recovery;
