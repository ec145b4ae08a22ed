"""The web server: routes, who may do what, and the headers that every answer carries."""
