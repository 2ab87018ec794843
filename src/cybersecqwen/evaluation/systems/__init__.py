"""What can be evaluated, behind one Protocol."""
