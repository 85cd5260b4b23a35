"""XML of documents, parsed without what makes XML a danger."""

from __future__ import annotations

from typing import Any

from .._support.extras import require

__all__ = ["local", "parse_xml"]


def parse_xml(data: bytes) -> Any:
    """Parse XML into an lxml element.

    Entities are not resolved, nothing is fetched, and libxml2's own limits on depth and size hold.

    Args:
        data: the document.

    Raises:
        MissingExtraError: the extra ``files`` is not installed.
        lxml.etree.XMLSyntaxError: it is no XML; callers say what that means.
    """
    etree = require("lxml.etree", extra="files")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False
    )
    return etree.fromstring(data, parser)


def local(element: Any) -> str:
    """Return the name of an element without its namespace; empty for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
