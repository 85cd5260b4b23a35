"""Files, backups, dumps, models and encoders that are not what they should be, by the hundred.

Each case is played in a process of its own, forked from a warm one, so that crashes, hangs and
eaten memory are seen for what they are. What the library may answer: the right thing, or an error
of its own that says what is wrong. See :mod:`.outcomes` for what else is told apart.

``make test-faults`` plays all cases and prints a table; ``LFM2_COLBERT_FAULTS`` says how many
damages there are (150 in ordinary runs; backups and vectors in proportion),
``LFM2_COLBERT_FAULTS_JSON`` where failures are written, and ``LFM2_COLBERT_FAULT`` names a single
case to be played again.
"""
