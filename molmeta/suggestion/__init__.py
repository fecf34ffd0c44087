"""What to measure next: a batch that is likely active, informative and diverse."""
