#!/usr/bin/env python3
"""Checks that the files and folders that the pages name are there: links, and what stands in backquotes with a slash."""
import os
import re
import sys

NAMED = re.compile(r"`([A-Za-z0-9_][A-Za-z0-9_./-]*/[A-Za-z0-9_./-]*)`|\]\(([^)#]+)(?:#[^)]*)?\)")
FILE = re.compile(r"\.(c|h|k|md|py|txt|yaml|dict|toml|S)$|/$")


def pages(root):
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".") and os.path.join(folder, name) != os.path.join(root, "build")]
        yield from (os.path.join(folder, name) for name in files if name.endswith(".md"))


def missing(root, page, text):
    for quoted, link in NAMED.findall(text):
        name = quoted or link
        if "://" in name or (quoted and not FILE.search(name)) or name.startswith("build/"):
            continue
        if not any(os.path.exists(os.path.join(base, name)) for base in (root, os.path.dirname(page))):
            yield name


def self_test(root):
    page = os.path.join(root, "README.md")
    assert list(missing(root, page, "`docs/nowhere.md` `GET /v1/layers` `a/b` [x](docs/artifacts.md#limits) https://a.org/b.c")) == ["docs/nowhere.md"]


def main():
    root = sys.argv[1]
    self_test(root)
    found = []
    for page in sorted(pages(root)):
        with open(page, encoding="utf-8") as file:
            found += [f"{os.path.relpath(page, root)} names {name}, which is not there" for name in missing(root, page, file.read())]
    print("\n".join(found) or "the pages name what is there")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
