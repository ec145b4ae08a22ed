"""The page's contents for assistants, read-only: tools of the Model Context Protocol."""
