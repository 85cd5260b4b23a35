"""``lfm2-colbert verify``: is an index whole?"""

from __future__ import annotations

import typer

from ..errors import IndexNotFoundError
from .options import IndexFolder, JsonFlag
from .output import count, echo_json, note, plain

__all__ = ["verify"]


def verify(folder: IndexFolder, as_json: JsonFlag = False) -> None:
    """Check every file of an index, and that texts and vectors belong together.

    Nothing is changed, and the index may be in use. Exits with 1 and names what is wrong if
    anything is.
    """
    from ..storage.verification import verify_folder

    if not folder.is_dir():
        raise IndexNotFoundError(f"{folder} is no folder, so it holds no index.")
    problems = verify_folder(folder)
    if as_json:
        echo_json({"path": str(folder), "sound": not problems, "problems": problems})
    elif problems:
        for problem in problems:
            typer.echo(plain(problem))
        note(f"{folder} is not sound: {count(len(problems), 'problem')}.")
    else:
        typer.echo(f"{folder} is sound.")
    if problems:
        raise typer.Exit(1)
