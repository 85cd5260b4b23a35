"""An index on the servers of a vector database, past what one machine holds."""
