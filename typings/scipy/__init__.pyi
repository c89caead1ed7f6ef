"""The part of scipy that fits and margins use; the package ships no types."""
