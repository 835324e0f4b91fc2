"""Blindness as an experiment: can anything an operator's client sees tell what she must not know?"""
