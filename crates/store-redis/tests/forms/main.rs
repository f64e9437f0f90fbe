//! Redis in all its forms: users with few rights, TLS, Sentinels, a cluster; and what happens to each while it is used.

mod cluster;
mod hurt;
mod keys;
mod load;
mod login;
mod sentinels;
mod sizing;
