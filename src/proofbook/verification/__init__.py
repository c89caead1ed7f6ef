"""From the chain alone to a verdict. Nothing that the operator says is trusted.

Import rule: `chain`, `protocol`, and an engine (`kernel` or `spec`); never `sequencer`, `ingress`,
`queries` or `settlement`.
"""
