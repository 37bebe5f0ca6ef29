"""The `--help` of commands and recipes, which tells the range of each number before its default."""

import argparse

from .ranges import Range


class CommandHelp(argparse.HelpFormatter):
    """Puts the range of a flag before its default."""

    def _get_help_string(self, action: argparse.Action) -> str | None:  # as the formatters of argparse add to the help
        about = super()._get_help_string(action)
        if about is None or not isinstance(action.type, Range):
            return about
        text, mark, default = about.partition(" (default: ")
        told = f" {str(action.type).capitalize()}." if text.endswith(".") else f"; {action.type}"
        return f"{text}{told}{mark}{default}"


class RecipeHelp(CommandHelp, argparse.RawDescriptionHelpFormatter):
    """Leaves the lines of a description as they are, too."""
