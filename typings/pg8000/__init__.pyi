"""The part of pg8000 that histories use; the package ships no types."""
