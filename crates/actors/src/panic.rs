//! What a panic ends: one session, or the process.

/// While it lives, a panic on this thread ends the process. The meter and the supervisor hold every session's slices
/// and room: without them nothing that runs is metered or bounded, and a restart recovers what they knew.
pub(crate) struct AbortOnPanic(pub(crate) &'static str);

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(actor = self.0, "a panic in an actor that all sessions depend on ends the process");
            std::process::abort();
        }
    }
}
