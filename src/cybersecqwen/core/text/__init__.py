"""Text tools: cleaning, sentences, search terms."""
