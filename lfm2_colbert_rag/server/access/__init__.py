"""Who asks, and what they may do: keys, the tokens made of them, and the gate that reads both."""
