"""The numbers of the run that the example bank asks about."""

NAMES = ["Bread", "Egg", "Soup", "Rice"]
LIME = {"score": [0.8, 0.5, 0.51, 0.7], "clear": [0, 1, 2]}
