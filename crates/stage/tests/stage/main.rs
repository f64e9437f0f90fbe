//! The stage from outside: real speech, real pictures, real time.

mod faults;
mod gesturing;
mod hearing;
mod house;
mod readers;
mod speaking;
