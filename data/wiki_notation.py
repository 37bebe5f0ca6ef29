r"""The parts of a sentence that belong to no language: code, addresses, files, options, placeholders, markup.

Nearly all of it is written in Latin letters, whatever the language of the sentence around it: "``os.path.join()``
を使う" is Japanese. A piece is known

- by its marks: ``code``, `code`, :role:`text <target>`_, `name', "name", <code>x</code>, <tag attribute="x">, B<pod>,
  <placeholder>, *argument*, {name}, $VAR, ${VAR}, $(command), %(name)s, &entity;, @code{x}, \newline
- or by its form: http://x.org/y, a@b.org, /usr/bin, a/b, C:\x, --option=x, -x, snake_case, a.dotted.name, camelCase,
  x::y, x86, printf(3), main(), Ctrl+C
"""

import regex

CODE_SPAN = regex.compile(
    r"""
    (?: (?<![A-Za-z0-9:_+.-]) : [A-Za-z0-9:_+.-]{1,60}+ (?<=:) )?  # a role of reStructuredText
    (?:
      (?P<fence> (?<!`) ``+ ) (?![`\s]) (?: [^`]++ | (?!(?P=fence)) `+ )*+ (?<!\s) (?P=fence) (?!`)
      # Between two letters a backquote is an apostrophe, and in ``this'' it is no more than a quotation mark.
    | (?<! [\p{Lu}\p{Ll}0-9`] ) ` (?![`\s]) [^`]*+ (?<!\s) ` (?! [\p{Lu}\p{Ll}0-9`] ) _{0,2}
    )
    """,
    regex.VERBOSE | regex.VERSION1,
)
"""Text between backquotes."""

_CODE_ELEMENTS = (
    "cmd code command computeroutput constant email envar file filename function input key keycap "
    "keysym kbd literal option output parameter pre prompt replaceable samp sys systemitem tt type "
    "userinput var varname"
)
"""Elements of HTML, DocBook and Mallard that hold names and code."""

_W = "[A-Za-z0-9_]"
"""A letter of a word of code; unlike \\w it separates such a word from Japanese around it, without spaces."""

_PIECES = rf"""
    < (?P<element> {"|".join(_CODE_ELEMENTS.split())} ) (?: \s [^<>]*+ )? >
      [^<]*+ (?: < (?!/(?P=element)>) [^<]*+ ){{0,20}} </ (?P=element) >
  | <!-- [^<>]*+ -->
  # A tag, a placeholder, an address, and with a letter before it the B<cat>, I<-d> and C<< x >> of POD.
  | (?: (?<!{_W}) [A-Z]{{1,2}} )?
    (?: (?<!<) <<+ \s [^<>]*+ (?<=\s) >>+ | < [/!?]? [A-Za-z_] [^<>]*+ > | < [!-;=?-~]++ > )
  | (?<!{_W}) [A-Z]{{1,2}} (?= < )
  # A word between quotation marks.
  | ` [^\s`']++ '
  | (?<!{_W}) (?: " [A-Za-z0-9_.+-]++ " | ' [A-Za-z0-9_.+-]++ ' | [“„‘«‹「『] [A-Za-z0-9_.+-]++ [”“’»›」』] )
      (?!{_W})
  # Addresses, paths.
  | (?<!{_W}) (?: [A-Za-z][A-Za-z0-9+.-]{{1,20}}+ :// | www\. | mailto: ) [!-~\p{{Lu}}\p{{Ll}}--[<>"]]++
  | (?<! [A-Za-z0-9._%+-] ) [A-Za-z0-9._%+-]++ @ [A-Za-z0-9.-]++
  | (?<!{_W}) [A-Za-z] : [\\/] [!-~--[<>"|]]*+
  | (?<! [A-Za-z0-9_/] ) (?: ~ | \.{{1,2}} )? / [A-Za-z0-9_.@%+*?-]++ (?: / [A-Za-z0-9_.@%+*?-]*+ )*+
  | (?<! [A-Za-z0-9_.+-] ) [A-Za-z0-9_.+-]++ (?: / [A-Za-z0-9_.+*-]*+ )++
  # Placeholders, escapes.
  | \\ [A-Za-z]++
  | @ [a-z]++ \{{ [^{{}}]*+ \}}
  | [$\#@] \{{ [^{{}}]*+ \}} | \{{\{{ [^{{}}]*+ \}}\}} | \{{% [^{{}}]*+ %\}} | \{{ [!-z|~]++ \}}
  | \$ (?: \( [^()]*+ \) | [A-Za-z_] {_W}*+ )
  | % {_W}++ %
  | % (?: \( [^()\s]*+ \) | < {_W}++ > | [0-9]++ \$ | \{{ [^{{}}\s]*+ \}} )?
      [-\#0+']*+ (?: \* | [0-9]++ )? (?: \. (?: \* | [0-9]++ ) )? (?: hh? | ll? | [qjztL] )? [A-Za-z]
  | & [A-Za-z\#] [A-Za-z0-9:._-]*+ ;
  # Options, arguments, keys, calls and pages of the manual.
  | (?<! [A-Za-z0-9_-] ) (?: -- [A-Za-z0-9] [A-Za-z0-9_-]*+ | - (?: [A-Za-z0-9] (?!{_W}) | [a-z] [A-Za-z0-9_-]*+ ) )
      (?: = [!-~--[<>]]*+ )?
  | (?<! {_W} | \* ) \*{{1,2}} [!-)+-~]++ \*{{1,2}}
  | (?<!{_W}) (?: Alt(?:Gr)? | Cmd | Command | Control | Ctrl | Fn | Meta | Option | Shift | Super | Win )
      (?: [+-] [A-Za-z0-9]++ )++
  | (?<!{_W}) [A-Za-z_] {_W}*+ \( [\ -'*-~]*+ \)
  # Identifiers: with underscores, dots, capitals inside, digits; names that begin with a dot.
  | (?<!{_W}) (?= _*+ [A-Za-z0-9]++ _ | __ | _[a-z] ) {_W}++ (?: (?: \. | :: | -> ) {_W}++ )*+
  | (?<!{_W}) [A-Za-z_] {_W}*+ (?: (?: \. | :: | -> ) [A-Za-z_*] {_W}*+ )++
  | (?<!{_W}) \. [A-Za-z] {_W}*+
  | (?<!{_W}) (?= {_W}*?[a-z] ) {_W}*? [A-Za-z0-9] [A-Z] {_W}*+
  | (?<!{_W}) (?= {_W}*?[0-9] ) {_W}++
"""
_NOTATION = regex.compile(f"{CODE_SPAN.pattern} | {_PIECES}", regex.VERBOSE | regex.VERSION1)


def without_notation(text: str) -> str:
    """Return a text with a space in place of each piece that belongs to no language."""
    return _NOTATION.sub(" ", text)
