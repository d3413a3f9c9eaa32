"""One module per command, each with ``run(arguments) -> Answer``; imported when the command is called."""
