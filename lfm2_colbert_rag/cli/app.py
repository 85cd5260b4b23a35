"""The commands put together, and what happens when one of them fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

from ..errors import LFM2ColBERTError
from .adapt import adapt
from .align import align
from .audit import audit
from .backup import backup
from .capacity import capacity
from .delete import delete
from .demo import demo
from .encode import encode
from .evaluate import evaluate
from .export import export
from .export_model import export_model
from .homes import at_home
from .import_ import import_
from .index import index
from .keys import keys
from .mcp import mcp
from .optimize import optimize
from .output import replace_what_cannot_be_written
from .purge import purge
from .push import pull, push
from .restore import restore
from .search import search
from .serve import serve
from .stats import stats
from .tune_fusion import tune_fusion
from .verify import verify
from .warm import warm

__all__ = ["app", "run"]

INTERRUPTED = 130  # 128 + the signal's number, as shells report it
BROKEN_PIPE = 1  # what typer and rich exit with when they notice first

# typer stopped depending on click and carries its own copy; this is the base class of its usage
# errors in both worlds.
_UsageError: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

app = typer.Typer(
    name="lfm2-colbert",
    help="Index texts once, in any language; ask in any other.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # keeps paragraphs whole, whatever the width
    pretty_exceptions_enable=False,
)
for _command in (
    index,
    search,
    delete,
    stats,
    optimize,
    purge,
    tune_fusion,
    verify,
    backup,
    restore,
    encode,
    export,
    import_,
    push,
    pull,
    export_model,
    warm,
    align,
    evaluate,
    capacity,
    serve,
    mcp,
    demo,
):
    app.command(_command.__name__.strip("_").replace("_", "-"))(_command)
for _name, _commands in {"adapt": adapt, "keys": keys, "audit": audit}.items():
    app.add_typer(_commands, name=_name)
for _commands in (app, adapt, keys, audit):
    for _registered in _commands.registered_commands:
        if _registered.callback is not None:
            _registered.callback = at_home(_registered.callback)


def _show_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(f"lfm2-colbert {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Index texts once, in any language; ask in any other."""


def run(args: Sequence[str] | None = None) -> int:
    """Run one command and turn every mistake of a user into one line on stderr.

    Args:
        args: the arguments after the program's name; those of this process when omitted.

    Returns:
        The exit code.
    """
    replace_what_cannot_be_written()
    try:
        code = app(
            args=None if args is None else list(args),
            prog_name="lfm2-colbert",
            standalone_mode=False,
        )
        if sys.stdout is not None:
            sys.stdout.flush()  # a closed pipe must show here, not when the interpreter exits
    except LFM2ColBERTError as error:
        return _fail(str(error), 1)
    except _UsageError as error:
        return _fail_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        _drop_output()
        return BROKEN_PIPE
    except OSError as error:
        _drop_output()  # it may be what is written to, such as a full disk
        return _fail(_describe(error), 1)
    except MemoryError:
        return _fail("there was not enough memory; free some, or do less at once.", 1)
    except RecursionError:
        return _fail("what was given is nested too deeply to be read.", 1)
    if code == INTERRUPTED:  # newer typer catches Ctrl-C itself
        return _fail("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    with suppress(OSError):  # nobody reads errors any more
        typer.echo("error: " + " ".join(message.split()), err=True)
    return code


def _fail_usage(error: Any) -> int:
    message = error.format_message()
    if not message:  # no command at all: the help has been shown already
        return int(error.exit_code)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "lfm2-colbert"
    end = "" if message.endswith((".", "?")) else "."
    return _fail(f"{message}{end} See '{command} --help'.", int(error.exit_code))


def _describe(error: OSError) -> str:
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}"


def _drop_output() -> None:
    """Let what is still buffered go nowhere if stdout takes no more, as after ``| head``.

    The interpreter would complain about it while it exits.
    """
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):  # a stdout without a descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except AttributeError:  # there is no stdout at all
        return
