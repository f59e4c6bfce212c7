"""Models behind one border: capabilities, not vendors."""
