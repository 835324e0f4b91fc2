"""The demo: sample footage made on the machine, and the run that leads it through the whole house."""
