"""Training of the option ranker for open-book multiple choice."""
