"""Conversations for fine-tuning: records mapped to weaknesses, and what the catalogues say."""
