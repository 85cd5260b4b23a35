"""Files to encoded files: one export a source file, made by one machine or by many."""
