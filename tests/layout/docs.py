#!/usr/bin/env python3
"""Checks that what the pages name is there: files and folders (links, and what stands in backquotes with a slash, or as a
file's name alone), the verbs of ./dev, and variables KASMINA_… of the environment and the build."""
import os
import re
import sys

NAMED = re.compile(r"`([A-Za-z0-9_][A-Za-z0-9_./-]*/[A-Za-z0-9_./-]*)`|\]\(([^)#]+)(?:#[^)]*)?\)")
FILE = re.compile(r"\.(c|h|k|md|py|txt|yaml|dict|toml|S)$|/$")
ALONE = re.compile(r"`([a-z0-9_]+\.(?:c|h|k|cu|py|sh|dict|cmake))`")
VERB = re.compile(r"\./dev ([a-z][a-z-]*)")
VARIABLE = re.compile(r"\bKASMINA_[A-Z0-9_]*[A-Z0-9]\b")
SOURCE = re.compile(r"\.(c|h|k|cu|py|sh|dict|cmake|txt|in)$|^[^.]*$")


class Tree:
    """What there is beside the pages."""

    def __init__(self, root):
        self.root, self.pages, self.files, self.variables = root, [], set(), set()
        for folder, names, files in os.walk(root):
            names[:] = [name for name in names if not name.startswith(".") and os.path.join(folder, name) != os.path.join(root, "build")]
            for name in files:
                path = os.path.join(folder, name)
                if name.endswith(".md"):
                    self.pages.append(path)
                elif SOURCE.search(name):
                    self.files.add(name)
                    with open(path, encoding="utf-8", errors="replace") as file:
                        self.variables.update(VARIABLE.findall(file.read()))
        with open(os.path.join(root, "dev"), encoding="utf-8") as file:
            help_text = file.read().split("help_text='")[1].split("'")[0]
        self.verbs = set(re.findall(r"^  ([a-z][a-z-]*) ", help_text, re.MULTILINE))

    def has_path(self, page, name):
        return any(os.path.exists(os.path.join(base, name)) for base in (self.root, os.path.dirname(page)))


def missing(tree, page, text):
    for quoted, link in NAMED.findall(text):
        name = quoted or link
        if "://" in name or (quoted and not FILE.search(name)) or name.startswith("build/"):
            continue
        if not tree.has_path(page, name):
            yield name
    yield from (name for name in ALONE.findall(text) if name not in tree.files)
    yield from (f"./dev {verb}" for verb in VERB.findall(text) if verb not in tree.verbs)
    yield from (name for name in VARIABLE.findall(text) if name not in tree.variables)


def self_test(tree):
    text = ("`docs/nowhere.md` `GET /v1/layers` `a/b` [x](docs/artifacts.md#limits) https://a.org/b.c `queue.c` `nowhere.c` "
            "./dev test ./dev local KASMINA_SHARED KASMINA_" + "NOWHERE `KASMINA_…`")
    expected = ["docs/nowhere.md", "nowhere.c", "./dev local", "KASMINA_" + "NOWHERE"]
    assert list(missing(tree, os.path.join(tree.root, "README.md"), text)) == expected


def main():
    tree = Tree(sys.argv[1])
    self_test(tree)
    found = []
    for page in sorted(tree.pages):
        with open(page, encoding="utf-8") as file:
            found += [f"{os.path.relpath(page, tree.root)} names {name}, which is not there" for name in missing(tree, page, file.read())]
    print("\n".join(found) or "the pages name what is there")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
