"""Files written whole or not at all, and a cache of them."""
