"""What Dify makes of a server that has had enough of wrong keys."""

from __future__ import annotations

from ..running import running


def test_no_wrong_key_passes_the_check_at_set_up_however_often_it_is_tried(tmp_path):
    """Dify takes 429 for a sign that the key is right."""
    with running(tmp_path, "--auth-failures", "2") as server:
        server.make("docs")
        wrong = [server.ask("POST", "/dify/retrieval", key="lcb_wrong") for _ in range(4)]
        assert [answer.status_code for answer in wrong] == [403] * 4
        assert [answer.json()["error_code"] for answer in wrong] == [1001, 1001, 1002, 1002]
        assert "retry-after" in wrong[-1].headers
        key = server.key(["search"], indexes=["docs"])
        assert server.ask("POST", "/dify/retrieval", key=key).status_code == 400
