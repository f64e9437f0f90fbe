"""What was found, told as it is found."""

import contextlib
import shutil
import subprocess


class Skip(Exception):
    """The rest of a part cannot be checked here."""


class Report:
    def __init__(self):
        self.good = 0
        self.wrong = 0
        self.skipped = 0

    @contextlib.contextmanager
    def part(self, name):
        print(f"{name}")
        try:
            yield
        except Skip as reason:
            self.skip(str(reason))
        except ImportError as error:
            self.skip(f"{error}: pip install -r deploy/requirements.txt")

    def ok(self, what):
        self.good += 1
        print(f"  ok       {what}")

    def bad(self, what):
        self.wrong += 1
        print(f"  WRONG    {what}")

    def skip(self, what):
        self.skipped += 1
        print(f"  skipped  {what}")

    def all(self, what, problems):
        """One line when nothing is wrong, else one a problem."""
        problems = list(problems)
        for problem in problems:
            self.bad(problem)
        if not problems:
            self.ok(what)

    def run(self, what, command, **how):
        """Runs a tool: what it says matters only when it fails."""
        if not shutil.which(command[0]):
            return self.skip(f"{what}: {command[0]} is not installed")
        done = subprocess.run(command, capture_output=True, text=True, **how)
        if done.returncode == 0:
            return self.ok(what)
        said = (done.stdout + done.stderr).strip()
        return self.bad(f"{what}: `{' '.join(map(str, command))}` ended with {done.returncode}\n{said}")

    def close(self, no_skips):
        print(f"\n{self.good} good, {self.wrong} wrong, {self.skipped} skipped")
        if self.wrong:
            return 1
        return 3 if no_skips and self.skipped else 0
