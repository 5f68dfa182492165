"""A second reader of Gimbal's bytes, written from docs/wire-format.md and Specs/gimbal.cddl alone.

It is slow and plain on purpose: it exists to disagree with the Swift code where the specification can be read in two ways.
"""
