"""The shared words: commands, outcomes, events, units and their canonical bytes.

In   nothing: every other part imports this one.
Out  the same names, numbers and bytes in every part, and in Rust and Solidity through generated
     copies.
"""
