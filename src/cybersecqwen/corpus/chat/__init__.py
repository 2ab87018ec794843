"""Questions that an analyst asks about a vulnerability record, and answers made of facts."""
