"""What may enter the repository: strict readings of trees, commits and tags, and the names of files and refs."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from llmops.common.errors import Invalid

FOLDER_MODE = b"40000"
FILE_MODES = frozenset({b"100644", b"100755"})
MAX_NAME_BYTES = 200
MAX_TIME = 4_102_444_800  # the year 2100; later dates are typing errors that would sort first for ever

_WORDS_OF_MODES = {b"120000": "a symbolic link", b"160000": "a submodule"}
_REF = re.compile(r"\Arefs/(?:heads|tags)/[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*\Z")
_PERSON = re.compile(rb"\A([^\0\n<>]* ?<([^\0\n<>]*)>) (\d{1,12}) [+-](?:0\d|1[0-4])[0-5]\d\Z")
_HASH = re.compile(rb"\A[0-9a-f]{40}\Z")


class Refused(Invalid):
    """Something in a push is not accepted; the message says what, in words."""

    code = "git_refused"


class Entry(NamedTuple):
    """One line of a tree; `sha` is 20 bytes."""

    name: str
    is_folder: bool
    sha: bytes


class CommitHead(NamedTuple):
    """The links of a commit, as 20-byte hashes."""

    tree: bytes
    parents: tuple[bytes, ...]


def tree(data: bytes) -> list[Entry]:
    """A tree's entries, read strictly: modes, names, order and doubles are checked.

    :raises Refused: naming the entry.
    """
    entries: list[Entry] = []
    seen: set[str] = set()
    at, previous = 0, b""
    while at < len(data):
        space, zero = data.find(b" ", at, at + 8), data.find(b"\0", at)
        if space < 0 or zero < space or zero + 21 > len(data):
            raise Refused("a folder's listing is broken")
        mode, raw, sha = data[at:space], data[space + 1 : zero], data[zero + 1 : zero + 21]
        name = _file_name(raw)
        if mode != FOLDER_MODE and mode not in FILE_MODES:
            what = _WORDS_OF_MODES.get(mode, f"of mode {mode.decode('ascii', 'replace')}")
            raise Refused(f"“{name}” is {what}; only files and folders are accepted")
        order = raw + b"/" if mode == FOLDER_MODE else raw
        if order <= previous:
            raise Refused(f"“{name}” is listed out of order or twice")
        if (folded := name.casefold()) in seen:
            raise Refused(f"“{name}” differs from another name only in upper and lower case")
        seen.add(folded)
        entries.append(Entry(name, mode == FOLDER_MODE, sha))
        at, previous = zero + 21, order
    return entries


def entries(data: bytes) -> list[Entry]:
    """A stored tree's entries; it was checked when it came."""
    found, at = [], 0
    while at < len(data):
        space = data.index(b" ", at)
        zero = data.index(b"\0", space)
        name = data[space + 1 : zero].decode(errors="replace")
        found.append(Entry(name, data[at:space] == FOLDER_MODE, data[zero + 1 : zero + 21]))
        at = zero + 21
    return found


def _file_name(raw: bytes) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise Refused(f"the file name {raw[:60]!r} is not UTF-8") from None
    shown = name[:80].encode("unicode_escape").decode()
    if not name or len(raw) > MAX_NAME_BYTES:
        raise Refused(f"the file name “{shown}” is empty or longer than {MAX_NAME_BYTES} bytes")
    if not name.isprintable() or unicodedata.normalize("NFC", name) != name:
        raise Refused(f"the file name “{shown}” has invisible characters or is not in composed form (NFC)")
    if any(char in "/\\:" for char in name):
        raise Refused(f"the file name “{shown}” has a character that cannot be in file names everywhere")
    plain = name.casefold().rstrip(" .")
    if plain in {"", ".git", "git~1", ".gitmodules", "gitmod~1"}:
        raise Refused(f"the file name “{shown}” is not accepted")
    return name


class CommitText(NamedTuple):
    """What a commit says for people; `time` is when it was made, in seconds since 1970."""

    author: str
    email: str
    time: int
    message: str


def commit(data: bytes) -> CommitHead:
    """A new commit's links; its headers, people and dates are checked.

    :raises Refused: saying what is wrong.
    """
    head, blank, _ = data.partition(b"\n\n")
    if not blank and not data.endswith(b"\n"):
        raise Refused("a commit has no message")
    if b"\0" in data:
        raise Refused("a commit holds a NUL byte")
    lines = (head if blank else data.rstrip(b"\n")).split(b"\n")
    keys = [line.partition(b" ")[0] for line in lines]
    parents = keys[1:].index(b"author") if b"author" in keys[1:] else -1
    expected = [b"tree", *[b"parent"] * parents, b"author", b"committer"]
    if parents < 0 or keys[: len(expected)] != expected:
        raise Refused("a commit's header is broken")
    for line in lines[len(expected) - 2 : len(expected)]:
        person = _PERSON.match(line.partition(b" ")[2])
        if person is None:
            raise Refused("a commit's author or committer is broken")
        if int(person[3]) > MAX_TIME:
            raise Refused("a commit's date is out of range")
    return commit_head(data)


def commit_head(data: bytes) -> CommitHead:
    """The links of a commit.

    :raises Refused: when a hash is broken.
    """
    found: list[bytes] = []
    for line in data.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key not in (b"tree", b"parent"):
            break
        if not _HASH.match(value):
            raise Refused("a commit's header is broken")
        found.append(bytes.fromhex(value.decode()))
    if not found:
        raise Refused("a commit's header is broken")
    return CommitHead(found[0], tuple(found[1:]))


def commit_text(data: bytes) -> CommitText:
    """Author, address, time and message of a commit that was checked when it came."""
    head, _, message = data.partition(b"\n\n")
    people = [line for line in head.split(b"\n") if line.startswith((b"author ", b"committer "))][:2]
    author, committer = (_PERSON.match(line.partition(b" ")[2]) for line in people)
    assert author is not None, "a commit without an author"
    assert committer is not None, "a commit without a committer"
    name, email = (author[group].decode(errors="replace") for group in (1, 2))
    return CommitText(name, email, int(committer[3]), message.decode(errors="replace"))


def tag(data: bytes) -> bytes:
    """The object that an annotated tag points at; only tags of commits are accepted.

    :raises Refused: saying what is wrong.
    """
    lines = data.split(b"\n", 3)
    if len(lines) < 4 or lines[0][:7] != b"object " or not _HASH.match(lines[0][7:]) or b"\0" in data:
        raise Refused("a tag is broken")
    if lines[1] != b"type commit":
        raise Refused("a tag points at something that is no commit")
    return bytes.fromhex(lines[0][7:].decode())


def ref(name: str) -> None:
    """:raises Refused: for a ref that is no branch or tag with a plain name."""
    if (
        len(name) > 200
        or not _REF.match(name)
        or ".." in name
        or any(part.endswith((".lock", ".")) for part in name.split("/"))
    ):
        raise Refused("only branches and tags with plain names are accepted")
