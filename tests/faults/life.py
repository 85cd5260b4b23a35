"""A whole life of an index: all that is read, then all that is written, then all read again."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lfm2_colbert_rag import Retriever
from lfm2_colbert_rag.storage.verification import verify_folder

from . import answers
from .folders import Place
from .kinds import Kind
from .outcomes import NAMED, Failed, Outcome, Recorder

NEW, CHANGED, DELETED = "new", "a5", "a7"
NEW_TEXT = "zebra quagga okapi 獏"
CHANGED_TEXT = "quagga w1 w2 instead"
WRITES = ("add", "delete", "optimize")

Answers = dict[str, Any]


class Life:
    """Plays one index.

    Args:
        kind: of the index.
        place: where it is.
        recorder: told of every step.
        expected: what the undamaged index answers; None to find that out.
        writes: those that are done.
        replay: returns what the undamaged index answers after some of the writes.
        blames: says what is wrong with what problems of verify() blame; None for nothing.
    """

    def __init__(
        self,
        kind: Kind,
        place: Place,
        recorder: Recorder,
        expected: Answers | None = None,
        writes: tuple[str, ...] = WRITES,
        replay: Callable[[tuple[str, ...]], Answers] | None = None,
        blames: Callable[[str], str | None] = lambda text: None,
    ) -> None:
        self._kind = kind
        self._place = place
        self._recorder = recorder
        self._expected = expected
        self._writes = writes
        self._replay = replay
        self._blames = blames
        self.found: Answers = {}
        self.done: list[str] = []
        self.wrong = False

    def play(self) -> Answers:
        """Do everything; returns the answers."""
        self._value("restore of it", lambda: self._restored(self._place.index, "from-index"))
        retriever = self._recorder.attempt("open", lambda: self._kind.open(self._place.index))
        if isinstance(retriever, Failed):
            self._value("verify", lambda: verify_folder(self._place.index))
            if self.found.get("verify") == []:
                self._wrong("verify", f"no problem, but it cannot be opened: {retriever.error}")
            return self.found
        self._recorder.right("open")
        self._read(retriever)
        self._copy(retriever)
        before = self.found.get("verify")
        self._write(retriever)
        self._recorder.attempt("close", retriever.close)
        self._again(before)
        return self.found

    def _read(self, retriever: Retriever) -> None:
        value = self._value
        value("len", lambda: len(retriever))
        value("get", lambda: [vars(one) for one in retriever.get(["a1", "b4", "c0", "gone"])])
        value("contains", lambda: ["a1" in retriever, "gone" in retriever])
        value("stats", lambda: answers.stats(retriever))
        for mode in answers.modes(self._kind):
            value(mode, lambda mode=mode: answers.search(retriever, mode))
        value("where", lambda: answers.search(retriever, "late", where=answers.WHERE))
        value("count", lambda: retriever.count({"lang": "ja"}))
        value("filter_indexes", retriever.filter_indexes)
        value("explain", lambda: answers.explanation(retriever))
        value("passages", lambda: [vars(one) for one in retriever.passages()])
        value("verify", retriever.verify)

    def _copy(self, retriever: Retriever) -> None:
        out = self._place.out
        done = self._recorder.attempt("backup", lambda: retriever.backup(out / "backup"))
        if not isinstance(done, Failed):
            self._recorder.right("backup")
            self._value("restore", lambda: self._restored(out / "backup", "restored"))

        def export() -> dict[str, str]:
            retriever.export(out / "export")
            return answers.folder_value(out / "export")

        self._value("export", export)

    def _restored(self, backup: Path, name: str) -> list[Any]:
        """Bring a copy back, and ask it."""
        target = self._place.out / name
        with Retriever.restore(backup, target, model=self._kind.encoder()) as restored:
            found = answers.search(restored, "late")
            values = [found, [vars(one) for one in restored.passages()]]
        if _has_link(backup):
            links = "what a link of the backup points to was copied into the restored index"
            self._recorder.fault(f"restore to {name}", "OUTSIDE", links)
        return values

    def _write(self, retriever: Retriever) -> None:
        for name in WRITES:
            if name in self._writes:
                before = self._recorder.attempt(f"before {name}", lambda: _state(retriever))
                write = getattr(self, f"_{name}")
                done = self._recorder.attempt(name, lambda write=write: write(retriever))
                if isinstance(done, Failed):
                    self._require_unchanged(retriever, name, before)
                else:
                    self.done.append(name)
                    self._compare(name, done)
        self._value("search after writes", lambda: answers.search(retriever, "late"))

    def _add(self, retriever: Retriever) -> Any:
        retriever.add([NEW_TEXT, CHANGED_TEXT], ids=[NEW, CHANGED], metadata=[{"n": 1}, None])
        found = self._recorder.attempt(
            "find what was added",
            lambda: [
                [one.text for one in retriever.get([NEW, CHANGED])],
                [hit.id for hit in retriever.search("zebra okapi 獏", k=1)],
            ],
        )
        return None if isinstance(found, Failed) else found

    def _delete(self, retriever: Retriever) -> Any:
        return [retriever.delete([DELETED]), DELETED in retriever]

    def _optimize(self, retriever: Retriever) -> Any:
        return [retriever.optimize(forget_after=0).passages]

    def _require_unchanged(self, retriever: Retriever, name: str, before: Any) -> None:
        """What raised must have changed nothing; an optimization may stop half way."""
        if isinstance(before, Failed) or name == "optimize":
            return
        after = self._recorder.attempt(f"after {name} raised", lambda: _state(retriever))
        if not isinstance(after, Failed) and after != before:
            text = f"{name} raised, but changed the index: {before} became {after}"
            self._wrong(name, text)

    def _again(self, before: Any) -> None:
        """Open it anew: is what was wrong with it still to be seen?"""
        retriever = self._recorder.attempt("reopen", lambda: self._kind.open(self._place.index))
        if isinstance(retriever, Failed):
            return
        with retriever:
            wrong_before, self.wrong = self.wrong, False
            self._value("search at last", lambda: answers.search(retriever, "late"))
            self._value("get at last", lambda: [vars(one) for one in retriever.passages()])
            still, self.wrong = self.wrong, self.wrong or wrong_before
            last = self._recorder.attempt("verify at last", retriever.verify)
        if before and last == [] and still:
            root = f"LAUNDERED: {_cut(before[0])}"
            self._recorder.fault("verify at last", "LAUNDERED", f"it had found: {before[0]}", root)

    def _value(self, step: str, function: Callable[[], Any]) -> None:
        value = self._recorder.attempt(step, function)
        if not isinstance(value, Failed):
            self._compare(step, value)

    def _compare(self, step: str, value: Any) -> None:
        """Keep an answer, and compare it with what is expected."""
        self.found[step] = value
        if self._expected is None or step not in self._expected:
            return
        if step == "verify":
            self._judge_problems(value)
            return
        text = answers.differ(value, self._expected[step])
        if text is not None:
            text = self._differs_anyhow(step, value, text)
        if text is None:
            self._recorder.right(step)
        else:
            self._wrong(step, text)

    def _judge_problems(self, problems: list[str]) -> None:
        """Note that verify() named problems, or what is wrong with how it did."""
        blamed = self._blames("\n".join(problems))
        if not problems:
            self._recorder.right("verify")
        elif blamed:
            self._recorder.fault("verify", "MISNAMED", f"{blamed}: {problems[0]}")
        else:
            self._recorder.note(Outcome("verify", NAMED, problems[0]))

    def _differs_anyhow(self, step: str, value: Any, text: str) -> str | None:
        """Compare with what the undamaged index answers after the writes that succeeded here."""
        if step not in LAST or self._replay is None or self.done == list(WRITES):
            return text
        states = [tuple(self.done)]
        if "optimize" not in self.done:  # it may have got half way
            states.append((*self.done, "optimize"))
        for state in states:
            text = answers.differ(value, self._replay(state)[step])
            if text is None:
                break
        return text

    def _wrong(self, step: str, text: str) -> None:
        self.wrong = True
        self._recorder.fault(step, "WRONG", text)


# Steps whose answers depend on what was written before.
LAST = ("search after writes", "search at last", "get at last", "optimize")


def _state(retriever: Retriever) -> list[Any]:
    return [len(retriever), retriever.stats().generation, NEW in retriever, DELETED in retriever]


def _has_link(folder: Path) -> bool:
    """Tell whether a backup has a link where its content is."""
    beside = ("writer.lock", "writer.json", "optimizer.lock", "staging")
    return any(
        stat.S_ISLNK(path.lstat().st_mode)
        for path in folder.rglob("*")
        if path.relative_to(folder).parts[0] not in beside
    )


def _cut(text: str) -> str:
    """Return what is alike in alike problems: no paths and no numbers."""
    words = [word for word in text.split() if "/" not in word and not word[:1].isdigit()]
    return " ".join(words)[:80]
