//! The avatars that accounts bring or have made, kept in the store.
