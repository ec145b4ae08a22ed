"""What the page knows: incidents, windows and changes in bounded memory, filled from the topics or from files."""
