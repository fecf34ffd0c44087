"""A page in the browser, and the same as a JSON API: for those who do not use a shell."""
