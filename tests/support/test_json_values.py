"""Metadata that are no JSON yet: translated in one obvious way, or refused by name."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from lfm2_colbert_rag import Retriever, plain_metadata
from lfm2_colbert_rag._support.intake import Intake
from lfm2_colbert_rag.errors import InputError

from .given import AS_THEY_ARE, TRANSLATED, warnings


@dataclass
class Author:
    name: str


def nested(levels: int) -> list[object]:
    inner: list[object] = []
    for _ in range(levels):
        inner = [inner]
    return inner


class TestMetadata:
    @pytest.mark.parametrize("name", TRANSLATED)
    def test_with_one_obvious_form_are_translated(self, name):
        value, expected = TRANSLATED[name]
        if name == "set of kinds":  # in an order that does not depend on the process
            expected = [None, 1, [2], "b"]
            assert sorted(map(repr, plain_metadata({"x": value})["x"])) == sorted(
                map(repr, expected)
            )
            expected = plain_metadata({"x": value})["x"]
        intake = Intake()
        passage = intake.passage("text", "1", {"x": value}, "text 0")
        assert json.dumps(passage.metadata) == json.dumps({"x": expected})
        assert "the metadata of 1 passage" in intake.remark()
        assert "text 0, 'x'" in intake.remark()

    def test_are_told_once_however_many_there_are(self, empty, caplog):
        metadata = [{name: value} for name, (value, _) in TRANSLATED.items()]
        texts = [f"text {place}" for place in range(len(metadata))]
        empty.add(texts, metadata=metadata)
        stored = [passage.metadata for passage in empty.passages()]
        assert json.dumps(stored) == json.dumps([plain_metadata(one) for one in metadata])
        (told,) = warnings(caplog)
        assert f"the metadata of {len(metadata)} passages translated to JSON (first: " in told
        assert "text 0, 'date' is date (datetime.date(2024, 1, 5)), kept as '2024-01-05'" in told

    @pytest.mark.parametrize("name", AS_THEY_ARE)
    def test_that_are_json_already_are_nothing_to_talk_about(self, name):
        value = AS_THEY_ARE[name]
        intake = Intake(strict=True)
        passage = intake.passage("text", "1", {"x": value}, "text 0")
        assert passage.metadata == {"x": dict(value) if hasattr(value, "keys") else value}
        assert json.loads(json.dumps(passage.metadata)) == passage.metadata
        assert intake.remark() is None

    @pytest.mark.parametrize("name", TRANSLATED)
    def test_are_refused_by_who_wants_it(self, name):
        with pytest.raises(InputError, match="'x'") as caught:
            plain_metadata({"x": TRANSLATED[name][0]}, strict=True)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (b"bytes", r"'x' is bytes \(b'bytes'\), which is not JSON.*decode\(\)"),
            (bytearray(b"x"), "'x' is bytearray"),
            (np.bytes_(b"x"), "'x' is bytes_"),
            (dt.timedelta(days=1), r"'x' is timedelta .*total_seconds\(\)"),
            (np.timedelta64(1, "s"), r"'x' is timedelta64 .*total_seconds\(\)"),
            (1j, "'x' is complex"),
            (np.complex64(1), "'x' is complex64"),
            (object(), r"'x' is object .*str\(\)"),
            (Author("Ada"), r"'x' is Author .*dataclasses.asdict\(\)"),
            (dt.date, "'x' is type"),
            (np.float32, "'x' is type"),
            (len, "'x' is builtin_function_or_method"),
            ((one for one in ()), "'x' is generator"),
            (2**63, "'x' is 9223372036854775808, beyond 64 bits; store it as a string"),
            (np.uint64(2**64 - 1), "beyond 64 bits"),
            ({10**5000: 1}, "beyond 64 bits"),
            ([1, {"y": (1, {object()})}], "'x', 'y' is object"),
            (nested(40), "nested more than 32 levels deep"),
            ({1: "a", "1": "b"}, "'x' has the keys 1 and '1', which are both '1' in JSON"),
            ({"a\0": 1, "a\ud800": 2}, "'x' has the keys"),
            ({(1, 2): "a"}, r"'x' has the key \(1, 2\); keys must be strings"),
        ],
    )
    def test_of_which_nobody_can_tell_the_form_are_refused_by_name(self, value, message):
        with pytest.raises(InputError, match=message) as caught:
            plain_metadata({"d": dt.date(2024, 1, 5), "x": value})
        assert len(str(caught.value)) < 400
        assert "\n" not in str(caught.value)

    def test_that_are_refused_change_nothing(self, empty):
        with pytest.raises(InputError, match="metadata of text 1, 'x' is object"):
            empty.add(["fine", "text"], metadata=[{"d": dt.date(2024, 1, 5)}, {"x": object()}])
        assert len(empty) == 0

    def test_of_pydantic_are_refused_with_the_remedy(self, empty):
        pydantic = pytest.importorskip("pydantic", reason="the adapters bring pydantic")
        model = pydantic.create_model("Model", a=(int, 1))()
        with pytest.raises(InputError, match=r"'x' is Model .*model_dump\(\)"):
            empty.add(["text"], metadata=[{"x": model}])
        with pytest.raises(InputError, match="must be a mapping or None, not Model"):
            empty.add(["text"], metadata=[model])

    def test_that_hold_themselves_are_refused_at_once(self, empty):
        many: list[object] = []
        many += [many] * 8
        mapping: dict[str, object] = {}
        mapping["x"] = mapping
        array = np.empty(1, dtype=object)
        array[0] = array
        single = np.empty((), dtype=object)
        single[()] = single
        for value in (many, mapping, array, single, [(1, mapping)]):
            with pytest.raises(InputError, match="text 0"):
                empty.add(["text"], metadata=[{"x": value}])
        twice = [1]
        empty.add(["text"], metadata=[{"a": twice, "b": [twice, twice]}])

    def test_share_nothing_with_what_was_given(self, empty):
        given = {"a": [1, {"b": 2}]}
        empty.add(["text"], ids=["1"], metadata=[given])
        plain = plain_metadata(given)
        plain["a"][1]["b"] = 3
        assert given == {"a": [1, {"b": 2}]}

    def test_sets_have_one_order_in_every_process(self):
        code = (
            "from lfm2_colbert_rag import plain_metadata\n"
            "print(plain_metadata({'x': {*map(str, range(20)), 1, 2.5, None, ('a',)}}))"
        )
        runs = {
            subprocess.run(
                [sys.executable, "-c", code],
                env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for seed in ("1", "2")
        }
        assert len(runs) == 1

    def test_need_neither_numpy_nor_pandas_to_be_told(self):
        code = (
            "import sys, datetime\nfrom lfm2_colbert_rag import plain_metadata\n"
            "plain_metadata({'x': datetime.date(2024, 1, 5)})\n"
            "print({'numpy', 'pandas'} & set(sys.modules))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.stdout.strip() == "set()", run.stderr

    def test_of_pandas(self):
        pd = pytest.importorskip("pandas", reason="pandas is not installed here")
        moment = pd.Timestamp("2024-01-05 10:30")
        frame = pd.DataFrame({"n": [1, 2], "when": [moment, pd.NaT], "s": pd.array(["a", pd.NA])})
        assert [plain_metadata(row) for row in frame.to_dict("records")] == [
            {"n": 1, "when": "2024-01-05T10:30:00", "s": "a"},
            {"n": 2, "when": None, "s": None},
        ]
        assert plain_metadata(
            {
                "series": frame["n"],
                "moments": frame["when"],
                "index": frame.index,
                "categories": pd.Categorical(["a", None]),
                "zone": moment.tz_localize("Europe/Berlin"),
                "nano": pd.Timestamp("2024-01-05 10:30:00.000000001"),
                "missing": pd.NA,
                pd.Timestamp("2024-01-05"): 1,
            }
        ) == {
            "series": [1, 2],
            "moments": ["2024-01-05T10:30:00", None],
            "index": [0, 1],
            "categories": ["a", None],
            "zone": "2024-01-05T10:30:00+01:00",
            "nano": "2024-01-05T10:30:00.000000001",
            "missing": None,
            "2024-01-05T00:00:00": 1,
        }
        for value in (frame, pd.Timedelta("1s"), pd.Interval(0, 1)):
            with pytest.raises(InputError, match=type(value).__name__):
                plain_metadata({"x": value})
        texts = pd.Series(["one", "two"], index=[7, 9])
        retriever = Retriever.from_texts(texts, ids=texts, metadata=[{}, {}], model="hash")
        assert len(retriever) == 2
        with pytest.raises(InputError, match="texts must be a list of strings, not DataFrame"):
            retriever.add(frame)
