# The project's recipes; each is one of the README's commands or a chore of `cargo xtask`.

# Three sessions on shipped speech, the bill and the audit.
demo:
    cargo run --release -- demo

# A node on the embedded store.
serve:
    cargo run --release -- serve

# Every test; installs what is missing.
test:
    cargo xtask test

# Formatting, clippy, rustdoc, warnings denied.
lint:
    cargo xtask lint

# Licences, bans and sources of the dependencies.
deny:
    cargo xtask deny

# Everything that has to pass before a change lands.
check:
    cargo xtask ci

# kill -9 at random moments, and what it cost.
crash *ARGS:
    cargo xtask crash {{ARGS}}

# Faults by seeds on several nodes and a real Redis, judged by checkers.
chaos *ARGS:
    cargo xtask chaos {{ARGS}}

# The criterion benches, each beside its limit or peer.
bench:
    cargo bench --package footlight-benches
