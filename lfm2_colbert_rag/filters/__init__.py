r"""Metadata filters: the mapping that users write, checked and turned into a small tree.

``{"product": "router", "year": {"$gte": 2024}, "$not": {"lang": {"$in": ["fr", "de"]}}}``

Rules, the same wherever a filter is evaluated:

* Entries of one mapping must all hold. A bare value means ``$eq``.
* A dotted name descends into nested objects: ``"maker.country"``; so does a nested mapping:
  ``{"maker": {"country": "it"}}``. A dot that belongs to the key is written ``"\."``.
* A list stands for each of its elements, wherever it is: a field that holds one matches when any
  of its elements does, and ``"authors.name"`` is the name of any author in a list of them. Two
  conditions on one list may be met by two of its elements.
* ``{"title": {"$contains": "reset"}}`` looks for a piece of a string, ``$icontains`` in upper or
  lower case, see :func:`fold`.
* ``$id`` stands where a field's name would, and is the passage's id:
  ``{"$id": {"$in": ["reset", "guest"]}}``. So does ``$lang``, the language that the passage's text
  was told to be in, as an ISO 639 code: ``{"$lang": "de"}``; ``"und"`` where it cannot be told.
* Numbers compare with numbers, strings with strings (by code point), booleans with booleans;
  across kinds nothing is equal, less or greater.
* ``$ne``, ``$nin`` and ``$not`` match whatever the opposite does not: of a list, no element may be
  equal; a passage without the field matches. ``$exists`` asks for the key, whatever its value, be
  it null or an empty list.
* Strings and names are looked for in Unicode's normal forms C and D, so that it does not matter
  which of them was stored, or is written here.
* ``$in`` and ``$nin`` take any iterable. Dates, enumerations, NumPy's numbers and so on mean what
  metadata of that kind are stored as; see :func:`~lfm2_colbert_rag.plain_metadata`.

What is larger than the limits below is a :class:`~lfm2_colbert_rag.errors.FilterError`:

==================  ===========================================================================
``MAX_DEPTH``       mappings within one another, and names of one field: as deep as metadata go
``MAX_CONDITIONS``  comparisons; of mappings there may be three times as many
``MAX_OPERANDS``    values of all lists of ``$in`` and ``$nin`` together
``MAX_CHARACTERS``  of all strings and names together
==================  ===========================================================================

A :class:`~lfm2_colbert_rag.View` takes less, see ``LIMITS_OF_VIEWS``.
"""

from __future__ import annotations

from .meaning import kind_of, matches, matches_everything, values_at
from .names import can_be_named, field_name, parse_field
from .parsing import (
    COMPARISONS,
    LIMITS,
    LIMITS_OF_VIEWS,
    LOGIC,
    MAX_CHARACTERS,
    MAX_CONDITIONS,
    MAX_OPERANDS,
    Limits,
    Scalar,
    parse_where,
)
from .plain import MAX_INTEGER
from .prefixing import comparisons, with_id_prefix
from .settling import settled
from .strings import fold, has_another_form
from .tree import (
    EVERYTHING,
    ID_PATH,
    LANGUAGE_PATH,
    MAX_DEPTH,
    And,
    Comparison,
    Filter,
    Not,
    Or,
    Path,
)

__all__ = [
    "COMPARISONS",
    "EVERYTHING",
    "ID_PATH",
    "LANGUAGE_PATH",
    "LIMITS",
    "LIMITS_OF_VIEWS",
    "LOGIC",
    "MAX_CHARACTERS",
    "MAX_CONDITIONS",
    "MAX_DEPTH",
    "MAX_INTEGER",
    "MAX_OPERANDS",
    "And",
    "Comparison",
    "Filter",
    "Limits",
    "Not",
    "Or",
    "Path",
    "Scalar",
    "can_be_named",
    "comparisons",
    "field_name",
    "fold",
    "has_another_form",
    "kind_of",
    "matches",
    "matches_everything",
    "parse_field",
    "parse_where",
    "settled",
    "values_at",
    "with_id_prefix",
]
