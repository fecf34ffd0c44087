"""A target's predictions as one page to show: what they are, and what they rest on."""
