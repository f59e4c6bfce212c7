"""Layer 0: values, roles, errors, parameters, registry. Standard library only; imports nothing above it."""
