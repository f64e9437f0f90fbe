"""The parts of check.py, a file each: `check(deploy, options, report)`."""
