"""Reports on evaluation logs, as HTML and Markdown."""
