"""Encoding without torch: a checkpoint written as an ONNX graph, run by ONNX Runtime.

- ``graph``: a graph under construction, its weights streamed to a file beside it.
- ``dtypes``: of weights.
- ``linear``: the ways to multiply by a weight matrix: float, or int8 with a scale a row.
- ``layers``, ``activations``, ``projection``: what the graphs of all backbones are made of.
- ``lfm2_graph``, ``bert_graph``, ``modernbert_graph``: one backbone each; that of XLM-RoBERTa is
  BERT's with ``xlm_roberta_positions``.
- ``model_graph``: a whole checkpoint as a graph.
- ``converted``: checkpoints converted once and kept in the user's cache.
- ``model_export``: a converted model in a folder of its own.
- ``onnx_engine``: the encoder.
"""
