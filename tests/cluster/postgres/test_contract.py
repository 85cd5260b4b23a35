"""The laws of an index in an engine, each held on two servers of PostgreSQL."""

from __future__ import annotations

from contextlib import closing

import pytest

from lfm2_colbert_rag.cluster.address import Address
from lfm2_colbert_rag.cluster.postgres import PostgresBackend
from lfm2_colbert_rag.retriever.remote_facade import RemoteRetriever
from lfm2_colbert_rag.retriever.remote_opening import open_remote

from ..test_moving import (
    test_another_models_index_takes_nothing,
    test_candidates_find_what_exact_search_finds,
    test_there_and_back,
)
from ..test_retriever import (
    local,
    test_a_blank_question_asks_for_what_matches,
    test_a_passage_scores_as_its_best_window,
    test_an_index_knows_its_model,
    test_an_index_without_terms,
    test_closed_is_closed,
    test_deleting,
    test_evidence_is_that_of_a_folder,
    test_given_vectors_are_found,
    test_hits_are_those_of_a_folder,
    test_many_windows_crowd_nobody_out,
    test_new_metadata_keep_the_vectors,
    test_passages_are_read_on_where_a_list_broke_off,
    test_tenants_see_their_own,
    test_the_rest_of_the_methods,
    test_unchanged_passages_are_not_written_again,
    test_what_is_replaced_leaves_nothing,
    test_words_rank_as_in_a_folder,
)

__all__ = [
    "local",
    "test_a_blank_question_asks_for_what_matches",
    "test_a_passage_scores_as_its_best_window",
    "test_an_index_knows_its_model",
    "test_an_index_without_terms",
    "test_another_models_index_takes_nothing",
    "test_candidates_find_what_exact_search_finds",
    "test_closed_is_closed",
    "test_deleting",
    "test_evidence_is_that_of_a_folder",
    "test_given_vectors_are_found",
    "test_hits_are_those_of_a_folder",
    "test_many_windows_crowd_nobody_out",
    "test_new_metadata_keep_the_vectors",
    "test_passages_are_read_on_where_a_list_broke_off",
    "test_tenants_see_their_own",
    "test_the_rest_of_the_methods",
    "test_there_and_back",
    "test_unchanged_passages_are_not_written_again",
    "test_what_is_replaced_leaves_nothing",
    "test_words_rank_as_in_a_folder",
]

pytestmark = [pytest.mark.long, pytest.mark.subprocess]


@pytest.fixture
def backend(fleet):
    with closing(PostgresBackend.at(Address.parse(fleet.address()))) as opened:
        yield opened


@pytest.fixture
def remote(backend):
    return RemoteRetriever(open_remote(backend, "hash", {}, read_only=False, shards=2))
