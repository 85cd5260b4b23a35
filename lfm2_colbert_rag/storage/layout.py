"""What lies in the folder of an index."""

SEGMENTS = "segments"
CODEBOOKS = "codebooks"
STAGING = "staging"
LOCK = "writer.lock"
HOLDER = "writer.json"
OPTIMIZER = "optimizer.lock"
