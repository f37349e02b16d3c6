"""What `git push` sends and is told: the commands, the pack behind them, and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prompts.git import pktline, refs
from prompts.git.pktline import Mark, ProtocolProblem
from prompts.models import GitRef, Repository

CAPABILITIES = "report-status delete-refs side-band-64k ofs-delta atomic quiet object-format=sha1 agent=llmops"
MAX_COMMANDS = 50
NOTHING = bytes(20)


@dataclass(frozen=True, slots=True)
class Command:
    """Move one ref; None for `old` creates it, None for `new` deletes it."""

    ref: str
    old: bytes | None
    new: bytes | None


@dataclass(frozen=True, slots=True)
class Push:
    """A parsed request; `pack` is empty when nothing but deletions is asked for."""

    commands: tuple[Command, ...]
    capabilities: frozenset[str]
    pack: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """What became of each ref (None: done), what was wrong with the pack, and lines for the person."""

    results: Mapping[str, str | None]
    unpack: str = "ok"
    notes: Sequence[str] = ()


def advertisement(repository: Repository) -> bytes:
    """The answer to `info/refs`: the refs as they are, and what this server speaks."""
    found = GitRef.objects.filter(repository=repository, sha__isnull=False).order_by("name").values_list("name", "sha")
    known = [f"{bytes(sha).hex()} {name}" for name, sha in found if sha is not None]
    known = known or [f"{NOTHING.hex()} capabilities^{{}}"]
    known[0] += f"\0{CAPABILITIES}"
    head = pktline.line("# service=git-receive-pack\n") + Mark.FLUSH.value
    return head + b"".join(pktline.line(one + "\n") for one in known) + Mark.FLUSH.value


def parse(body: bytes) -> Push:
    """The commands and the pack. A shallow clone names its edge first, which changes nothing for a push.

    :raises ProtocolProblem: when the body is not a push.
    """
    commands: list[Command] = []
    capabilities: frozenset[str] = frozenset()
    end = len(body)
    for packet, at in pktline.lines(body):
        if packet is Mark.FLUSH:
            end = at
            break
        if not isinstance(packet, bytes):
            raise ProtocolProblem("The push is broken.")
        if packet.startswith(b"shallow "):
            continue
        if packet.startswith(b"push-cert"):
            raise ProtocolProblem("Signed pushes are not served.")
        text, _, offered = packet.partition(b"\0")
        if offered:
            capabilities = frozenset(offered.decode("ascii", "replace").split())
        commands.append(_command(text.rstrip(b"\n")))
        if len(commands) > MAX_COMMANDS:
            raise ProtocolProblem(f"At most {MAX_COMMANDS} refs can be pushed at once.")
    if len({command.ref for command in commands}) != len(commands):
        raise ProtocolProblem("A ref is pushed twice.")
    return Push(tuple(commands), capabilities, body[end:])


def _command(text: bytes) -> Command:
    old, new, name = text[:40], text[41:81], text[82:]
    try:
        hashes = [bytes.fromhex(old.decode()), bytes.fromhex(new.decode())]
        ref = name.decode()
    except ValueError:
        raise ProtocolProblem("The push is broken.") from None
    if text[40:41] != b" " or text[81:82] != b" " or [len(one) for one in hashes] != [20, 20] or not ref:
        raise ProtocolProblem("The push is broken.")
    return Command(ref, *(None if one == NOTHING else one for one in hashes))


def answer(push: Push, report: Report) -> Iterator[bytes]:
    """The report in the form that the client asked for."""
    lines = [f"unpack {report.unpack}"]
    lines += [f"ok {ref}" if reason is None else f"ng {ref} {reason}" for ref, reason in report.results.items()]
    status = b"".join(pktline.line(_one_line(one) + "\n") for one in lines) + Mark.FLUSH.value
    if "report-status" not in push.capabilities:
        status = b""
    if "side-band-64k" not in push.capabilities:
        yield status
        return
    for note in report.notes:
        yield from pktline.banded(pktline.TEXT_BAND, (_one_line(note) + "\n").encode())
    yield from pktline.banded(pktline.PACK_BAND, status)
    yield Mark.FLUSH.value


def _one_line(text: str) -> str:
    """What people sent comes back in messages: no line breaks, no terminal's control characters."""
    return "".join(char if char.isprintable() else " " for char in text)[:1000]


def is_main(command: Command) -> bool:
    return command.ref == refs.MAIN
