"""`pull`, `push`, `lock` and `drift`: the folder, its lock and the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from llmops_client.errors import Exit, Problem, Refused
from llmops_client.files import Lock, Locked, blob_of, file_of, names_in, read_lock, text_of, write_text
from llmops_client.rest import Server

Json = Any
Say = Callable[[str], None]
LABEL = "production"


def pull(server: Server, folder: Path, label: str, names: Sequence[str], say: Say, *, force: bool = False) -> Exit:
    """Write the files of the label's versions, and the lock. A file that was edited here is left alone and told.

    :raises Problem: when a file is not the one that its hash says, or nothing has the label.
    """
    lock = read_lock(folder) or Lock(label)
    lock.label = label
    kept = 0
    for name, version in _labelled(server, label, names, say):
        answer = server.get(f"/prompts/-/files/{name}", version=version["version"])
        if blob_of(answer["content"]) != answer["blob"]:
            raise Problem(f"{name}: the text that came is not the one that its hash {answer['blob']} says.")
        path = file_of(folder, name)
        here = blob_of(text_of(path)) if path.exists() else None
        before = lock.prompts.get(name)
        is_edited = here is not None and here != answer["blob"] and (before is None or here != before.blob)
        if is_edited and not force:
            kept += 1
            say(f"{name}: {path} was edited here and is left as it is; push it, or pull with --force")
            continue
        if here != answer["blob"]:
            write_text(path, answer["content"])
        say(f"{name}: version {answer['version']} ({'unchanged' if here == answer['blob'] else 'written'})")
        lock.prompts[name] = Locked(answer["version"], answer["commit"], answer["blob"])
    lock.write(folder)
    return Exit.FAIL if kept else Exit.PASS


def lock(server: Server, folder: Path, label: str, names: Sequence[str], say: Say) -> Exit:
    """Write down which versions the label means now, without touching files."""
    found = Lock(label)
    for name, version in _labelled(server, label, names, say):
        found.prompts[name] = Locked(version["version"], version["commit"], version["blob"])
        say(f"{name}: version {version['version']}, commit {version['commit'][:12]}")
    if names and (before := read_lock(folder)):
        found.prompts = before.prompts | found.prompts
    found.write(folder)
    return Exit.PASS


def push(server: Server, folder: Path, names: Sequence[str], message: str, say: Say) -> Exit:
    """Save every changed file as the next version of what the lock says it was based on; a file that the lock does not
    know must be a new prompt. A file whose prompt was saved by somebody else in between is refused and told."""
    lock = read_lock(folder) or Lock(LABEL)
    refused = 0
    for name in _chosen(names_in(folder), names, folder):
        text = text_of(file_of(folder, name))
        before = lock.prompts.get(name)
        if before is not None and before.blob == blob_of(text):
            say(f"{name}: unchanged since version {before.version}")
            continue
        body = {"content": text, "message": message, "base_version": before.version if before else 0}
        try:
            saved = server.post(f"/prompts/{name}/versions", body)
        except Refused as error:
            current = error.body.get("current") or {}
            if error.status == 409 and current.get("blob") == blob_of(text):
                saved = current
                say(f"{name}: the server has this text already")
            elif error.status in {400, 409}:
                refused += 1
                say(_conflict(name, before, error))
                continue
            else:
                raise
        lock.prompts[name] = Locked(saved["version"], saved["commit"], saved["blob"])
        lock.write(folder)
        say(f"{name}: version {saved['version']}, commit {saved['commit'][:12]}")
    return Exit.FAIL if refused else Exit.PASS


def drift(server: Server, folder: Path, say: Say) -> Exit:
    """Whether the label still means on the server what the lock says. Edited files are told, and are no drift."""
    lock = read_lock(folder)
    if lock is None:
        raise Problem(f"{folder} has no llmops.lock; llmops pull or llmops lock writes it.")
    label, drifted = lock.label or LABEL, 0
    for name in sorted(lock.prompts):
        locked, now = lock.prompts[name], server.find(f"/prompts/{name}", label=label)
        if now is None:
            drifted += 1
            say(f"{name}: the lock has version {locked.version}, the server has no “{label}”")
        elif now["blob"] != locked.blob or now["version"] != locked.version:
            drifted += 1
            say(f"{name}: the lock has version {locked.version}, “{label}” is version {now['version']}")
        path = file_of(folder, name)
        if path.exists() and blob_of(text_of(path)) != locked.blob:
            say(f"{name}: {path} differs from version {locked.version} (not pushed yet)")
    for name in sorted(_with_label(server, label) - lock.prompts.keys()):
        drifted += 1
        say(f"{name}: “{label}” is on the server and not in the lock")
    say(
        f"{drifted} of {len(lock.prompts)} drifted"
        if drifted
        else f"no drift: {len(lock.prompts)} as “{label}” has them"
    )
    return Exit.FAIL if drifted else Exit.PASS


def _conflict(name: str, before: Locked | None, error: Refused) -> str:
    if error.status == 400:
        return f"{name}: refused: {error}"
    current = error.body.get("current") or {}
    base = f"version {before.version}" if before else "no version (the lock does not know it)"
    return (
        f"{name}: CONFLICT: this file is based on {base}, the server has version {current.get('version', '?')}"
        f" “{current.get('message', '')}”. Nothing was saved. Pull into another folder, merge, push again."
    )


def _labelled(server: Server, label: str, names: Sequence[str], say: Say) -> list[tuple[str, Json]]:
    """The prompts that have the label, with the version it is on."""
    every = names or sorted(_with_label(server, label))
    if not every:
        raise Problem(f"No prompt of the project has the label “{label}”.")
    found = []
    for name in every:
        version = server.find(f"/prompts/{name}", label=label)
        if version is None:
            raise Problem(f"There is no prompt {name} with the label “{label}”.")
        found.append((name, version))
    return found


def _with_label(server: Server, label: str) -> set[str]:
    return {one["name"] for one in server.pages("/prompts") if label == "latest" or label in one["labels"]}


def _chosen(there: Iterable[str], names: Sequence[str], folder: Path) -> list[str]:
    known = list(there)
    if unknown := [name for name in names if name not in known]:
        raise Problem(f"{folder} has no file of {', '.join(unknown)}.")
    if not known:
        raise Problem(f"{folder} holds no .prompty files.")
    return list(names) or known
