"""What `git clone` and `git fetch` ask for: protocol version 2, every request complete in itself.

A request names the commits that it wants, so it does not matter when refs move between two requests.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from prompts.git import checking, packs, pktline, refs
from prompts.git.graph import Graph
from prompts.git.packs import Stored
from prompts.git.pktline import Mark, ProtocolProblem
from prompts.models import GitObject, GitPack, GitRef, Repository

AGENT = "agent=llmops"
BATCH = 900
MAX_LINES = 100_000
KEPT_PACKS = 2
LARGEST_KEPT_PACK = 64 * 1024 * 1024
# More commits than this on the client's side of the edge are not looked into: the pack may then hold what it has.
EDGE = 50
INFINITE = 0x7FFFFFFF


def advertisement() -> bytes:
    """The answer to `info/refs`: what this server speaks."""
    offered = ["version 2", AGENT, "ls-refs=unborn", "fetch=shallow", "object-format=sha1"]
    return b"".join(pktline.line(word + "\n") for word in offered) + Mark.FLUSH.value


def answer(repository: Repository, body: bytes) -> Iterable[bytes]:
    """The answer to one command, in pieces; everything is read from the database before the first piece.

    :raises ProtocolProblem: when the body is no command of version 2, or wants what is not there.
    """
    command, arguments = _command(body)
    if command == "ls-refs":
        return [_ls_refs(repository, arguments)]
    if command == "fetch":
        return _fetch(repository, _wanted(arguments))
    raise ProtocolProblem(f"The command {command[:40]!r} is not known.")


def _command(body: bytes) -> tuple[str, list[str]]:
    command, arguments, in_arguments = "", list[str](), False
    for packet, _ in pktline.lines(body):
        if packet is Mark.DELIMITER:
            in_arguments = True
        elif packet is Mark.FLUSH:
            break
        elif isinstance(packet, bytes):
            text = packet.decode("ascii", "replace").rstrip("\n")
            if in_arguments:
                arguments.append(text)
            elif text.startswith("command="):
                command = text.removeprefix("command=")
            elif text.startswith("object-format=") and text != "object-format=sha1":
                raise ProtocolProblem("Only SHA-1 repositories are served.")
        if len(arguments) > MAX_LINES:
            raise ProtocolProblem("The request is too long.")
    if not command:
        raise ProtocolProblem("The request has no command. git 2.18 or newer is needed, with protocol.version=2.")
    return command, arguments


def _ls_refs(repository: Repository, arguments: Sequence[str]) -> bytes:
    prefixes = [word.removeprefix("ref-prefix ") for word in arguments if word.startswith("ref-prefix ")]
    found = GitRef.objects.filter(repository=repository, sha__isnull=False).order_by("name")
    known = {name: bytes(sha) for name, sha in found.values_list("name", "sha") if sha is not None}
    out: list[str] = []
    if not prefixes or any("HEAD".startswith(prefix) for prefix in prefixes):
        pointer = f" symref-target:{refs.MAIN}" if "symrefs" in arguments else ""
        if refs.MAIN in known:
            out.append(f"{known[refs.MAIN].hex()} HEAD{pointer}")
        elif "unborn" in arguments:
            out.append(f"unborn HEAD{pointer}")
    peeled = _peeled(repository, known.values()) if "peel" in arguments else {}
    for name, sha in known.items():
        if not prefixes or any(name.startswith(prefix) for prefix in prefixes):
            out.append(f"{sha.hex()} {name}" + (f" peeled:{peeled[sha].hex()}" if sha in peeled else ""))
    return b"".join(pktline.line(one + "\n") for one in out) + Mark.FLUSH.value


def _peeled(repository: Repository, shas: Iterable[bytes]) -> dict[bytes, bytes]:
    rows = GitObject.objects.filter(repository=repository, type=packs.TAG, sha__in=list(shas))
    return {bytes(sha): checking.tag(zlib.decompress(data)) for sha, data in rows.values_list("sha", "data")}


@dataclass(slots=True)
class _Wanted:
    wants: list[bytes] = field(default_factory=list)
    haves: list[bytes] = field(default_factory=list)
    shallow: set[bytes] = field(default_factory=set)
    depth: int = 0
    is_relative: bool = False
    is_done: bool = False


def _wanted(arguments: Iterable[str]) -> _Wanted:
    found = _Wanted()
    for word in arguments:
        name, _, value = word.partition(" ")
        match name:
            case "want":
                found.wants.append(_hash(value))
            case "have":
                found.haves.append(_hash(value))
            case "shallow":
                found.shallow.add(_hash(value))
            case "deepen":
                if not value.isascii() or not value.isdigit() or not 1 <= int(value[:12]) <= INFINITE:
                    raise ProtocolProblem("The depth must be a whole number from 1.")
                found.depth = int(value)
            case "deepen-relative":
                found.is_relative = True
            case "done":
                found.is_done = True
            case "deepen-since" | "deepen-not":
                raise ProtocolProblem("Of the shallow options only --depth and --deepen are served.")
    if not found.wants:
        raise ProtocolProblem("The request wants nothing.")
    return found


def _hash(text: str) -> bytes:
    try:
        sha = bytes.fromhex(text)
    except ValueError:
        sha = b""
    if len(sha) != 20 or len(text) != 40:
        raise ProtocolProblem("A hash has 40 hexadecimal digits.")
    return sha


def _fetch(repository: Repository, wanted: _Wanted) -> Iterable[bytes]:
    if not wanted.haves and not wanted.shallow and not wanted.depth and wanted.is_done:
        return _with_pack(_whole_pack(repository, wanted.wants))
    graph = Graph(repository)
    roots = _roots(graph, wanted.wants)
    common = [sha for sha in wanted.haves if sha in graph.commits]
    head = b""
    if not wanted.is_done:
        held = graph.reachable(roots)
        is_ready = bool(common) and any(sha in held for sha in common)
        head = pktline.line("acknowledgments\n")
        head += b"".join(pktline.line(f"ACK {sha.hex()}\n") for sha in common) or pktline.line("NAK\n")
        if not is_ready:
            return [head + Mark.FLUSH.value]
        head += pktline.line("ready\n") + Mark.DELIMITER.value
    held = graph.reachable(common, cut=wanted.shallow)
    if wanted.depth:
        sending, edges = _deepened(graph, roots, wanted)
        head += pktline.line("shallow-info\n") + edges + Mark.DELIMITER.value
        sending -= held
    else:
        sending = graph.reachable(roots, without=held, cut=wanted.shallow)
    tags = [sha for sha in wanted.wants if sha in graph.tags]
    return [head, *_with_pack(_pack(repository, graph, sending, held, tags))]


def _roots(graph: Graph, wants: Iterable[bytes]) -> list[bytes]:
    roots: list[bytes] = []
    for sha in wants:
        root = graph.commit_of(sha)
        if root is None:
            raise ProtocolProblem(f"There is no commit {sha.hex()} here.")
        roots.append(root)
    return roots


def _deepened(graph: Graph, roots: list[bytes], wanted: _Wanted) -> tuple[set[bytes], bytes]:
    """The commits within the depth, and the lines that move the client's edge."""
    depth = wanted.depth
    if wanted.is_relative:
        now = graph.distances(roots, INFINITE)
        depth = min(INFINITE, depth + max((now.get(sha, 0) for sha in wanted.shallow), default=0))
    within = graph.distances(roots, depth)
    edge = {sha for sha, distance in within.items() if distance == depth and graph.commits[sha].parents}
    lines = [f"shallow {sha.hex()}" for sha in sorted(edge - wanted.shallow)]
    lines += [f"unshallow {sha.hex()}" for sha in sorted(wanted.shallow & within.keys() - edge)]
    return set(within), b"".join(pktline.line(one + "\n") for one in lines)


