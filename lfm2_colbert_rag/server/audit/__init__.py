"""What was done, by whom and when, in lines that hang together; never what was asked or stored."""
