"""Draws the shipped avatars and writes their bundles: `python3 make.py [NAME ...]`."""

import sys
from pathlib import Path

from studio import ada, clapper, miles
from studio.portrait import Portrait

ASSETS = Path(__file__).resolve().parent.parent / "crates" / "avatar" / "assets"
AVATARS = {"ada": lambda path: Portrait(ada).build(path), "miles": lambda path: Portrait(miles).build(path), "clapper": clapper.build}


def main():
    for name in sys.argv[1:] or AVATARS:
        if name not in AVATARS:
            sys.exit(f"no avatar named {name}; known ones are {', '.join(AVATARS)}")
        path = ASSETS / f"{name}.zip"
        AVATARS[name](path)
        print(f"{name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
