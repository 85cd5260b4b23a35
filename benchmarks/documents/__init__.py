"""Documents that people have: what reads them best, and a corpus nobody here wrote."""
