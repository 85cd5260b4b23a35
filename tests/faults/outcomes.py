"""What can become of a step, and how it is written down while it happens."""

from __future__ import annotations

import errno
import json
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from lfm2_colbert_rag.errors import LFM2ColBERTError

RIGHT = "RIGHT"  # the answer of the undamaged index
NAMED = "NAMED"  # an error of the library, or a problem that verify() names
FAULTS = (
    "RAW",  # another exception
    "WRONG",  # another answer, and nothing was raised
    "WRONG-BUT-VERIFY-NAMES-IT",  # the same where verify() would have told
    "CRASH",  # the process died of a signal
    "HANG",  # it had to be killed
    "LAUNDERED",  # verify() found a problem, then no more, and answers are still wrong
    "OUTSIDE",  # something beside the index was changed, or got in
    "MISNAMED",  # an error of the library that blames the wrong thing
    "FLOOD",  # files were filled without end
)
PACKAGE = "lfm2_colbert_rag"


@dataclass(frozen=True)
class Outcome:
    """What became of one step.

    Attributes:
        step: its name.
        outcome: RIGHT, NAMED, or one of FAULTS.
        what: the error or the difference, for people.
        root: the type of an error, and where the library raised it; alike for alike faults.
    """

    step: str
    outcome: str
    what: str = ""
    root: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether the library must not do this."""
        return self.outcome in FAULTS


class Failed:
    """Stands for the value of a step that raised."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Recorder:
    """Writes down what becomes of each step, line by line, so that the last one is known.

    Args:
        file: where to.
        judge: says of an error of the library whether it blames the right thing; what is wrong
            with it otherwise.
    """

    def __init__(
        self, file: TextIO, judge: Callable[[LFM2ColBERTError], str | None] = lambda error: None
    ) -> None:
        self._file = file
        self._judge = judge

    def judging(self, judge: Callable[[LFM2ColBERTError], str | None]) -> Recorder:
        """Return one that writes to the same file, and judges errors."""
        return Recorder(self._file, judge)

    def attempt(self, step: str, function: Callable[[], Any]) -> Any:
        """Return what a step gives; Failed, and an outcome, where it raises."""
        self._write({"begun": step})
        try:
            return function()
        except BaseException as error:
            self.note(self._of_error(step, error))
            return Failed(error)

    def note(self, outcome: Outcome) -> None:
        """Write an outcome down."""
        self._write(asdict(outcome))

    def right(self, step: str) -> None:
        """Write down that a step went as it should."""
        self.note(Outcome(step, RIGHT))

    def fault(self, step: str, outcome: str, what: str, root: str = "") -> None:
        """Write down a fault."""
        self.note(Outcome(step, outcome, what[:600], root or f"{outcome} in {step}"))

    def _of_error(self, step: str, error: BaseException) -> Outcome:
        what = f"{type(error).__name__}: {error}"[:600]
        root = f"{type(error).__name__} at {_last_frame(error)}"
        if any(isinstance(one, OSError) and one.errno == errno.EFBIG for one in _chain(error)):
            return Outcome(step, "FLOOD", what, root)
        if not isinstance(error, LFM2ColBERTError):
            return Outcome(step, "RAW", what, root)
        blamed = self._judge(error)
        if blamed is not None:
            return Outcome(step, "MISNAMED", f"{blamed}: {what}", root)
        return Outcome(step, NAMED, what, root)

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _last_frame(error: BaseException) -> str:
    """Say where the library was: file and function of the innermost of its frames."""
    ours = [
        f"{frame.filename.rpartition(f'{PACKAGE}/')[2]} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if f"/{PACKAGE}/" in frame.filename
    ]
    return ours[-1] if ours else "nowhere in the library"


def read(lines: list[str]) -> tuple[list[Outcome], str]:
    """Return the outcomes that were written down, and the step that was begun last."""
    outcomes, begun = [], "start"
    for line in lines:
        fields = json.loads(line)
        if "begun" in fields:
            begun = fields["begun"]
        else:
            outcomes.append(Outcome(**fields))
    return outcomes, begun
