"""Recipe of the bundled nano model: corpus, vocabulary, teacher labels, training, export."""
