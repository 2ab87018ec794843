"""Question and answer templates of the conversation corpus, one module a subject."""
