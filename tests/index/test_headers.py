"""Headers of arrays: those that this library writes are read, everything else is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert_rag.index.arrays import FileInfo, describe_arrays, open_arrays, write_arrays
from lfm2_colbert_rag.index.headers import read_header

DTYPES = ["u1", "i1", "u2", "i4", "i8", "f2", "f4"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0,), (7,), (0, 3), (5, 128)])
def test_what_is_written_is_read(tmp_path, dtype, shape):
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    write_arrays(tmp_path, {"values": values}, durable=False)
    with (tmp_path / "values.npy").open("rb") as file:
        header = read_header(file)
    assert (header.dtype, header.shape) == (values.dtype, shape)
    assert header.end == (tmp_path / "values.npy").stat().st_size
    for streamed in ((), ("values",)):
        read = open_arrays(tmp_path, describe_arrays(tmp_path), streamed)["values"]
        np.testing.assert_array_equal(read, values)
        assert read.dtype == values.dtype
        assert not read.flags.writeable


def header_of(text: bytes, magic: bytes = b"\x93NUMPY\x01\x00", length: int | None = None) -> bytes:
    size = len(text) if length is None else length
    return magic + size.to_bytes(2, "little") + text


SOUND = b"{'descr': '<f2', 'fortran_order': False, 'shape': (3, 4), }   \n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        header_of(SOUND, b"\x93NUMPY\x02\x00"),
        header_of(SOUND, b"\x93NUMPX\x01\x00"),
        header_of(SOUND, length=65_535),
        header_of(SOUND.replace(b"<f2", b">f2")),
        header_of(SOUND.replace(b"'<f2'", b"'|O'")),
        header_of(SOUND.replace(b"'<f2'", b"[('a', '<f2')]")),
        header_of(SOUND.replace(b"False", b"True")),
        header_of(SOUND.replace(b"(3, 4)", b"()")),
        header_of(SOUND.replace(b"(3, 4)", b"(3, 4, 5)")),
        header_of(SOUND.replace(b"(3, 4)", b"(-3, 4)")),
        header_of(SOUND.replace(b"(3, 4)", b"(" + b"9" * 30 + b",)")),
        header_of(b"(" * 900),
        header_of(b"{'descr': '" + b"\\" * 900),
        header_of(b"9**9**9**9"),
        header_of(SOUND.replace(b"3", "٣".encode())),
    ],
)
def test_other_headers_are_refused(content):
    with pytest.raises(ValueError, match=r"its header is|does not begin|order of bytes"):
        read_header(io.BytesIO(content))


@given(st.binary(max_size=80), st.integers(0, 120))
def test_no_damage_is_evaluated(noise, place):
    """Damaged anywhere, a header is refused or says something that it could have said."""
    whole = header_of(SOUND)
    damaged = whole[:place] + noise + whole[place + len(noise) :]
    try:
        header = read_header(io.BytesIO(damaged))
    except ValueError:
        return
    assert header.dtype.kind in "fiu"
    assert 1 <= len(header.shape) <= 2
    assert min(header.shape) >= 0


def test_the_promise_of_a_header_is_compared_with_the_file(tmp_path):
    from lfm2_colbert_rag.errors import IndexCorruptError

    write_arrays(tmp_path, {"values": np.zeros(8, np.uint8)}, durable=False)
    path = tmp_path / "values.npy"
    path.write_bytes(path.read_bytes().replace(b"(8,)", b"(9,)"))
    files: dict[str, FileInfo] = describe_arrays(tmp_path)
    for streamed in ((), ("values",)):
        with pytest.raises(IndexCorruptError, match=r"values\.npy cannot be read: .*promises"):
            open_arrays(tmp_path, files, streamed)
