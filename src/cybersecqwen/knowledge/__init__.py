"""An offline index over CWE, CAPEC and ATT&CK."""
