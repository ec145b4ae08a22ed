"""How large an installation has to be for a rate of lines, from measured slopes."""
