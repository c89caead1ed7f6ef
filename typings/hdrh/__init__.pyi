"""The part of hdrhistogram that the pipeline's bench uses; the package ships no types."""
