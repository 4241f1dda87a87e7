"""Do the tests notice when the code is changed? Mutation testing of the modules that promise most."""
