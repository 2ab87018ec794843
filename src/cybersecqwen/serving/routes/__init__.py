"""HTTP routes: each adapts one application function."""
