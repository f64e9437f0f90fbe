//! The stage from outside: real speech, real pictures, real time.

mod faults;
mod house;
mod readers;
mod speaking;
