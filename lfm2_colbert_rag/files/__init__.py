"""Files that people have, as passages: found, decoded, read, and compared with what is indexed."""
