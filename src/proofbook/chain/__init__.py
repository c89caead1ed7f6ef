"""What settlement and verification both need of an EVM chain: JSON-RPC, calls, events, proofs.

Import rule: this package imports only `protocol` (and itself). `settlement` and `verification`
import it and never each other, so that a verifier shares no code with the operator that it checks
beside what is read here from public bytes.
"""
