"""Encoding without torch: a checkpoint written as an ONNX graph, run by ONNX Runtime.

- ``graph``: a graph under construction, its weights streamed to a file beside it.
- ``dtypes``: of weights.
- ``linear``: the ways to multiply by a weight matrix: float, or int8 with a scale a row.
- ``lfm2_graph``: the LFM2 backbone and projection as a graph.
- ``converted``: checkpoints converted once and kept in the user's cache.
- ``model_export``: a converted model in a folder of its own.
- ``onnx_engine``: the encoder.
"""
