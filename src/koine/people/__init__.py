"""Commands for people: what a recipe needs, comes to and has given, and what is done with a trained model.

No rule of the workflow runs them, so what they are made of counts as the code of no step.
"""
