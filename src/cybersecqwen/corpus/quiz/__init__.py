"""Multiple-choice questions made from CWE, CAPEC and ATT&CK: for readers to learn from."""
