"""The folder of an index on the disk: the only SQL, the only locks, whole commits."""
