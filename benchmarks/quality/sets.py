"""The sets, and how each is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lfm2_colbert_rag.evaluation import Dataset, load_dataset, load_family

TRAINED = ("en", "ar", "de", "es", "zh")
LITTLE_TRAINED = ("el", "hi", "ro", "ru", "th", "tr", "vi")
FAMILY = "xquad"


@dataclass(frozen=True)
class JudgedSet:
    """One set in one language.

    Attributes:
        language: of its queries and passages.
        titles: put titles before texts.
    """

    language: str
    titles: bool = False


MONOLINGUAL = {
    "piaf_fr": JudgedSet("fr"),
    "jsquad_ja": JudgedSet("ja"),
    "arcd_ar": JudgedSet("ar"),
    "cmrc2018_zh": JudgedSet("zh"),
    "policyqa_test_en": JudgedSet("en"),
    "scifact": JudgedSet("en", titles=True),
    "cranfield": JudgedSet("en"),
}
LINE_BREAK = " [SEP] "  # JSQuAD joins titles so


@dataclass(frozen=True)
class Task:
    """What is measured in one go, over one index.

    Attributes:
        name: in the results, such as ``"arcd_ar"`` or ``"xquad/de"``, the language of passages.
        languages: of queries and passages; several pairs share an index.
    """

    name: str
    languages: tuple[tuple[str, str], ...]

    @property
    def own_pair(self) -> tuple[str, str]:
        """Queries and passages in the same language."""
        language = self.name.partition("/")[2] or MONOLINGUAL[self.name].language
        return language, language

    def is_in(self, data: Path) -> bool:
        """Say whether the set is there."""
        return (data / self.name.partition("/")[0]).is_dir()

    def dataset(self, data: Path, pair: tuple[str, str]) -> Dataset:
        """Read the set, with all queries, asked and answered in two languages."""
        folder = self.name.partition("/")[0]
        if folder == FAMILY:
            return load_family(data / FAMILY, line_break=LINE_BREAK).dataset(*pair)
        one = MONOLINGUAL[folder]
        # One passage of Cranfield has no text, and is judged all the same.
        return load_dataset(data / folder, titles=one.titles, line_break=LINE_BREAK, missing="drop")


def tasks() -> list[Task]:
    """Return every task: XQuAD by passage language, then the others.

    English passages are asked in all twelve languages, those of the other languages of training
    in these, and every other language in English and in itself.
    """
    found = [Task(f"{FAMILY}/en", tuple((asked, "en") for asked in TRAINED + LITTLE_TRAINED))]
    found += [
        Task(f"{FAMILY}/{language}", tuple((asked, language) for asked in TRAINED))
        for language in TRAINED[1:]
    ]
    found += [
        Task(f"{FAMILY}/{language}", (("en", language), (language, language)))
        for language in LITTLE_TRAINED
    ]
    return found + [
        Task(name, ((one.language, one.language),)) for name, one in MONOLINGUAL.items()
    ]