def _with_pack(pack: bytes) -> Iterator[bytes]:
    yield pktline.line("packfile\n")
    yield from pktline.banded(pktline.PACK_BAND, pack)
    yield Mark.FLUSH.value


def _whole_pack(repository: Repository, wants: list[bytes]) -> bytes:
    """Everything that the wanted commits reach: a fresh clone. Kept as a row until the next one is asked for."""
    unique = sorted(set(wants))
    name = unique[0] if len(unique) == 1 else hashlib.sha1(b"".join(unique), usedforsecurity=False).digest()
    kept = GitPack.objects.filter(repository=repository, tip=name).values_list("data", flat=True).first()
    if kept is not None:
        return bytes(kept)
    graph = Graph(repository)
    sending = graph.reachable(_roots(graph, unique))
    pack = _pack(repository, graph, sending, set(), [sha for sha in unique if sha in graph.tags])
    if len(pack) <= LARGEST_KEPT_PACK:
        row = GitPack(project_id=repository.project_id, repository=repository, tip=name, data=pack)
        GitPack.objects.bulk_create([row], ignore_conflicts=True)
        newest = GitPack.objects.filter(repository=repository).order_by("-id").values_list("id", flat=True)
        GitPack.objects.filter(repository=repository).exclude(id__in=list(newest[:KEPT_PACKS])).delete()
    return pack


def _pack(repository: Repository, graph: Graph, sending: set[bytes], held: set[bytes], tags: list[bytes]) -> bytes:
    """The commits with their trees and files, without those that commits at the edge of `held` have."""
    edge = {parent for sha in sending for parent in graph.commits[sha].parents if parent in held}
    had: set[bytes] = set()
    _walk(repository, [graph.commits[sha].tree for sha in sorted(edge)[:EDGE]], had, None)
    chosen: dict[bytes, Stored] = {}
    _read(repository, [*sending, *tags], chosen)
    blobs = _walk(repository, [graph.commits[sha].tree for sha in sending], had, chosen)
    _read(repository, blobs, chosen)
    return packs.write(chosen.values(), len(chosen))


def _walk(
    repository: Repository, roots: Iterable[bytes], seen: set[bytes], chosen: dict[bytes, Stored] | None
) -> list[bytes]:
    """Read trees level by level, skipping what is in `seen`; the files below, with the trees put into `chosen`."""
    blobs: list[bytes] = []
    level = list(dict.fromkeys(roots))
    while level := [sha for sha in level if sha not in seen]:
        seen.update(level)
        rows: dict[bytes, Stored] = {}
        _read(repository, level, rows)
        if chosen is not None:
            chosen.update(rows)
        below: dict[bytes, None] = {}
        for row in rows.values():
            for entry in checking.entries(zlib.decompress(row.packed)):
                if entry.is_folder:
                    below[entry.sha] = None
                elif entry.sha not in seen:
                    seen.add(entry.sha)
                    blobs.append(entry.sha)
        level = list(below)
    return blobs


def _read(repository: Repository, shas: Sequence[bytes], into: dict[bytes, Stored]) -> None:
    for at in range(0, len(shas), BATCH):
        rows = GitObject.objects.filter(repository=repository, sha__in=shas[at : at + BATCH])
        for sha, kind, size, data in rows.values_list("sha", "type", "size", "data"):
            into[bytes(sha)] = Stored(kind, size, bytes(data))
