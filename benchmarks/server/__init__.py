"""What HTTP, keys and the audit log cost; and what a server does when too much is asked of it."""
