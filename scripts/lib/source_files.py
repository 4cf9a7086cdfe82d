#!/usr/bin/env python3
"""Which files of this tree are ours: those that git tracks, and new ones that it does not ignore. In a source archive, or without git,
all that .gitignore does not name.

  scripts/lib/source_files.py [SUFFIX...]    their paths, each ended by a null byte; with suffixes (.cc .h) only such files
"""

import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def tracked(root):
    """None when git does not say."""
    if not (root / ".git").exists():
        return None  # git would answer for a repository that the tree lies in
    command = ["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return [Path(name) for name in listing.split("\0") if name]


def not_ignored(root):
    """Of .gitignore: `name/`, `*.end` anywhere; with a slash before the last letter from the top."""
    patterns = (root / ".gitignore").read_text().split() if (root / ".gitignore").exists() else []

    def ignored(path, folder):
        for pattern in patterns:
            if pattern.endswith("/") and not folder:
                continue
            bare = pattern.strip("/")
            if fnmatch(path.as_posix() if "/" in pattern[:-1] else path.name, bare):
                return True
        return path.name == ".git"

    found = []
    for folder, below, names in os.walk(root):
        here = Path(folder).relative_to(root)
        below[:] = [name for name in below if not ignored(here / name, True)]
        found += [here / name for name in names if not ignored(here / name, False)]
    return found


def source_files(root=ROOT):
    """Paths below root, in order."""
    paths = tracked(root)
    if paths is None:
        paths = not_ignored(root)
    return sorted(path for path in paths if (root / path).is_file())


if __name__ == "__main__":
    if set(sys.argv[1:]) & {"-h", "--help"}:
        print(__doc__)
    else:
        for path in source_files():
            if not sys.argv[1:] or path.suffix in sys.argv[1:]:
                print(path, end="\0")
