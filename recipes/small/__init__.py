"""How ``small`` was made: the teacher of nano, its vocabulary cut, with a head of its own."""
