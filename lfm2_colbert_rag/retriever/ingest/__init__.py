"""The write path: texts to windows, windows to vectors, vectors to one commit."""
