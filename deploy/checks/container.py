"""The container file."""

import fnmatch
import re
import shutil
import tomllib

INCLUDE = re.compile(r'include_(?:bytes|str)!\(\s*"([^"]+)"')


def check(deploy, options, report):
    root, file = deploy.parent, deploy / "container" / "Containerfile"
    text = file.read_text()
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    toolchain = tomllib.loads((root / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    last, problems = stages[-1], []
    if len(stages) < 2:
        problems.append("it has one stage: the toolchain would be in the image")
    if f"rust:{toolchain}-" not in text or f"RUSTUP_TOOLCHAIN={toolchain}" not in text:
        problems.append(f"it does not build with the toolchain of rust-toolchain.toml, {toolchain}")
    if "nasm" not in stages[0]:
        problems.append("it builds without nasm")
    user = re.search(r"^USER (\S+)", last, re.MULTILINE)
    if not user or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user[1]):
        problems.append("its user is no number other than root's")
    if re.search(r"^HEALTHCHECK", text, re.MULTILINE) or not re.search(r"^VOLUME /var/lib/footlight", last, re.MULTILINE):
        problems.append("it has a HEALTHCHECK, or no volume")
    for instruction in ("ENTRYPOINT", "CMD"):
        if not re.search(rf"^{instruction} \[", last, re.MULTILINE):
            problems.append(f"{instruction} goes through a shell, which would keep signals from the node")
    report.all("Containerfile: two stages, nasm, the toolchain, a user that is not root", problems)

    ignored = [line for line in (root / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    needed = {root / name for name in ("Cargo.toml", "Cargo.lock", "rust-toolchain.toml")}
    needed |= set(root.glob("crates/*/Cargo.toml")) | {root / member / "Cargo.toml" for member in ("tests", "benches", "xtask")}
    for source in root.glob("crates/*/src/**/*.rs"):
        needed |= {(source.parent / name).resolve() for name in INCLUDE.findall(source.read_text())}
    hidden = sorted(str(path.relative_to(root)) for path in needed if is_ignored(str(path.relative_to(root)), ignored))
    report.all(f"none of {len(needed)} files that the build needs is ignored", (f".dockerignore hides {path}" for path in hidden))
    if shutil.which("hadolint"):
        # Versions of Debian's packages come and go with its security updates: pinning them breaks the build.
        report.run("hadolint", ["hadolint", "--ignore", "DL3008", str(file)])
    else:
        report.skip("hadolint is not installed")


def is_ignored(path, patterns):
    parts = path.split("/")
    for pattern in patterns:
        if pattern.startswith("**/"):
            if any(fnmatch.fnmatch(part, pattern[3:]) for part in parts):
                return True
        else:
            pattern = pattern.strip("/").split("/")
            if len(pattern) <= len(parts) and all(map(fnmatch.fnmatch, parts, pattern)):
                return True
    return False
