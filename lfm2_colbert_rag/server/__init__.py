"""An HTTP server for indexes on a machine of one's own; needs the extra ``server``."""
