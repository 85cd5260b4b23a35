"""Encoding without torch: a checkpoint written as an ONNX graph, run by ONNX Runtime.

- ``graph``: a graph under construction, its weights streamed to a file beside it.
- ``linear``: the ways to multiply by a weight matrix: float, or int8 with a scale a row.
- ``lfm2``: the LFM2 backbone and projection as a graph.
- ``store``: conversion, once, into the user's cache or a folder of their choice.
- ``engine``: the encoder.
"""
