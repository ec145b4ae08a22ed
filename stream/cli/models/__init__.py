"""Commands of ``tocsin models``: versions of bundles, which one judges, and the store that holds them."""
