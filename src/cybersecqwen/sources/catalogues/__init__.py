"""CWE, CAPEC and ATT&CK as their publishers ship them."""
