"""Scripts that put no blanks between words, as sets for :mod:`regex` (its version 1).

Each name is what stands between brackets in a pattern, such as ``regex.compile(f"(?V1)[{HAN}]+")``.

=============  =====================================================================
``SYLLABIC``   Thai, Lao, Khmer, Myanmar: a word is a run of syllables
``HAN``        Chinese characters and those of Japanese, their zero and iteration mark
``HIRAGANA``   with its marks of voice and iteration
``KATAKANA``   with its marks of length and iteration; a run of it is seen as one word
``UNSPACED``   all of these
=============  =====================================================================
"""

from __future__ import annotations

# Letters of old manuscripts and signs of the first supplementary plane count as any other letter.
_RARE = r"[\U00010000-\U0001ffff]"

SYLLABIC = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
HAN = rf"\p{{Han}}--[\p{{Nl}}\u303b{_RARE}--\u3007]"  # Hangzhou numerals are written as numbers are
HIRAGANA = rf"\p{{Hiragana}}\u3099\u309a--{_RARE}"
KATAKANA = rf"\p{{Katakana}}\u30fc--[\u3099\u309a\uff66-\uff9f{_RARE}]"
UNSPACED = rf"[{SYLLABIC}][{HAN}][{HIRAGANA}][{KATAKANA}]"
