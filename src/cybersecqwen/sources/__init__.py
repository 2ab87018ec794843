"""One file per upstream format, each turning it into core records."""
