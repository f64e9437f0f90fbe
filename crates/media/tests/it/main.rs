//! The media crate against real files and other people's tools.

mod decode;
mod mp4;
mod scene;
mod splice;
mod tools;
