"""An offline index over CWE, CAPEC and ATT&CK: passages with citation ids, found by words."""
