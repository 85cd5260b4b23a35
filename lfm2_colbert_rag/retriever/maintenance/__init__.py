"""What happens between calls: compressing, merging, encoding again, measuring recall."""
