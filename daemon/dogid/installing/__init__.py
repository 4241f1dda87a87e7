"""Making a system service of dogid: user, folders, virtual environment, units; and taking it away again."""
