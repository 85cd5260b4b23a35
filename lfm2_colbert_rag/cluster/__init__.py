"""One index over several machines: its passages lie in an engine that spreads them.

What an engine must be able to do is :class:`~.backend.Backend`; what is asked of it are plans
(:mod:`.plan`) and points (:mod:`.points`), plain data that each backend only translates. Nothing
here encodes, ranks or fuses: that is done by the parts that a folder's retriever has, too
(:mod:`lfm2_colbert_rag.retriever.remote` puts both together).
"""
